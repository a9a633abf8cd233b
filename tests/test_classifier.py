"""The classifier of a data set's own labels: what it learns, and what it leaves alone."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.sets.mnist_5k import MNIST5k
from gan_cli.metrics.features import classifier, classifier_training
from gan_cli.metrics.features.classifier import ClassifierFeatures, checksum, trained_classifier
from gan_cli.metrics.features.classifier_training import BATCH, batch_indices, one_cycle, shifted
from gan_cli.metrics.features.small_resnet import Classifier
from gan_cli.metrics.metric import extractors
from gan_cli.utils.errors import ConfigError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier_training, "MIN_IMAGES", 4 * BATCH)
    monkeypatch.setattr(classifier_training, "EPOCHS", 1)


def random_images(count: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.randint(256, (count, *shape), generator=torch.Generator().manual_seed(seed)).byte()


def gradients(count: int = 600) -> tuple[Tensor, Tensor]:
    """Noise brighter at the left (0), at the top (1) or at the right (2)."""
    label = torch.arange(count) % 3
    ramp = torch.linspace(60, 0, 8).expand(8, 8)
    slopes = torch.stack([ramp, ramp.T, ramp.flip(1)])[:, None]  # (3, 1, 8, 8)
    return (random_images(count, 1, 8, 8) // 2 + slopes[label]).byte(), label


def labelled(images: Tensor, label: Tensor, classes: int = 0) -> InMemory:
    return InMemory({"real": images, "label": label}, classes or int(label.max()) + 1)


class Streamed(InMemory):
    """As a data set that decodes its images when they are asked for."""

    def tensors(self) -> None:  # type: ignore[override]
        return None


# What it learns


def test_learns_what_can_be_learned() -> None:
    assert trained_classifier(labelled(*gradients()), CPU).accuracy > 0.95


def test_knows_nothing_of_what_it_has_not_seen() -> None:
    """Labels drawn at random: 60 held-out guesses of 1/3 stay below 0.54 but once in 1,000."""
    images, label = gradients()
    label = label[torch.randperm(600, generator=torch.Generator().manual_seed(7))]
    assert 0.15 < trained_classifier(labelled(images, label), CPU).accuracy < 0.54


@pytest.mark.slow
def test_digits() -> None:
    network = trained_classifier(MNIST5k(), CPU)
    assert network.accuracy >= 0.97
    images, label = MNIST5k().tensors().values()
    assert (network(images[::10]).argmax(1) == label[::10]).float().mean() > 0.97


# The network


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 9, 17), (4, 100, 60)])
def test_shapes(shape: tuple[int, ...]) -> None:
    network, images = Classifier(shape, 7).eval(), random_images(3, *shape)
    assert network.embed(images).shape == (3, 128)
    assert network(images).shape == (3, 7)
    assert 0.25e6 < sum(p.numel() for p in network.parameters()) < 0.35e6


def test_larger_images_are_averaged_down() -> None:
    network, images = Classifier((3, 128, 128), 2).eval(), random_images(2, 3, 64, 64)
    enlarged = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(network(enlarged), network(images))


# Training


def test_shifts_are_crops_of_a_padded_image() -> None:
    images = random_images(200, 3, 9, 8)
    moved = shifted(images, torch.Generator().manual_seed(0))
    padded = F.pad(images.float(), (2, 2, 2, 2), mode="replicate").byte()
    crops = torch.stack(
        [padded[:, :, y : y + 9, x : x + 8] for y in range(5) for x in range(5)]
    )  # (25, N, C, H, W)
    same = (crops == moved).all((2, 3, 4))  # (25, N)
    assert same.any(0).all()  # each is one of its 25 crops
    assert same.any(1).all()  # and all 25 occur among 200


def test_a_cycle_rises_for_30_percent_and_ends_at_zero() -> None:
    rates = torch.tensor([one_cycle(i / 1000) for i in range(1001)])
    assert rates.argmax() == 300
    assert rates.max() == 1
    assert rates[0] == 0
    assert rates[-1] == pytest.approx(0, abs=1e-6)
    assert rates.diff().abs().max() < 0.005  # no jumps
    assert rates.mean() == pytest.approx(0.5, abs=1e-3)  # 0.3 / 2 + 0.7 / 2


@pytest.mark.parametrize(
    ("count", "seen"), [(1, 5_000), (100, 5_000), (4_500, 36_000), (55_000, 100_000)]
)
def test_every_image_is_seen_as_often(count: int, seen: int) -> None:
    batches = batch_indices(count, torch.Generator().manual_seed(0))
    assert 0 <= seen - batches.numel() < BATCH
    times = torch.bincount(batches.flatten(), minlength=count)
    assert times.max() - times.min() <= 1


# What it leaves alone


@pytest.mark.usefixtures("short")
def test_leaves_no_trace() -> None:
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with torch.no_grad():  # whoever asks
        network = trained_classifier(labelled(*gradients()), CPU)
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.usefixtures("short")
def test_the_same_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    networks = []
    for run in range(2):
        monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / f"cache{run}"))
        torch.manual_seed(run)
        networks.append(trained_classifier(labelled(*gradients()), CPU))
    assert checksum(networks[0]) == checksum(networks[1])
    assert networks[0].accuracy == networks[1].accuracy


# The cache


@pytest.mark.usefixtures("short")
def test_learns_once(monkeypatch: pytest.MonkeyPatch) -> None:
    images, label = gradients()
    first = trained_classifier(labelled(images, label), CPU)
    monkeypatch.setattr(classifier, "train", lambda *_: pytest.fail("it learned again"))
    for again in (labelled, lambda *tensors: Streamed(labelled(*tensors).tensors(), 3)):
        network = trained_classifier(again(images, label), CPU)
        assert checksum(network) == checksum(first)
        assert network.accuracy == first.accuracy


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("change", ["pixel", "label", "classes"])
def test_other_content_is_learned_anew(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images, label = gradients()
    trained_classifier(labelled(images, label), CPU)
    calls: list[Tensor] = []

    def pretend(_network: Classifier, images: Tensor, _labels: Tensor) -> float:
        calls.append(images)
        return 0.5

    monkeypatch.setattr(classifier, "train", pretend)
    images[0, 0, 0, 0] += change == "pixel"
    label[0] += change == "label"
    trained_classifier(labelled(images, label, 4 if change == "classes" else 0), CPU)
    assert len(calls) == 1


# Features


@pytest.mark.usefixtures("short")
def test_features() -> None:
    images, label = gradients()
    features = extractors.build({"name": "classifier"}, labelled(images, label), CPU, where="m")
    assert isinstance(features, ClassifierFeatures)
    embedded = features(images[:9])
    assert embedded.features.shape == (9, 128)
    assert embedded.logits is not None
    torch.testing.assert_close(embedded.logits, features.network(images[:9]))
    card = features.describe()
    assert card["weights"] == checksum(features.network)
    assert card["test_accuracy"] == pytest.approx(features.network.accuracy, abs=1e-4)


@pytest.mark.parametrize(
    ("tensors", "fault"),
    [
        ({"real": random_images(9, 1, 8, 8)}, "no labels"),
        (
            {"real": random_images(9, 1, 8, 8), "label": torch.zeros(9, dtype=torch.int64)},
            "labels of one class only",
        ),
    ],
)
def test_nothing_to_learn(tensors: dict[str, Tensor], fault: str) -> None:
    with pytest.raises(ConfigError) as error:
        extractors.build({"name": "classifier"}, InMemory(tensors, 3), CPU, where="metrics")
    (line,) = error.value.faults
    assert line.startswith("metrics.features: 'classifier'")
    assert fault in line
    assert line.endswith("use metrics.features=random")
