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
        pitch = 200 + 20 * torch.arange(count)[:, None, None]  # Hz
        wave = (2 * math.pi * pitch * torch.arange(length) / 8000).sin()  # (N, 1, T)
        stored = (wave * 30000).to(torch.int16)
        super().__init__({"real": stored}, field=Field("audio", sample_rate=8000))


@networks.register("toy_synthesizer")
class Synthesizer(nn.Module):
    latent_dim, prior = 8, "normal"

    def __init__(self, spec) -> None:
        super().__init__()
        self.shape = spec.shape
        self.layers = nn.Sequential(
            nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, math.prod(self.shape))
        )

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        return self.layers(latent).tanh().view(-1, *self.shape)


@networks.register("toy_listener")
class Listener(nn.Module):
    auxiliary = False

    def __init__(self, spec) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(spec.shape[0], 8, 25, 8), nn.LeakyReLU(0.2), nn.Flatten(), nn.LazyLinear(1)
        )
        self.layers(torch.zeros(1, *spec.shape))

    def forward(self, sound: Tensor, label: Tensor | None = None) -> Tensor:
        return self.layers(sound).squeeze(1)


games.register("toy_wavegan")(GAN)
