"""WaveGAN and SpecGAN: networks, phase shuffle, spectrograms, and whole runs on chirps."""

import math
import wave
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from gan_cli.checkpoints.choice import find
from gan_cli.data.sets import datasets
from gan_cli.data.sets.chirps import quantiles
from gan_cli.data.spec import Field, image_spec, sample_spec
from gan_cli.games.restore import restore_game
from gan_cli.games.spectrograms import inverted, log_amplitudes
from gan_cli.metrics import extractors
from gan_cli.metrics.ks import ks_distances, ks_to_uniform
from gan_cli.networks import networks
from gan_cli.networks.layers.phase_shuffle import PhaseShuffle, shifted
from gan_cli.networks.layers.sound_sizes import strides_of
from gan_cli.report.run_report import write_report
from gan_cli.utils.errors import ConfigError
from tests.helpers import built, composed, small, tensors_of, trained

CPU = torch.device("cpu")
TINY = (
    "dataset=chirps",
    "dataset.count=16",
    "batch_size=4",
    "model.networks.generator.width=2",
    "model.networks.discriminator.width=2",
    "model.networks.generator.latent_dim=8",
)
LABELLED = ("model.networks.generator.conditioning=", "model.networks.discriminator.conditioning=")


def sounds(length: int, channels: int = 1, classes: int = 0):
    return sample_spec(Field("audio", (channels, length), sample_rate=8000), classes)


def build(name: str, spec, **options) -> nn.Module:
    torch.manual_seed(0)
    return networks.build({"name": name, **options}, spec, where="model.networks.it")


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


# ---- Networks


def test_the_published_networks_have_their_parameters():
    with torch.device("meta"):
        generator = build("wavegan_generator", sounds(16384))
        discriminator = build("wavegan_discriminator", sounds(16384))
        assert (count(generator), count(discriminator)) == (19_065_345, 17_427_969)
        assert generator.seed.out_features == 16 * 1024
        assert (generator.latent_dim, generator.prior) == (100, "uniform")
        longer = build("wavegan_generator", sounds(65536))  # one more layer, twice as wide
        assert [up.in_channels for up in longer.ups] == [2048, 1024, 512, 256, 128, 64]


@pytest.mark.parametrize(
    ("length", "seed", "strides"),
    [
        (4096, 16, (4, 4, 4, 4)),
        (8192, 16, (4, 4, 4, 4, 2)),
        (16384, 16, (4, 4, 4, 4, 4)),
        (32768, 16, (4, 4, 4, 4, 4, 2)),
        (65536, 16, (4, 4, 4, 4, 4, 4)),
        (24000, None, None),
        (20480, 20, (4, 4, 4, 4, 4)),
    ],
)
def test_lengths_are_divided_by_four(length, seed, strides):
    if seed is None:
        with pytest.raises(ConfigError, match=r"dataset\.length=23552 or dataset\.length=24576"):
            strides_of(sounds(length))
        return
    found = strides_of(sounds(length))
    assert (found.seed, found.strides) == (seed, strides)
    assert seed * math.prod(strides) == length


@pytest.mark.parametrize("upsampling", ["zeros", "nearest"])
@pytest.mark.parametrize(
    ("length", "channels", "kernel"), [(512, 1, 25), (1024, 2, 9), (320, 1, 5)]
)
def test_shapes_and_range(length, channels, kernel, upsampling):
    spec = sounds(length, channels)
    options = {"width": 2, "kernel": kernel}
    generator = build("wavegan_generator", spec, latent_dim=4, upsampling=upsampling, **options)
    discriminator = build("wavegan_discriminator", spec, **options)
    sound = generator(10 * torch.randn(3, 4))
    assert sound.shape == (3, channels, length)
    assert sound.abs().max() <= 1
    assert discriminator(sound).shape == (3,)


def test_a_post_filter_changes_nothing_at_the_start_and_learns():
    plain = build("wavegan_generator", sounds(512, 2), width=2)
    filtered = build("wavegan_generator", sounds(512, 2), width=2, post_filter=64)
    assert count(filtered) - count(plain) == 2 * 2 * 64
    latent = torch.rand(2, 100)
    torch.testing.assert_close(filtered(latent), plain(latent))
    filtered(latent).square().sum().backward()
    assert filtered.filter.weight.grad.abs().max() > 0


@pytest.mark.parametrize("norm", ["batch", "layer", "instance", "none"])
def test_norm_layers_take_sounds(norm):
    critic = build("wavegan_discriminator", sounds(512), width=2, norm=norm, spectral_norm=True)
    assert critic(torch.randn(3, 1, 512)).shape == (3,)
    parametrized = [m for m in critic.modules() if hasattr(m, "parametrizations")]
    assert sum(isinstance(m, nn.Conv1d) for m in parametrized) == 3


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("wavegan_generator", {"kernel": 24}, "kernel: filters have an odd length, got 24; set 25"),
        ("wavegan_discriminator", {"phase_shuffle": 16}, "moves by 16 steps a map of 16"),
        ("wavegan_generator", {"conditioning": "concat"}, "needs labels"),
    ],
)
def test_options_that_do_not_fit_are_refused(name, options, message):
    with pytest.raises(ConfigError, match=message):
        build(name, sounds(512), **options)


@pytest.mark.parametrize("model", ["wavegan", "specgan"])
def test_images_are_refused(model):
    config = small("dataset=synthetic", f"model={model}", "metrics=none")
    with pytest.raises(ConfigError, match=r"is for sound, .* use model=dcgan, or dataset=audio"):
        built(config, image_spec((1, 16, 16)))


# ---- Phase shuffle


def test_shifts_move_along_time_and_reflect_the_ends():
    x = torch.arange(6.0).expand(3, 2, 6)
    moved = shifted(x, torch.tensor([[0], [2], [-1]]))
    assert torch.equal(moved[0], x[0])
    assert moved[1].tolist() == [[2, 1, 0, 1, 2, 3]] * 2
    assert moved[2].tolist() == [[1, 2, 3, 4, 5, 4]] * 2


def test_each_sample_is_moved_by_a_shift_of_its_own():
    torch.manual_seed(0)
    x = torch.arange(64.0).expand(2000, 1, 64)
    shift = (x - PhaseShuffle(2)(x))[:, 0, 32]
    counts = torch.tensor([(shift == k).sum() for k in range(-2, 3)])
    assert counts.sum() == 2000
    assert stats.chisquare(counts).pvalue > 0.001
    still = PhaseShuffle(2).eval()
    assert torch.equal(still(x), x)


def test_penalties_differentiate_through_the_shuffle():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 32, dtype=torch.float64, requires_grad=True)
    shift = torch.tensor([[2], [-1]])
    assert torch.autograd.gradgradcheck(lambda x: shifted(x, shift).pow(3), x)


# ---- Spectrograms


def test_amplitudes_are_those_of_scipy():
    rng = np.random.default_rng(0)
    sound = rng.standard_normal(2048).astype(np.float32)
    from scipy.signal import stft

    hann = np.hanning(257)[:-1]  # periodic
    _, _, expected = stft(sound, window=hann, nperseg=256, noverlap=128, boundary="zeros")
    level = log_amplitudes(torch.from_numpy(sound)[None, None], 256, 128)
    assert level.shape == (1, 1, 128, 16)
    expected = np.abs(expected[:-1, :16]) * hann.sum()
    np.testing.assert_allclose(level[0, 0].exp(), expected, rtol=1e-3, atol=1e-4)


def test_griffin_lim_recovers_the_amplitudes():
    dataset = datasets.build({"name": "chirps", "count": 2}, where="dataset")
    level = log_amplitudes(dataset.tensors()["real"].float() / 32768, 256, 128)
    phase = torch.rand(2, level[0].numel(), generator=torch.Generator().manual_seed(0))
    amplitude, errors = level.exp(), []
    for iterations in (0, 16):
        made = log_amplitudes(inverted(level, phase, 256, 128, iterations), 256, 128).exp()
        errors.append(((made - amplitude).norm() / amplitude.norm()).item())
    assert errors[1] < 0.2 < errors[0]


def test_spectrograms_are_standardized_by_the_data():
    dataset = datasets.build({"name": "chirps", "count": 16}, where="dataset")
    game = built(small("model=specgan", *TINY))
    game.look_at(dataset)
    real = dataset.tensors()["real"].float() / 32768
    image = game.seen({"real": real})["real"]
    assert image.shape == (16, 1, 128, 32)
    generator = game.networks["generator"]
    level = log_amplitudes(real, 256, 128)
    inside = image.abs() < 1
    torch.testing.assert_close(generator.to_level(image)[inside], level[inside])
    torch.testing.assert_close(generator.mean[:, 0], level.mean((0, 1, 3)))
    deviation = level.transpose(1, 2).flatten(2).transpose(0, 1).flatten(1).std(1, correction=0)
    torch.testing.assert_close(generator.std[:, 0], deviation, rtol=1e-4, atol=1e-5)


def test_hops_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="do not overlap by half"):
        small("model=specgan", *TINY, "model.game.hop=200")
    with pytest.raises(ConfigError, match=r"no multiple of hop=100; type dataset\.length=4000"):
        built(small("model=specgan", *TINY, "model.game.hop=100"))


# ---- Chirps


def test_chirps_are_measured_as_they_were_drawn():
    dataset = datasets.build({"name": "chirps", "count": 300}, where="dataset")
    features = extractors.build({"name": "chirps"}, dataset, CPU, where="metrics")
    measured = features(dataset.tensors()["real"]).features
    assert (measured - quantiles(dataset.drawn)).abs().max() < 0.01
    assert torch.equal(dataset.labels(), (dataset.drawn[:, 1] > 0).long())
    assert ks_to_uniform(measured).max() < 1.63 / math.sqrt(300)  # 99 %
    other = datasets.build({"name": "synthetic", "count": 4}, where="dataset")
    with pytest.raises(ConfigError, match="measures the sounds of dataset=chirps"):
        extractors.build({"name": "chirps"}, other, CPU, where="metrics")


def test_distances_are_those_of_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.random((60, 2)), rng.random((45, 2)) ** 2
    found = ks_distances(torch.tensor(a), torch.tensor(b))
    to_law = ks_to_uniform(torch.tensor(b))
    for i in range(2):
        assert found[i].item() == pytest.approx(stats.ks_2samp(a[:, i], b[:, i]).statistic)
        assert to_law[i].item() == pytest.approx(stats.kstest(b[:, i], "uniform").statistic)


# ---- Whole runs


@pytest.mark.parametrize("model", ["wavegan", "specgan"])
@pytest.mark.parametrize(
    "words",
    [
        (),  # WGAN-GP
        ("loss=hinge", "loss.critic_spectral_norm=true", "loss.critic_norm=none"),
        ("loss=nonsaturating", f"{LABELLED[0]}batch_norm", f"{LABELLED[1]}auxiliary"),
        (
            "loss=r1",
            f"{LABELLED[0]}concat",
            f"{LABELLED[1]}projection",
            "device.precision=bfloat16",
        ),
    ],
)
def test_losses_and_conditions_play(model, words, tmp_path):
    if "loss=nonsaturating" in words:
        words = (*words, "model.networks.generator.norm=batch")
    run = trained(small(f"model={model}", *TINY, "loss.critic_steps=1", *words), tmp_path)
    assert run.step == 2
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())


@pytest.mark.parametrize("model", ["wavegan", "specgan"])
def test_a_resumed_run_continues_exactly(model, tmp_path):
    words = (f"model={model}", *TINY, "loss=r1", "every.checkpoint=1")
    config = small(*words, "steps=2")
    whole = trained(config, tmp_path / "whole")
    trained(replace(config, steps=1), tmp_path / "parts")
    resumed = trained(config, tmp_path / "parts")
    expected = tensors_of(whole)
    for name, value in tensors_of(resumed).items():
        assert torch.equal(value, expected[name]), name


def test_samples_are_heard_in_the_report_and_drawn_from_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr("gan_cli.data.kinds.audio.SHOWN", 1)  # pictures take a second each
    words = ("model=specgan", *TINY, "loss=r1", "every.checkpoint=1", "every.preview=1", "steps=1")
    run = trained(small(*words), tmp_path)
    for name in ("real-0000000", "samples-0000001"):
        with wave.open(str(tmp_path / "samples" / f"{name}.wav")) as file:
            assert file.getframerate() == 8000
            assert file.getnframes() > 4096
    page = write_report(tmp_path).read_text()
    assert page.count('<audio controls preload="metadata" src="data:audio/wav;base64,UklGR') == 2
    assert "media-src data:" in page
    game = restore_game(find(str(tmp_path / "checkpoints" / "step-0000001.pt"), "run"))
    generator = run.game.networks["generator"]
    assert torch.equal(game.networks["generator"].mean, generator.mean)
    assert generator.mean.std() > 0.1  # those of the data, and no zeros


def test_the_models_of_sound_make_chirps_unless_told_otherwise():
    for model in ("wavegan", "specgan"):
        tree = composed("run=x", f"model={model}")
        assert tree.dataset.name == "chirps"
        assert tree.metrics.features == "spectrum"
