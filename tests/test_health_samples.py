"""Samples of a reading against the data: missed modes, copies and duplicates."""

import numpy as np
import pytest
import torch

from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.spec import Field
from gan_cli.health import sample_signals
from gan_cli.metrics import metric
from gan_cli.metrics.features.untrained import ModuleFeatures


def vectors(points: np.ndarray) -> sample_signals.SampleComparison:
    stored = torch.from_numpy(points.astype(np.float32))
    dataset = InMemory({"real": stored}, field=Field("vector"))
    return sample_signals.SampleComparison(dataset, torch.device("cpu"))


def modes(count: int, rng: np.random.Generator, of: int = 8) -> np.ndarray:
    """Points near the first `of` of eight modes on a circle."""
    angle = 2 * np.pi * rng.integers(0, of, count) / 8
    return np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(size=(count, 2)) * 0.01


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_missed_modes_are_the_share_of_data_without_samples_at_any_scale(scale):
    rng = np.random.default_rng(0)
    data = vectors(scale * modes(5000, rng))
    fair = data.signals(torch.from_numpy(scale * modes(64, rng)).float())
    half = data.signals(torch.from_numpy(scale * modes(64, rng, of=4)).float())
    assert (fair["missed"], fair["stray"]) == (0, 0)
    assert half["missed"] == pytest.approx(0.5, abs=0.15)
    assert half["stray"] == 0
    between = data.signals(torch.from_numpy(scale * 0.5 * modes(64, rng)).float())
    assert (between["missed"], between["stray"]) == (1, 1)


def test_blurred_samples_are_no_copies():
    """They are nearer to the data than these to each other, but to many alike."""
    rng = np.random.default_rng(0)
    real = rng.normal(size=(200, 50))
    data = vectors(real)
    blurred = data.signals(torch.from_numpy(0.3 * rng.normal(size=(64, 50))).float())
    assert blurred["novelty"] < 1
    assert blurred["copies"] == 0
    noisy = real[:64] + 0.05 * rng.normal(size=(64, 50))
    assert data.signals(torch.from_numpy(noisy).float())["copies"] == 1


def test_copies_are_seen_although_the_data_hold_twins():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(150, 50))
    twins = vectors(np.concatenate([real, real[:60]]))
    assert twins.signals(torch.from_numpy(real[:64]).float())["copies"] == 1


def test_copies_are_counted_where_half_of_the_training_samples_are_searched():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(2048, 20))
    data = vectors(real)
    copies = data.signals(torch.from_numpy(real[:64]).float())["copies"]
    assert copies == pytest.approx(1, abs=0.3)  # half of them are searched, and stand for all
    more = vectors(rng.normal(size=(2049, 20)))
    assert "copies" not in more.signals(torch.from_numpy(real[:64]).float())


def test_twins_in_the_data_are_natural_duplicates():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(400, 20))
    data = vectors(np.repeat(base, [2] * 100 + [1] * 300, axis=0))
    fair = data.signals(torch.from_numpy(base[300:364]).float())
    assert fair["duplicates"] == 0
    pairs = data.signals(torch.from_numpy(np.repeat(base[300:332], 2, axis=0)).float())
    assert pairs["duplicates"] > 0.5


def images(count: int, size: int, hflip: bool) -> InMemory:
    rng = torch.Generator().manual_seed(0)
    stored = torch.randint(256, (count, 3, size, size), dtype=torch.uint8, generator=rng)
    return InMemory({"real": stored}, hflip=hflip)


@pytest.mark.parametrize("hflip", [False, True])
def test_large_images_are_compared_a_few_at_a_time_with_the_same_result(hflip, monkeypatch):
    data = images(100, 16, hflip)
    most: list[int] = []
    original = ModuleFeatures.__call__

    def counted(self: ModuleFeatures, samples: torch.Tensor) -> metric.Embedded:
        most.append(len(samples))
        return original(self, samples)

    monkeypatch.setattr(ModuleFeatures, "__call__", counted)
    whole = sample_signals.SampleComparison(data, torch.device("cpu"))
    fake = images(64, 16, False).tensors()["real"] / 127.5 - 1
    expected = whole.signals(fake)
    assert max(most) == 100
    most.clear()
    monkeypatch.setattr(metric, "PART", 7 * 3 * 16 * 16)
    parts = sample_signals.SampleComparison(data, torch.device("cpu"))
    torch.testing.assert_close(parts.training, whole.training)
    assert parts.signals(fake) == pytest.approx(expected, rel=1e-5)
    assert max(most) == 7
