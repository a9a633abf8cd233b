"""Base class of sequences that are drawn from a known law."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from gan_cli.data.ground_truth import Law
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.spec import Field
from gan_cli.utils.kept import kept

Draw = Callable[[int, torch.Generator], Tensor]  # count, random numbers -> tokens (count, T)


class KnownText(InMemory):
    """`count` sequences to train on, and `held_out` others."""

    def __init__(self, draw: Draw, field: Field, count: int, held_out: int, seed: int) -> None:
        self.random = torch.Generator().manual_seed(seed)
        self.draw, self.held = draw, held_out
        super().__init__({"real": draw(count, self.random)}, field=field)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return frozenset({"real", "held_out", "law"})

    def law(self) -> Law:
        raise NotImplementedError

    def held_out(self, count: int | None = None) -> dict[str, Tensor]:
        return {"real": self.others()[:count]}

    @kept
    def others(self) -> Tensor:
        return self.draw(self.held, self.random)
