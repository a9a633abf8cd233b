"""One optimizer step of one player: backward, mean over processes, clipping and update."""

from collections.abc import Callable, Hashable, Iterable

import torch
from torch import Tensor, nn

from gan_cli.config.registry import Component
from gan_cli.games.game import Batch, Turn
from gan_cli.losses.terms import Terms, mean_terms
from gan_cli.optim.optimizers import Player
from gan_cli.runtime.runtime import Runtime

Loss = Callable[[Batch], Terms]


class Turns:
    """Executes turns on a runtime: the only place with a backward pass and an optimizer step."""

    def __init__(
        self,
        runtime: Runtime,
        accumulate: int = 1,
        clip_norm: float | None = None,
        compile: bool = False,
    ) -> None:
        self.runtime, self.accumulate = runtime, accumulate
        self.clip_norm, self.compile = clip_norm, compile
        self.compiled: dict[Hashable, Loss] = {}

    def player(self, networks: Iterable[nn.Module], options: Component) -> Player:
        """Returns the player that trains `networks`, with an optimizer built from `options`."""
        enabled = self.runtime.dtype == torch.float16  # bfloat16 has the range of float32
        scaler = torch.amp.GradScaler(self.runtime.device.type, enabled=enabled)
        return Player(networks, options, scaler)

    def play(self, turn: Turn, player: Player, batch: Batch) -> Terms:
        """Takes one optimizer step; only this player's parameters accumulate gradients."""
        loss = self.loss_of(turn)
        player.train(True)
        parts = [self.backward(loss, part, player) for part in self.parts(batch)]
        player.train(False)
        terms, norm = self.step(player, mean_terms(parts))
        turn.after(terms)
        return Terms(terms.losses, {**terms.observed, "gradient_norm": norm})

    def backward(self, loss: Loss, part: Batch, player: Player) -> Terms:
        """Adds the gradients of one part of the batch; returns its detached terms."""
        with self.runtime.autocast():
            terms = loss(part)
        player.scaler.scale(terms.total() / self.accumulate).backward()
        return Terms({name: term.detach() for name, term in terms.losses.items()}, terms.observed)

    def step(self, player: Player, terms: Terms) -> tuple[Terms, Tensor]:
        """Averages, unscales, clips and applies gradients.

        Returns the means of the terms over processes, and the norm of the gradients before
        clipping.
        """
        gradients = player.gradients()
        terms = self.average(gradients, terms)
        player.scaler.unscale_(player.optimizer)
        norm = torch.nn.utils.get_total_norm(gradients)
        if self.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(player.parameters, self.clip_norm, norm)
        player.scaler.step(player.optimizer)
        player.scaler.update()
        player.optimizer.zero_grad(set_to_none=True)
        return terms, norm.detach()

    def average(self, gradients: list[Tensor], terms: Terms) -> Terms:
        """Averages gradients, in place, and terms over processes, in one operation."""
        if self.runtime.processes.world == 1:
            return terms
        named = {**terms.losses, **terms.observed}
        values = torch.stack([value.detach().float() for value in named.values()])
        self.runtime.processes.average([*gradients, values])
        means = dict(zip(named, values.unbind(), strict=True))
        losses = {name: means.pop(name) for name in terms.losses}
        return Terms(losses, means)

    def parts(self, batch: Batch) -> list[Batch]:
        """Splits the batch into `accumulate` parts of equal size."""
        if self.accumulate == 1:
            return [batch]
        chunks = {key: value.chunk(self.accumulate) for key, value in batch.items()}
        return [{key: c[i] for key, c in chunks.items()} for i in range(self.accumulate)]

    def loss_of(self, turn: Turn) -> Loss:
        """Returns the loss of the turn, compiled if device.compile is set.

        The turn is compiled as a whole: a compiled network fails under a gradient penalty, since
        torch.compile does not support double backward.
        """
        if not self.compile:
            return turn.loss
        key = (turn.player, turn.variant)
        if key not in self.compiled:
            self.compiled[key] = torch.compile(turn.loss, dynamic=False)
        return self.compiled[key]
