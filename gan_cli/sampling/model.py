"""A trained model: the game of a checkpoint, from which samples are drawn."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from rich.progress import track
from torch import Tensor, nn

from gan_cli.checkpoints.contents import Checkpoint
from gan_cli.config.schema import Device
from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Field, Spec
from gan_cli.games.abilities import Samples
from gan_cli.games.draw import BATCH, draw
from gan_cli.games.request import Request
from gan_cli.games.restore import build_network, restore_game
from gan_cli.games.spaces import Space
from gan_cli.networks.layers.latent import check_truncation
from gan_cli.runtime.runtime import Runtime
from gan_cli.sampling.memory import check_batch, check_count
from gan_cli.sampling.options import Direction, Way
from gan_cli.sampling.walks import walk
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import unknown

PROGRESS = 256  # smallest number of samples for which a progress bar is shown


class Model:
    """The game of a checkpoint on a device; its config and spec are read from the checkpoint."""

    def __init__(self, checkpoint: Checkpoint, averaged: bool = True, device: Device = Device()):  # noqa: B008
        self.checkpoint, self.averaged = checkpoint, averaged
        self.spec: Spec = checkpoint.spec
        self.game = restore_game(checkpoint, averaged)
        self.runtime = Runtime(device)
        self.runtime.place(self.game.networks)

    def target(self, name: str | None = None) -> str:
        """Returns the batch key to generate, by default the first; ConfigError if unavailable."""
        targets = self.game.targets(self.spec)
        if not isinstance(self.game, Samples) or not targets:
            game = self.checkpoint.game["name"]
            raise ConfigError(f"run: the game '{game}' of {self.checkpoint.name} draws no samples")
        if name is not None and name not in targets:
            raise ConfigError(f"target: {unknown('field to generate', name, targets)}")
        return name or targets[0]

    def directed(self, direction: Direction) -> str:
        """Returns the batch key that the direction makes; ConfigError if there is one way only."""
        targets = self.game.targets(self.spec)
        if len(targets) != 2 or not self.game.inputs(targets[0]):
            raise ConfigError("direction: the model does not translate both ways; leave it out")
        return targets[direction == "backward"]

    @property
    def turned(self) -> bool:
        """Whether it makes another target than that of the data on which it was trained."""
        return self.spec.target != self.checkpoint.spec.target

    def face(self, target: str) -> None:
        """Makes another target the default."""
        self.spec = replace(self.spec, target=target)

    def field(self, target: str | None = None) -> Field:
        """Returns the field of the generated samples."""
        return self.spec.fields[self.target(target)]

    def labels(self, wanted: Sequence[Any] | None, seeds: Sequence[int]) -> Tensor | None:
        """Returns a class for each seed (N,), or None if the model takes no labels.

        The classes `wanted` are used in turn; by default it is the seed modulo the classes.
        """
        if not self.game.labelled:
            if wanted is not None:
                raise ConfigError("label: the model was trained without labels; leave it out")
            return None
        if wanted is None:
            return torch.tensor([seed % self.spec.classes for seed in seeds])
        classes = [class_number(label, self.spec) for label in wanted]
        return torch.tensor([classes[i % len(classes)] for i in range(len(seeds))])

    def draw(self, request: Request, batch_size: int = BATCH) -> Tensor:
        """Returns samples (N, *shape) in stored form (images uint8), on the CPU."""
        field = self.field(request.target)
        check_count(len(request), field)
        check_batch(self.game, request, batch_size, field)
        kind = kind_of(field)
        total = -(-len(request) // batch_size)
        batches = track(
            draw(self.game, request, batch_size),
            "samples",
            total,
            disable=len(request) < PROGRESS,
            transient=True,
        )
        with self.runtime.autocast():
            return torch.cat([kind.to_stored(samples).cpu() for samples in batches])

    def walk(
        self,
        points: Tensor,
        between: int,
        way: Way | None = None,
        loop: bool = False,
        space: Space = "z",
    ) -> Tensor:
        """Returns `points` with `between` interpolated ones from each to the next.

        The default way is spherical for a normal prior, and linear for a uniform one and for
        styles.
        """
        if space == "z":
            generator: Any = self.game.networks[self.game.samples_from]
            return walk(points, between, generator.prior, way, loop)
        if way == "slerp":
            raise ConfigError("way: slerp is for latents of a prior; with space=w, type way=linear")
        return walk(points.flatten(1), between, None, way, loop).unflatten(1, points.shape[1:])

    def check_truncation(self, truncation: float | None, cutoff: int | None) -> None:
        """Raises ConfigError for a truncation that the generator does not have."""
        if truncation is not None and self.game.inputs(self.target()) and not self.walks:
            raise ConfigError(
                "truncation: bounds latents, and the model makes its samples of inputs alone; "
                "leave it out"
            )
        networks = self.game.networks
        generator = networks["generator"] if "generator" in networks else nn.Identity()
        check_truncation(generator, truncation, cutoff)

    @property
    def has_latent(self) -> bool:
        """Whether the game has a generator that takes a latent."""
        roles = self.game.networks
        return "generator" in roles and hasattr(roles["generator"], "latent_dim")

    @property
    def walks(self) -> bool:
        """Whether samples start from latents, between which one can interpolate."""
        role, networks = self.game.samples_from, self.game.networks
        return role in networks and hasattr(networks[role], "latent_dim")

    def network(self, role: str, averaged: bool | None = None) -> nn.Module:
        """Returns a network of the checkpoint in eval mode, on the device of the model."""
        network = build_network(
            self.checkpoint, role, self.averaged if averaged is None else averaged
        )
        self.runtime.place(nn.ModuleDict({role: network}))
        return network


def class_number(label: Any, spec: Spec) -> int:
    """Returns the class with this name or number; ConfigError if there is none.

    Names take precedence, since a folder named 10 need not be class 10. Whole floats are numbers.
    """
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if str(label) in spec.class_names:
        return spec.class_names.index(str(label))
    if type(label) is int and 0 <= label < spec.classes:
        return label
    known = f"0 to {spec.classes - 1}"
    if spec.class_names:
        raise ConfigError(f"label: {unknown('class', label, spec.class_names)}; or {known}")
    raise ConfigError(f"label: unknown class {label!r}; known: {known}")


def class_names(labels: Sequence[int], spec: Spec) -> list[str]:
    """Returns the name of each class, or its number."""
    return [spec.class_names[k] if spec.class_names else str(k) for k in labels]
