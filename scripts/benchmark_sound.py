"""Training steps of WaveGAN against a plain loop of the same networks: benchmark.py sound."""

import argparse
import tempfile
from pathlib import Path

import torch
from benchmark_loops import Loop, compare, configure, loop_of, play, repeating
from torch import Tensor, nn

from gan_cli.config.schema import Config
from gan_cli.data.sets import datasets
from gan_cli.games.build import build_game
from gan_cli.training.run import Run

BATCH = 64
SETTING = [
    *("model=wavegan", "dataset=chirps", "dataset.count=1024", f"batch_size={BATCH}"),
    *("metrics=none", "run=benchmark", "every.preview=0", "every.checkpoint=0"),
    "every.evaluate=0",
]


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

    return repeating(step)


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
    widths = [f"model.networks.{r}.width={given.width}" for r in ("generator", "discriminator")]
    config = configure([*SETTING, *widths])
    with tempfile.TemporaryDirectory() as folder:
        loops = {"plain": plain_loop(config), "gan-train": loop_of(Run(config, Path(folder)))}
        compare("WaveGAN, WGAN-GP", loops, given.steps, given.pairs)


if __name__ == "__main__":
    main()
