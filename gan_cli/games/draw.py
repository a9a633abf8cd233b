"""The one way in which samples are drawn: previews, metrics, health, gan-sample, gan-fid, API."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gan_cli.games.game import Game, Judges, Samples
from gan_cli.games.request import Request
from gan_cli.utils.modes import evaluation_mode

# Samples computed at a time. Always as many, or float32 sums would be ordered differently and a
# pixel would now and then round the other way: one at a time differs by 2e-7 and takes 4 times as
# long (DCGAN, 32x32, 2 CPU cores).
BATCH = 64


def draw(game: Game, request: Request, batch_size: int = BATCH) -> Iterator[Tensor]:
    """Samples in model form on the game's device, in batches of at most `batch_size`.

    A sample has the same bits for every N and every order of the seeds. Neither the networks nor
    the global random numbers are changed.
    """
    assert isinstance(game, Samples), "a game without sample() was asked for samples"
    left = len(request)
    for part in request.batches(batch_size):
        with undisturbed(game.networks):
            samples = game.sample(part)
        yield samples[:left]
        left -= batch_size


def drawn(game: Game, request: Request, batch_size: int = BATCH) -> Tensor:
    """All samples of `draw` in one tensor (N, *shape)."""
    return torch.cat(list(draw(game, request, batch_size)))


@contextmanager
def undisturbed(networks: nn.Module) -> Iterator[None]:
    """Eval mode without gradients, in which random numbers are seeded and then put back."""
    device = next(networks.parameters()).device
    devices = [device] if device.type == "cuda" else []
    with torch.no_grad(), evaluation_mode(networks), torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(0)  # torch.manual_seed formats a stack trace: 0.3 ms
        if devices:
            torch.cuda.manual_seed(0)
        yield


def critic_of(game: Game) -> Callable[[Tensor], Tensor | None] | None:
    """The critic's logits of samples on the device, of games that have such a critic.

    In eval mode: looking must not move spectral norm's vectors or batch norm's statistics.
    """
    if not isinstance(game, Judges):
        return None
    judges = game

    def logits(samples: Tensor) -> Tensor | None:
        with undisturbed(game.networks):
            return judges.logits(samples)

    return logits
