"""Times the turns of SeqGAN beside plain loops over the same networks, and its sampling.

    python scripts/benchmark_text.py

The plain loops compute what a turn computes, without terms, players, penalties or logs. Sampling is
timed beside the same number of steps of the bare generator.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli.config.compose import composed
from gan_cli.config.schema import Config
from gan_cli.data.sets import datasets
from gan_cli.games.build import build_game
from gan_cli.games.draw import draw_all
from gan_cli.games.request import Request
from gan_cli.games.rollouts import rollouts, sequences
from gan_cli.optim.optimizers import Player, options_of
from gan_cli.runtime.runtime import Runtime
from gan_cli.training.turns import turns_of
from gan_cli.validation.validate import validate

ROUNDS = 8
WORDS = ("run=x", "model=seqgan", "dataset=oracle_lstm", "dataset.vocabulary=64", "batch_size=64")


def fastest(function: Callable[[], object]) -> float:
    """The time of the fastest of ROUNDS calls, in seconds of the processor."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def settings() -> Config:
    return validate(composed("train", [*WORDS, "model.game.rollouts=4", "metrics=none"]))


def main() -> None:
    config = settings()
    data = datasets.build(config.dataset, where="dataset")
    game = build_game(config.model, config.loss, config.augment, data.spec)
    runtime = Runtime(config.device)
    runtime.place(game.networks)
    turns = turns_of(game, runtime, config)
    players = {
        name: turns.player([game.networks[r] for r in roles], options_of(config.optimizer, name))
        for name, roles in game.players.items()
    }
    tensors = data.tensors()
    assert tensors is not None
    real: Tensor = tensors["real"][:64]
    networks: Any = game.networks
    generator, critic = networks["generator"], networks["discriminator"]

    def likelihood() -> None:
        loss = -generator.log_likelihood(real).mean() / 20
        loss.backward()

    def policy() -> None:
        tokens = sequences(generator, 64)
        with torch.no_grad():
            critic.eval()
            texts = torch.cat([rollouts(generator, tokens, 4).flatten(0, 2), tokens])
            rewards = torch.cat([critic(part).sigmoid() for part in texts.split(1024)])
            values = rewards[:-64].view(19, 4, 64).mean(1)
            values = torch.cat([values, rewards[None, -64:]]).T
        chosen = generator(tokens).gather(2, tokens[..., None])[..., 0]
        (-(values * chosen).sum(1).mean()).backward()

    def discriminator() -> None:
        fake = sequences(generator, 64)
        critic.train()
        (F.softplus(-critic(real)).mean() + F.softplus(critic(fake)).mean()).backward()

    plain = {"likelihood": likelihood, "generator": policy, "discriminator": discriminator}
    for name, function in plain.items():
        step = 0 if name == "likelihood" else 10_000
        turn = next(turn for turn in game.turns(step) if turn.player == name)
        player = players[name]

        ours = partial(turns.play, turn, player, {"real": real})
        theirs = partial(plain_step, player, function)
        ours()
        theirs()
        compare(name, ours, theirs)
    request = Request(range(1024))
    compare(
        "1,024 samples",
        lambda: draw_all(game, request),
        lambda: [sequences(generator, 64) for _ in range(16)],
    )


def plain_step(player: Player, backward: Callable[[], None]) -> None:
    """An optimizer step of a plain loop."""
    player.train(True)
    backward()
    player.step(player.gradients())
    player.train(False)


def compare(name: str, ours: Callable[[], object], plain: Callable[[], object]) -> None:
    mine, bare = fastest(ours), fastest(plain)
    print(
        f"{name:14} {1e3 * mine:7.1f} ms, plain {1e3 * bare:7.1f} ms: {mine / bare:.2f}", flush=True
    )


if __name__ == "__main__":
    main()
