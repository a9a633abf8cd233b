"""Draws samples for previews, metrics, health, gan-sample, gan-fid and the Python API."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gan_cli.games.abilities import HasLogits, HasSamplers, Samples, WritesText
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.runtime.random_state import fixed_random_state
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.modes import evaluation_mode

# Samples computed at a time. The number is fixed because another batch size changes the order of
# float32 sums, and a pixel may then round differently: batches of 1 differ by 2e-7 and take 4
# times as long (DCGAN, 32x32, 2 CPU cores).
BATCH = 64
ONLY: tuple[tuple[str, type, str], ...] = (
    ("sampler", HasSamplers, "diffusion models"),
    ("guidance", HasSamplers, "diffusion models"),
    ("prompt", WritesText, "models of text"),
    ("temperature", WritesText, "models of text"),
)  # what is for some games alone
SPREAD = 0x9E3779B97F4A7C15  # 2^64 / golden ratio, which maps near seeds to distant ones


def draw(game: Game, request: Request, batch_size: int = BATCH) -> Iterator[Tensor]:
    """Yields samples in model form on the game's device, in batches of at most `batch_size`.

    The bits of a sample do not depend on the number or order of the seeds. The networks and the
    global random state are left unchanged.
    """
    assert isinstance(game, Samples), "the game has no method sample()"
    check_request(game, request)
    left = len(request)
    for part in request.batches(batch_size):
        with isolated_evaluation(game.networks) as draws_noise:
            samples = game.sample(part)
            noisy = draws_noise()
        if noisy:
            samples = torch.cat([draw_alone(game, part, i) for i in range(min(left, len(part)))])
        yield samples[:left]
        left -= batch_size


def check_request(game: Game, request: Request) -> None:
    """Raises ConfigError if the request asks for what the game cannot do."""
    if isinstance(game, HasSamplers):
        game.check_request(request)
    elif isinstance(game, WritesText):
        game.check_prompt(request)
    for key, able, what in ONLY:
        if getattr(request, key) not in (None, ()) and not isinstance(game, able):
            raise ConfigError(f"{key}: is for {what}, and this is none; leave it out")


def draw_alone(game: Samples, request: Request, index: int) -> Tensor:
    """Returns sample `index` (1, *shape), with noise of the networks' own from the sample's seed.

    One by one, since a network draws its noise for a whole batch at a time.
    """
    assert isinstance(game, Game)
    alone = request.select([index])
    # Another seed than that of request.noise, whose numbers it would repeat.
    seed = (alone.seeds[0] * SPREAD + 1) % 2**63
    with isolated_evaluation(game.networks, seed):
        return game.sample(alone)


def draw_all(game: Game, request: Request, batch_size: int = BATCH) -> Tensor:
    """Returns all samples of `draw` in one tensor (N, *shape)."""
    return torch.cat(list(draw(game, request, batch_size)))


@contextmanager
def isolated_evaluation(networks: nn.Module, seed: int = 0) -> Iterator[Callable[[], bool]]:
    """Context of eval mode without gradients and with a fixed seed; restores mode and seed.

    Yields a function that says whether random numbers have been drawn in it.
    """
    device = next(networks.parameters()).device
    with (
        torch.no_grad(),
        evaluation_mode(networks),
        fixed_random_state(device, seed) as numbers_drawn,
    ):
        yield numbers_drawn


def logits_function(game: Game) -> Callable[[Tensor], Tensor | None] | None:
    """Returns the function from samples on the device to the critic's logits, if there is one.

    It runs in eval mode, so that spectral norm's vectors and batch norm's statistics do not change.
    """
    if not isinstance(game, HasLogits):
        return None
    critic = game

    def logits(samples: Tensor) -> Tensor | None:
        with isolated_evaluation(game.networks):
            return critic.logits(samples)

    return logits
