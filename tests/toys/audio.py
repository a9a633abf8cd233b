"""Toy (c): a GAN on mono audio (1, T)."""

import math

import torch
from torch import Tensor, nn

from gan_cli.data.dataset import datasets
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.spec import Field
from gan_cli.games.game import games
from gan_cli.games.gan import GAN
from gan_cli.networks.network import networks


@datasets.register("toy_tones")
class Tones(InMemory):
    provides = classmethod(lambda cls, options: frozenset({"real"}))

    def __init__(self, *, count: int = 64, length: int = 512) -> None:
        phase = torch.arange(count)[:, None, None] / count
        time = torch.arange(length) / 8000  # s
        wave = (2 * math.pi * (500 * time + phase)).sin()  # (N, 1, T), 500 Hz
        stored = (wave * 30000).to(torch.int16)
        super().__init__({"real": stored}, field=Field("audio", sample_rate=8000))


@networks.register("toy_synthesizer")
class Synthesizer(nn.Module):
    """For sounds of 16 * n samples: two steps of four times the length, as in WaveGAN."""

    latent_dim, prior = 8, "normal"

    def __init__(self, spec) -> None:
        super().__init__()
        up = {"kernel_size": 25, "stride": 4, "padding": 11, "output_padding": 1}
        self.layers = nn.Sequential(
            nn.Linear(8, 2 * spec.shape[1]), nn.ReLU(), nn.Unflatten(1, (32, -1)),
            nn.ConvTranspose1d(32, 16, **up), nn.ReLU(),
            nn.ConvTranspose1d(16, spec.shape[0], **up), nn.Tanh(),
        )  # fmt: skip

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        return self.layers(latent)


@networks.register("toy_listener")
class Listener(nn.Module):
    auxiliary = False

    def __init__(self, spec) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(spec.shape[0], 16, 25, 4), nn.LeakyReLU(0.2), nn.Conv1d(16, 32, 25, 4),
            nn.LeakyReLU(0.2), nn.Flatten(), nn.LazyLinear(1),
        )  # fmt: skip
        self.layers(torch.zeros(1, *spec.shape))

    def forward(self, sound: Tensor, label: Tensor | None = None) -> Tensor:
        return self.layers(sound).squeeze(1)


@games.register("toy_wavegan")
class ToyWaveGAN(GAN):
    """The rules of the original game; only its samples are new."""
