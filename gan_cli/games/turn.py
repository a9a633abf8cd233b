"""What a game yields for each optimizer step."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from torch import Tensor

from gan_cli.losses.terms import Terms

Batch = dict[str, Tensor]  # "real": (N, C, H, W) in [-1, 1], "label": (N,) int64, ...
# One picture of a preview: samples (N, *shape), a tuple of samples shown side by side, or features
# (N, F) of several groups.
PreviewContent = Tensor | tuple[Tensor, ...] | dict[str, Tensor]


def no_effect(terms: Terms) -> None:
    """Does nothing; the default of Turn.after."""


@dataclass(frozen=True)
class Turn:
    """One optimizer step of one player."""

    player: str
    loss: Callable[[Batch], Terms]
    draw: bool = True  # draw a new batch, or reuse that of the previous turn
    variant: Hashable = None  # turns of a player that differ in this are compiled separately
    after: Callable[[Terms], None] = no_effect  # called after the optimizer step
