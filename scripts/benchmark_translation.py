"""Training steps from image to image against plain loops of the same networks.

    python scripts/benchmark.py translation

pix2pix, CycleGAN and SRGAN at 64 x 64 pixels on synthetic images, with one thread, in float32,
bfloat16 and bfloat16 with channels_last. The loops are those of the papers' programs without logs,
pools of past fakes, averages and checkpoints. By processor time, so that other work on the machine
disturbs little.
"""

import argparse
import itertools
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from benchmark_loops import Loop, compare, configure, loop_of, play, repeating
from torch import Tensor

from gan_cli.config.schema import Config
from gan_cli.data.dataset import pick
from gan_cli.data.kinds import kind_of
from gan_cli.data.sets import datasets
from gan_cli.games.build import build_game
from gan_cli.training.run import Run

IMAGES = (
    "dataset@dataset.images=synthetic",
    "dataset.images={count: 256, size: 64, channels: 3, classes: 0}",
)
SETTINGS: dict[str, tuple[str, ...]] = {
    "pix2pix": (
        *("model=pix2pix", "dataset=paired", "degradation@dataset.degradation=gray", *IMAGES),
        *("model.networks.generator.width=32", "model.networks.discriminator.width=32"),
        *("model.networks.generator.norm=batch", "model.networks.discriminator.norm=batch"),
        *("batch_size=8", "metrics=none"),
    ),
    "cyclegan": (
        *("model=cyclegan", "dataset=known_map", "dataset.map=invert", *IMAGES, "metrics=none"),
        *("model.networks.to_target={width: 16, blocks: 3}", "batch_size=4"),
        "model.networks.discriminator_target.width=16",
    ),
    "srgan": (
        *("model=srgan", "dataset=paired", *IMAGES, "metrics=none", "batch_size=8"),
        *("degradation@dataset.degradation=downscale", "dataset.degradation.factor=4"),
        *("model.game.features=null", "model.game.reconstruction=1"),
    ),
}
COMMON = (
    *("run=benchmark", "device=cpu", "device.threads=1", "health=false"),
    *("every.preview=0", "every.checkpoint=0", "every.evaluate=0"),
)
PRECISIONS = {
    f"{precision}{name}": (f"device.precision={precision}", f"device.channels_last={layout}")
    for precision in ("float32", "bfloat16")
    for layout, name in (("false", ""), ("true", ", channels_last"))
}


def parts_of(config: Config) -> tuple[Any, Callable[[], dict[str, Tensor]]]:
    """The networks of a config, and a function that draws a batch as tutorials do."""
    dataset = datasets.build(config.dataset, where="dataset")
    game = build_game(config.model, config.loss, config.augment, dataset.spec)
    images = {
        key: kind_of(field).to_model(pick(dataset, key, torch.arange(len(dataset))))
        for key, field in dataset.spec.fields.items()
        if key in ("source", "target")
    }

    def batch() -> dict[str, Tensor]:
        chosen = torch.randint(len(images["source"]), (config.batch_size,))
        return {key: image[chosen] for key, image in images.items()}

    return game.networks.train(), batch


def adam(*networks: Any) -> torch.optim.Adam:
    weights = itertools.chain.from_iterable(network.parameters() for network in networks)
    return torch.optim.Adam(weights, 2e-4, (0.5, 0.999))


def judged(logits: Tensor, real: bool) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def squared(logits: Tensor, real: bool) -> Tensor:
    return F.mse_loss(logits, torch.full_like(logits, float(real)))


def pix2pix(config: Config) -> Loop:
    networks, batch = parts_of(config)
    generator, critic = networks["generator"], networks["discriminator"]
    of_critic, of_generator = adam(critic), adam(generator)

    def step() -> None:
        images = batch()
        source, target = images["source"], images["target"]
        fake = generator(source)
        real = judged(critic(torch.cat([source, target], 1)), True)
        wrong = judged(critic(torch.cat([source, fake.detach()], 1)), False)
        play(of_critic, (real + wrong) / 2)
        critic.requires_grad_(False)
        right = judged(critic(torch.cat([source, fake], 1)), True)
        play(of_generator, right + 100 * F.l1_loss(fake, target))
        critic.requires_grad_(True)

    return repeating(step)


def cyclegan(config: Config) -> Loop:
    networks, batch = parts_of(config)
    there, back = networks["to_target"], networks["to_source"]
    critics = networks["discriminator_target"], networks["discriminator_source"]
    of_generators, of_critics = adam(there, back), adam(*critics)

    def step() -> None:
        images = batch()
        source, target = images["source"], images["target"]
        fakes = there(source), back(target)
        cycles = F.l1_loss(back(fakes[0]), source) + F.l1_loss(there(fakes[1]), target)
        for critic in critics:
            critic.requires_grad_(False)
        adversarial = [squared(d(fake), True) for d, fake in zip(critics, fakes, strict=True)]
        play(of_generators, adversarial[0] + adversarial[1] + 10 * cycles)
        losses = []
        for critic, fake, real in zip(critics, fakes, (target, source), strict=True):
            critic.requires_grad_(True)
            losses.append(squared(critic(real), True) + squared(critic(fake.detach()), False))
        play(of_critics, (losses[0] + losses[1]) / 2)

    return repeating(step)


def srgan(config: Config) -> Loop:
    networks, batch = parts_of(config)
    generator, critic = networks["generator"], networks["discriminator"]
    of_critic, of_generator = adam(critic), adam(generator)

    def step() -> None:
        images = batch()
        fake = generator(images["source"])
        real = judged(critic(images["target"]), True)
        play(of_critic, real + judged(critic(fake.detach()), False))
        critic.requires_grad_(False)
        content = F.mse_loss(fake, images["target"])
        play(of_generator, content + 1e-3 * judged(critic(fake), True))
        critic.requires_grad_(True)

    return repeating(step)


PLAIN: Mapping[str, Callable[[Config], Loop]] = {
    "pix2pix": pix2pix,
    "cyclegan": cyclegan,
    "srgan": srgan,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="?", choices=["translation"])
    parser.add_argument("--models", nargs="+", choices=list(PLAIN), default=list(PLAIN))
    parser.add_argument("--steps", type=int, default=10, help="timed steps a block (%(default)s)")
    parser.add_argument("--pairs", type=int, default=5, help="rounds (%(default)s)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for model in given.models:
        with tempfile.TemporaryDirectory() as folder:
            words = (*SETTINGS[model], *COMMON)
            loops = {"plain, float32": PLAIN[model](configure(words))}
            for name, precision in PRECISIONS.items():
                config = configure((*words, *precision))
                loops[f"gan-train, {name}"] = loop_of(Run(config, Path(folder, name)))
            compare(model, loops, given.steps, given.pairs)


if __name__ == "__main__":
    main()
