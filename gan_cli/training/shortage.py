"""A turn that runs out of memory is played again with its batch in twice as many parts."""

import copy
import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gan_cli.games.game import Batch, Game
from gan_cli.runtime.random_state import random_sources
from gan_cli.runtime.runtime import Runtime


@dataclass
class Attempt:
    """What a turn changes before its optimizer steps, as it was before the turn."""

    parts: int  # into which its batch is split if it fails
    batch: Batch
    random: list[Tensor]
    buffers: dict[str, Tensor]
    state: dict[str, Any] | None


class Shortage:
    """Remembers the state before each turn, and goes back to it."""

    def __init__(self, game: Game, runtime: Runtime, keeps_state: bool) -> None:
        """`keeps_state` says whether the losses of the game may change its state."""
        self.game, self.runtime, self.keeps_state = game, runtime, keeps_state

    def attempt(self, batch: Batch, accumulate: int) -> Attempt | None:
        """The state before a turn; None if the batch cannot be split further, or not here.

        Several processes would have to agree, and a recorded graph cannot be left.
        """
        alone = self.runtime.processes.world == 1
        if not alone or not splits(batch, 2 * accumulate, self.game.packing) or capturing():
            return None
        return Attempt(
            2 * accumulate,
            dict(batch),
            [source.get_rng_state() for source in random_sources(self.runtime.device)],
            {name: b.clone() for name, b in self.game.networks.named_buffers()},
            copy.deepcopy(self.game.state_dict()) if self.keeps_state else None,
        )

    def undo(self, attempt: Attempt, batch: Batch) -> None:
        """Restores the state before a turn, and frees what the turn has allocated."""
        batch.clear()
        batch.update(attempt.batch)
        for name, before in attempt.buffers.items():
            self.game.networks.get_buffer(name).copy_(before)
        if attempt.state is not None:
            self.game.load_state_dict(attempt.state)
        for source, state in zip(random_sources(self.runtime.device), attempt.random, strict=True):
            source.set_rng_state(state)
        gc.collect()  # of cycles that hold tensors of the failed attempt
        if self.runtime.device.type == "cuda":
            torch.cuda.empty_cache()


def splits(batch: Batch, parts: int, packing: int) -> bool:
    """Whether a batch falls into equal parts of whole packs, two at least, for batch statistics."""
    sizes = {len(value) for value in batch.values()}
    return all(n % (parts * packing) == 0 and n // parts >= 2 * packing for n in sizes)


def capturing() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()


def reporter(run: Any) -> Callable[[str], None]:
    """Tells of a shortage in a run, on the display and in run.json."""

    def report(why: str) -> None:
        parts, step = run.turns.accumulate, run.step + 1
        text = f"device memory: {why}; accumulate={parts} from step {step:,} on"
        run.display.print(text, "memory", {"text": text, "step": step, "accumulate": parts})
        run.logger.update_run_json({"accumulate": parts})

    return report
