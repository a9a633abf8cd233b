"""One optimizer step of one player: backward, mean over processes, clipping and update."""

import logging
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from gan_cli.config.registry import Component
from gan_cli.config.schema import Config
from gan_cli.games.game import Batch, Game, Turn
from gan_cli.games.turn import no_effect
from gan_cli.losses.terms import Terms, Values, mean_terms
from gan_cli.optim.optimizers import Player
from gan_cli.runtime.runtime import Runtime
from gan_cli.training.shortage import Shortage
from gan_cli.utils.memory import lacks_memory, shortage_in_words

log = logging.getLogger("gan_cli")
Loss = Callable[[Batch], Terms]


class Turns:
    """Executes turns on a runtime: the only place with a backward pass and an optimizer step."""

    def __init__(
        self,
        runtime: Runtime,
        accumulate: int = 1,
        clip_norm: float | None = None,
        nan_to_num: float | None = None,
        compile: bool = False,
        capturable: bool = True,
        shortage: Shortage | None = None,
    ) -> None:
        """`capturable` says whether the runtime may record the turns as CUDA graphs.

        With a `shortage`, turns that run out of memory are played again, with more parts.
        """
        self.runtime, self.accumulate = runtime, accumulate
        self.clip_norm, self.nan_to_num, self.compile = clip_norm, nan_to_num, compile
        self.graphs = runtime.graphs if capturable else None
        self.compiled: dict[Hashable, Loss] = {}
        self.shortage = shortage
        self.on_shortage: Callable[[str], object] = str  # called with what has failed

    def player(self, networks: Iterable[nn.Module], options: Component) -> Player:
        """Returns the player that trains `networks`, with an optimizer built from `options`."""
        enabled = self.runtime.dtype == torch.float16  # bfloat16 has the range of float32
        scaler = torch.amp.GradScaler(self.runtime.device.type, enabled=enabled)
        return Player(networks, options, scaler, capturable=self.graphs is not None)

    def play(self, turn: Turn, player: Player, batch: Batch) -> Values:
        """Takes one optimizer step; only this player's parameters accumulate gradients.

        Returns the means of the terms over processes, and the norm of the gradients before
        clipping.
        """
        values = self.update(turn, player, batch)
        if turn.after is not no_effect:
            turn.after(values.terms())
        return values

    def update(self, turn: Turn, player: Player, batch: Batch) -> Values:
        """Computes and applies gradients, in a CUDA graph if turns are recorded."""
        graphs = self.graphs
        if graphs is None:
            return self.whole_turn(turn, player, batch)
        key = (turn.player, turn.variant)
        if player.capturable:
            values = graphs(*key, partial(self.whole_turn, turn, player), batch)
        else:
            values, gradients = graphs(*key, partial(self.gradients, turn, player), batch)
            player.step(gradients)
        return replace(values, values=values.values.clone())  # the next replay overwrites them

    def whole_turn(self, turn: Turn, player: Player, batch: Batch) -> Values:
        values, gradients = self.gradients(turn, player, batch)
        player.step(gradients)
        return values

    def gradients(self, turn: Turn, player: Player, batch: Batch) -> tuple[Values, list[Tensor]]:
        """Returns the values of the turn and the gradients of the player, averaged and clipped."""
        player.train(True)
        try:
            parts = self.backward_all(turn, player, batch)
            gradients = player.gradients()
            values = self.average(gradients, mean_terms(parts).stacked())
            player.scaler.unscale_(player.optimizer)
            if self.nan_to_num is not None:
                replaced = replace_nonfinite(gradients, self.nan_to_num)
                values = values.and_observed("replaced_gradients", replaced)
            norm = torch.nn.utils.get_total_norm(gradients)
            if self.clip_norm is not None:
                torch.nn.utils.clip_grads_with_norm_(player.parameters, self.clip_norm, norm)
        finally:
            player.train(False)
            player.give(None)  # also after an error: nothing is left to add to
        return values.and_observed("gradient_norm", norm), gradients

    def backward_all(self, turn: Turn, player: Player, batch: Batch) -> list[Terms]:
        """Adds the gradients of the whole batch; in more parts if the memory does not suffice."""
        loss = self.loss_of(turn)
        while True:
            shortage = self.shortage
            attempt = None if shortage is None else shortage.attempt(batch, self.accumulate)
            try:
                return [self.backward(loss, part, player) for part in self.parts(batch)]
            except (RuntimeError, MemoryError) as error:
                if attempt is None or shortage is None or not lacks_memory(error):
                    raise
                why = shortage_in_words(error)
            player.give(None)  # here, since the error holds the tensors of the attempt
            shortage.undo(attempt, batch)
            self.forget()
            self.accumulate = attempt.parts
            self.on_shortage(why)

    def backward(self, loss: Loss, part: Batch, player: Player) -> Terms:
        """Adds the gradients of one part of the batch; returns its detached terms."""
        with self.runtime.autocast():
            terms = loss(part)
        player.scaler.scale(terms.total() / self.accumulate).backward()
        return Terms({name: term.detach() for name, term in terms.losses.items()}, terms.observed)

    def average(self, gradients: list[Tensor], values: Values) -> Values:
        """Averages gradients and values over processes, in place and in one operation."""
        self.runtime.processes.average([*gradients, values.values])
        return values

    def forget(self) -> None:
        """Forgets what was recorded, since the tensors or the parts of a batch have changed."""
        if self.graphs is not None:
            self.graphs.clear()

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


def turns_of(game: Game, runtime: Runtime, config: Config) -> Turns:
    """Returns the turns of a run; a game allows CUDA graphs in its own class, not in a base.

    The losses of a game that allows them change none of its state, unless it `remembers`.
    """
    capturable = bool(vars(type(game)).get("capturable", False))
    if runtime.graphs is not None and not capturable:
        log.info("device.graphs: game '%s' does not allow them", config.model.game["name"])
    compiled = config.device.compile
    shortage = Shortage(game, runtime, keeps_state=not capturable or game.remembers)
    bounds = (config.clip_norm, config.nan_to_num)
    return Turns(runtime, config.accumulate, *bounds, compiled, capturable, shortage)


def replace_nonfinite(gradients: Iterable[Tensor], bound: float) -> Tensor:
    """Sets NaN to 0 and infinities to +-`bound`, in place; returns how many there were, 0-d.

    Karras et al. 2020 (arXiv:2006.06676) do so in each step, with 1e5.
    """
    counts = []
    for gradient in gradients:
        counts.append(gradient.isfinite().logical_not().sum())
        gradient.nan_to_num_(0.0, bound, -bound)
    return torch.stack(counts).sum()
