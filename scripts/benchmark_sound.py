"""Training steps of WaveGAN against a plain loop of the same networks: benchmark.py sound."""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from hydra import compose, initialize_config_dir
from torch import Tensor, nn

from gan_cli.config.command_line import hydra_arguments
from gan_cli.config.schema import Config
from gan_cli.data.sets import datasets
from gan_cli.games.build import build_game
from gan_cli.training.logger import Logger
from gan_cli.training.progress import Display
from gan_cli.training.run import Run
from gan_cli.utils.paths import CONFIGS
from gan_cli.utils.stop_signals import StopSignal
from gan_cli.validation.validate import validate

BATCH = 64
SETTING = [
    *("model=wavegan", "dataset=chirps", "dataset.count=1024", f"batch_size={BATCH}"),
    *("metrics=none", "run=benchmark", "every.preview=0", "every.checkpoint=0"),
    "every.evaluate=0",
]
Loop = Callable[[int], float]  # steps -> seconds


def configure(overrides: list[str]) -> Config:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return validate(compose("train", hydra_arguments(SETTING + overrides)))


def our_loop(config: Config, folder: Path) -> Loop:
    """A run that goes on where it stopped, every time it is called."""
    run, logger = Run(config, folder), Logger(folder)

    def train(steps: int) -> float:
        run.config = replace(run.config, steps=run.step + steps)
        display = Display(run.config.steps, run.step, silent=True)
        start = time.perf_counter()
        run.train(logger, display, StopSignal())
        display.close()
        return time.perf_counter() - start

    return train


def plain_loop(config: Config) -> Loop:
    """WGAN-GP as in a notebook: the same networks, five critic steps, and no logs."""
    dataset = datasets.build(config.dataset, where="dataset")
    game = build_game(config.model, config.loss, config.augment, dataset.spec)
    generator, critic = game.networks["generator"], game.networks["discriminator"]
    tensors = dataset.tensors()
    assert tensors is not None
    adam = [torch.optim.Adam(n.parameters(), 1e-4, (0.5, 0.9)) for n in (generator, critic)]

    def batch() -> Tensor:
        index = torch.randint(len(tensors["real"]), (BATCH,))
        return tensors["real"][index].float() / 32768

    def latent() -> Tensor:
        return torch.rand(BATCH, 100) * 2 - 1

    def step() -> None:
        loss = -critic(generator(latent())).mean()
        play(adam[0], loss)
        for _ in range(config.loss.critic_steps):
            real = batch()
            with torch.no_grad():
                fake = generator(latent())
            loss = critic(fake).mean() - critic(real).mean() + 10 * penalty(critic, real, fake)
            play(adam[1], loss)

    def train(steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            step()
        return time.perf_counter() - start

    return train


def play(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    mix = torch.lerp(fake, real, torch.rand(BATCH, 1, 1)).requires_grad_()
    (slope,) = torch.autograd.grad(critic(mix).sum(), mix, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["sound"])
    parser.add_argument("--steps", type=int, default=5, help="generator steps (%(default)s)")
    parser.add_argument("--pairs", type=int, default=5, help="rounds (%(default)s)")
    parser.add_argument("--width", type=int, default=16, help="of both networks (%(default)s)")
    given = parser.parse_args()
    config = configure(
        [f"model.networks.{r}.width={given.width}" for r in ("generator", "discriminator")]
    )
    with tempfile.TemporaryDirectory() as folder:
        loops = {"plain loop": plain_loop(config), "gan-train": our_loop(config, Path(folder))}
        for measure in loops.values():
            measure(1)
        rounds = [{name: f(given.steps) for name, f in loops.items()} for _ in range(given.pairs)]
    ratios = [r["gan-train"] / r["plain loop"] for r in rounds]
    for name in loops:
        print(f"{name:12}{median(r[name] for r in rounds) / given.steps:8.3f} s per step")
    spread = f"{median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f})"
    print(f"a step takes {spread} of the plain loop")


if __name__ == "__main__":
    main()
