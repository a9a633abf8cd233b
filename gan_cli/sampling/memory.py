"""The memory of drawing samples, checked before it is allocated piece by piece."""

from math import prod

import torch

from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Field
from gan_cli.games.draw import draw
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.utils.errors import OutOfMemoryError
from gan_cli.utils.free_memory import CPU, check_free, free_memory
from gan_cli.utils.memory import as_size
from gan_cli.utils.peak_memory import peak_of

ACTIVATIONS = 500  # times the bytes of a batch that drawing it may take without being measured
MEASURED = 2, 6  # samples that are drawn to measure it


def check_count(count: int, field: Field) -> None:
    """Raises OutOfMemoryError if `count` samples in stored form do not fit into memory twice."""
    one = kind_of(field).to_stored(torch.zeros(1, *field.shape)).nbytes
    check_free(2 * count * one, CPU, f"count: {count:,} samples", "draw fewer at a time")


def check_batch(game: Game, request: Request, size: int, field: Field) -> None:
    """Raises OutOfMemoryError if `size` samples cannot be drawn at a time."""
    free = free_memory(game.device)
    if free is None or not len(request) or 4 * size * prod(field.shape) * ACTIVATIONS < free:
        return
    few, more = (drawing_peak(game, request, number) for number in MEASURED)
    one = (more - few) / (MEASURED[1] - MEASURED[0])
    if size * one > free:
        fitting = 2 ** max(0, int(free / 2 / one).bit_length() - 1)
        raise OutOfMemoryError(
            f"batch_size: drawing {size} samples at a time takes about {as_size(size * one)} of "
            f"memory on {game.device.type}, and {as_size(free)} are free; type "
            f"batch_size={fitting}"
        )


def drawing_peak(game: Game, request: Request, size: int) -> int:
    """The most bytes that drawing the first sample `size` times at once allocates."""
    with peak_of(game.device) as peak:
        for _ in draw(game, request.select([0] * size), size):
            pass
    return peak()
