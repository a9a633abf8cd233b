"""Frechet distances within classes against the closed form, and their errors."""

import pytest
import torch
from torch import Tensor

from gan_cli.config.registry import ConfigError
from gan_cli.metrics.intra_fd import ClassFrechet
from gan_cli.metrics.metric import Collected


def side(features: Tensor, labels: Tensor) -> Collected:
    return Collected(len(features), features=features, labels=labels)


def with_moments(mean: list[float], deviations: list[float]) -> Tensor:
    """Four points whose mean is exact, and whose covariance (n - 1) is diag(deviations^2)."""
    corners = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]) * (3 / 4) ** 0.5
    return corners * torch.tensor(deviations) + torch.tensor(mean)


LABELS = torch.tensor([0, 0, 0, 0, 7, 7, 7, 7])


def test_closed_form_class_by_class() -> None:
    """For diagonal covariances |m1 - m2|^2 + sum (s1 - s2)^2: 25 + 0.25 + 1 and 0 + 4 + 0."""
    real = torch.cat([with_moments([0, 0], [1, 2]), with_moments([9, 9], [1, 1])])
    fake = torch.cat([with_moments([3, 4], [1.5, 1]), with_moments([9, 9], [3, 1])])
    values = ClassFrechet()(side(real, LABELS), side(fake, LABELS))
    expected = {"class_fd": (26.25 + 4) / 2, "worst_class_fd": 26.25, "smallest_class": 4}
    assert values == pytest.approx(expected, rel=1e-5)
    assert next(iter(values)) == "class_fd"


def test_zero_at_equality_whatever_the_order() -> None:
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(90, 5, generator=rng)
    labels = torch.arange(90) % 3
    order = torch.randperm(90, generator=rng)
    values = ClassFrechet()(side(features, labels), side(features[order], labels[order]))
    assert values["class_fd"] == pytest.approx(0, abs=1e-6)
    assert values["smallest_class"] == 30


def test_detects_a_generator_that_ignores_its_labels() -> None:
    """With two classes d apart and shuffled labels, half of the fakes of a class are d away.

    Along that axis, N(0, 1) is compared with a mixture of mean d / 2 and variance 1 + d^2 / 4.
    """
    rng = torch.Generator().manual_seed(0)
    d, labels = 6.0, torch.arange(4000) % 2
    real, fake = (
        torch.randn(4000, 2, generator=rng) + d * labels[:, None] * torch.eye(2)[0]
        for _ in range(2)
    )
    shuffled = labels[torch.randperm(4000, generator=rng)]
    expected = d**2 / 4 + ((1 + d**2 / 4) ** 0.5 - 1) ** 2
    right = ClassFrechet()(side(real, labels), side(fake, labels))
    wrong = ClassFrechet()(side(real, labels), side(fake, shuffled))
    assert right["class_fd"] < 0.02
    assert wrong["class_fd"] == pytest.approx(expected, rel=0.05)


def test_a_class_without_two_samples_a_side_is_named() -> None:
    features = torch.arange(16.0).reshape(8, 2)
    fake_labels = torch.tensor([0, 0, 0, 0, 0, 0, 5, 7])
    with pytest.raises(ConfigError) as caught:
        ClassFrechet()(side(features, LABELS), side(features, fake_labels))
    assert len(caught.value.faults) == 2
    assert "class 5 has 0 real and 1 generated" in caught.value.faults[0]
    assert "class 7 has 4 real and 1 generated" in caught.value.faults[1]
    assert "metrics.count" in caught.value.faults[0]
