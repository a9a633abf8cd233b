"""Features of sound and of text."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.spec import Field
from gan_cli.metrics.features.ngrams import BUCKETS, LONGEST, NgramFeatures
from gan_cli.metrics.features.spectrum import BANDS, FLOOR, WINDOW, SpectrumFeatures
from gan_cli.metrics.metric import extractors

CPU = torch.device("cpu")
RATE = 8000


def levels(sound: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation over time of the levels of sounds (N, T), each (N, BANDS)."""
    found = SpectrumFeatures()(sound[:, None])
    assert found.shape == (len(sound), 2 * BANDS)
    mean, deviation = found.split(BANDS, 1)
    return mean, deviation


def sine(hertz: float, length: int = 2000) -> torch.Tensor:
    return (2 * math.pi * hertz / RATE * torch.arange(length)).sin()[None]


def noise(count: int = 1, length: int = 2000, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, length, generator=torch.Generator().manual_seed(seed)) - 0.5


# ---- Sound


@pytest.mark.parametrize("hertz", [100, 440, 1000, 1234, 2500, 3900])
def test_a_sine_is_loudest_in_the_band_of_its_frequency(hertz):
    mean, deviation = levels(sine(hertz))
    width = RATE / 2 / BANDS
    loudest = int(mean.argmax())
    assert abs((loudest + 0.5) * width - hertz) < width
    aside = [k for k in range(BANDS) if abs(k - loudest) > 3]
    assert mean[0, aside].max() < mean.max() - math.log(30)
    assert deviation[0, loudest] < 0.1  # as loud all the time


def test_levels_are_those_of_numpys_spectrum():
    sound = noise(3)
    padded = np.pad(sound.double().numpy(), ((0, 0), (WINDOW // 2, WINDOW // 2)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, 1)[:, :: WINDOW // 4]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    amplitude = np.abs(np.fft.rfft(frames * window)) / math.sqrt(WINDOW)  # (3, frames, bins)
    bins = amplitude.shape[2]
    edges = [(k * bins // BANDS, -(-(k + 1) * bins // BANDS)) for k in range(BANDS)]
    bands = np.stack([amplitude[:, :, low:high].mean(2) for low, high in edges], 2)
    expected = np.log(bands + FLOOR)
    mean, deviation = levels(sound)
    np.testing.assert_allclose(mean, expected.mean(1), atol=1e-4)
    np.testing.assert_allclose(deviation, expected.std(1), atol=1e-4)


def test_ten_times_as_loud_is_one_step_up_in_every_band():
    (quiet, varied), (loud, as_varied) = levels(noise() / 10), levels(noise())
    torch.testing.assert_close(
        loud - quiet, torch.full_like(quiet, math.log(10)), atol=2e-3, rtol=0
    )
    torch.testing.assert_close(varied, as_varied, atol=2e-3, rtol=0)


def test_what_comes_and_goes_varies():
    steady, pulsed = noise(), noise() * (torch.arange(2000) // 500 % 2)
    assert levels(pulsed)[1].mean() > 3 * levels(steady)[1].mean()


def test_silence_has_the_lowest_level_and_no_infinite_one():
    mean, deviation = levels(torch.zeros(1, 2000))
    assert torch.equal(mean, torch.full_like(mean, math.log(FLOOR)))
    assert not deviation.any()
    assert levels(noise() * 1e-30)[0].isfinite().all()


@pytest.mark.parametrize("length", [1, 2, 63, WINDOW - 1, WINDOW, WINDOW + 1])
def test_sounds_shorter_than_a_window_are_followed_by_silence(length):
    sound = noise(2, length)
    mean, deviation = levels(sound)
    assert mean.isfinite().all()
    assert deviation.isfinite().all()
    followed = torch.nn.functional.pad(sound, (0, max(0, WINDOW - length)))
    torch.testing.assert_close(mean, levels(followed)[0])


def test_channels_have_features_of_their_own():
    left, right = noise(4), noise(4, seed=1)
    both = SpectrumFeatures()(torch.stack((left, right), 1))
    assert both.shape == (4, 2 * 2 * BANDS)
    alone = [SpectrumFeatures()(channel[:, None]) for channel in (left, right)]
    torch.testing.assert_close(both, torch.cat(alone, 1))


def test_stored_sound_is_embedded_as_networks_hear_it():
    sound = (noise(5) * 65_535).round().to(torch.int16)[:, None]
    data = InMemory({"real": sound}, field=Field("audio", sample_rate=RATE))
    spectrum = extractors.build({"name": "spectrum"}, data, CPU, where="metrics")
    expected = SpectrumFeatures()(sound.float() / 32768)
    assert torch.equal(spectrum(sound).features, expected)
    assert spectrum.kinds == {"audio"}


# ---- Text


def shares(text: list[int]) -> list[torch.Tensor]:
    """Of the n-grams of one text for each n, (BUCKETS,)."""
    return list(NgramFeatures()(torch.tensor([text]))[0].split(BUCKETS))


def ngrams(text: list[int], n: int) -> Counter[tuple[int, ...]]:
    return Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1))


def bucket(gram: tuple[int, ...]) -> int:
    """Horner's rule in Python's own integers."""
    number = gram[0]
    for token in gram[1:]:
        number = (number * 1_000_003 + token) % (2**31 - 1)
    return number % BUCKETS


@given(st.lists(st.integers(0, 63), min_size=1, max_size=40))
def test_shares_of_single_tokens_are_exact(text):
    counts = Counter(text)
    expected = torch.tensor([counts[token] / len(text) for token in range(BUCKETS)])
    torch.testing.assert_close(shares(text)[0], expected)


@given(st.lists(st.integers(0, 2), min_size=2, max_size=40))
def test_pairs_of_a_small_vocabulary_have_a_bucket_each(text):
    counts = ngrams(text, 2)
    pairs = [(a, b) for a in range(3) for b in range(3)]
    assert len({bucket(pair) for pair in pairs}) == 9
    found = shares(text)[1]
    for pair in pairs:
        assert found[bucket(pair)].item() == pytest.approx(counts[pair] / (len(text) - 1))


@settings(max_examples=50)
@given(st.lists(st.integers(0, 50_000), min_size=LONGEST, max_size=30))
def test_every_ngram_is_counted_in_its_bucket(text):
    for n, found in enumerate(shares(text), 1):
        expected = torch.zeros(BUCKETS)
        for gram, count in ngrams(text, n).items():
            expected[bucket(gram)] += count / (len(text) - n + 1)
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("length", "total"), [(1, 1), (2, 2), (3, 3), (20, 3)])
def test_shares_add_up_to_one_for_each_length_that_there_is(length, total):
    tokens = torch.randint(0, 30, (8, length), generator=torch.Generator().manual_seed(0))
    found = NgramFeatures()(tokens)
    assert found.shape == (8, LONGEST * BUCKETS)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.sum(1), torch.full((8,), float(total)))
    assert not found[:, length * BUCKETS :].any()


def test_order_counts_from_pairs_on():
    forth, back = shares([0, 1, 2, 3, 4]), shares([4, 3, 2, 1, 0])
    assert torch.equal(forth[0], back[0])
    assert not torch.equal(forth[1], back[1])
    assert not torch.equal(forth[2], back[2])


def test_tokens_are_embedded_as_they_are_stored():
    tokens = torch.randint(0, 5, (6, 9), generator=torch.Generator().manual_seed(0))
    data = InMemory({"real": tokens}, field=Field("tokens", vocabulary=tuple("abcde")))
    features = extractors.build({"name": "ngrams"}, data, CPU, where="metrics")
    assert torch.equal(features(tokens).features, NgramFeatures()(tokens))
    assert features.kinds == {"tokens"}
