"""How likely a game finds the data of a comparison."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset
from gan_cli.data.kinds import Kind, kind_of
from gan_cli.data.spec import Field, Spec
from gan_cli.evaluation.class_numbers import renumbered
from gan_cli.evaluation.collect import Progress
from gan_cli.evaluation.contents import batches_at, real_index
from gan_cli.games.abilities import HasLogDensity
from gan_cli.games.draw import BATCH, isolated_evaluation
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.runtime.numerics import exact_numerics
from gan_cli.utils.errors import ConfigError

WHERE = "metrics.compute.likelihood"


@dataclass(frozen=True)
class GameLikelihood:
    """The likelihood of samples of a data set, given their labels if the game reads them."""

    game: Game
    data: Dataset
    class_names: tuple[str, ...]  # in the order in which the model counts classes
    progress: Progress

    @property
    def field(self) -> Field:
        return self.data.spec.fields[self.data.spec.target]

    @property
    def kind(self) -> Kind:
        return kind_of(self.field)

    @property
    def size(self) -> int:
        return math.prod(self.field.shape)

    @property
    def discrete(self) -> bool:
        return self.kind.step is not None

    def nats(self, count: int, steps: int, exact: bool, seed: int) -> Tensor:
        """Returns the log likelihoods (N,) of at most `count` samples of the data."""
        index, found, start = real_index(self.data, count), list[Tensor](), 0
        for samples, labels in self.progress(batches_at(self.data, index), len(index)):
            for part, label in split(samples, labels):
                seeds = range(start + (seed << 32), start + (seed << 32) + len(part))
                start += len(part)
                request = Request(seeds, self.numbered(label))
                found.append(self.batch(part, request, steps, exact))
        return torch.cat(found)

    def numbered(self, label: Tensor | None) -> Tensor | None:
        """Returns labels of the data as the model counts them; None if it reads none."""
        if label is None or not self.game.labelled:
            return None
        return renumbered(label, self.data.spec.class_names, self.class_names)

    def batch(self, stored: Tensor, request: Request, steps: int, exact: bool) -> Tensor:
        """Returns the log likelihoods (N,) of stored samples (N, *shape)."""
        assert isinstance(self.game, HasLogDensity)
        samples, gained = self.kind.to_model(stored).float(), 0.0
        if self.kind.step is not None and not stored.is_floating_point():
            spread = request.noise.uniform(*samples.shape[1:]) - 0.5
            samples = samples + self.kind.step * spread
            gained = self.size * math.log(self.kind.step)  # the width of an interval
        device = self.game.device
        with isolated_evaluation(self.game.networks), exact_numerics(device):
            density = self.game.log_density(request, samples.to(device), steps, exact)
        return density.cpu() + gained


def split(samples: Tensor, labels: Tensor | None) -> list[tuple[Tensor, Tensor | None]]:
    """Returns samples and labels in parts that are computed at a time."""
    parts = samples.split(BATCH)
    numbers = [None] * len(parts) if labels is None else labels.split(BATCH)
    return list(zip(parts, numbers, strict=True))


def likelihood_of(
    game: Game, data: Dataset | None, spec: Spec, progress: Progress
) -> GameLikelihood | None:
    """Returns the likelihood of the data; None without data, or of a game that knows none.

    `spec` is that of the data that the game learned from.
    """
    if data is None or not isinstance(game, HasLogDensity):
        return None
    found = GameLikelihood(game, data, spec.class_names, progress)
    shape = tuple(game.networks["denoiser"].shape)  # type: ignore[arg-type]
    if tuple(found.field.shape) != shape:
        raise ConfigError(
            f"{WHERE}: the data have samples of shape {tuple(found.field.shape)}, the model of "
            f"{shape}; give data of this shape, or leave it out"
        )
    return found
