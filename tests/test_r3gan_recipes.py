"""R3GAN's recipes against the table of the paper, and its networks in a run."""

import math

import pytest
import torch
from torch import nn

from gan_cli.data.spec import image_spec
from gan_cli.networks import networks
from gan_cli.training.run import Run
from gan_cli.validation.validate import validate
from tests.helpers import composed, small, tensors_of, trained

SIDES = ("generator", "discriminator")
SMALL = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")


def path_of(recipe: str) -> tuple[str, ...]:
    return () if recipe == "cifar10" else ("dataset.path=images",)


def count(node: dict, size: int, classes: int) -> int:
    with torch.device("meta"):
        network = networks.build(node, image_spec((3, size, size), classes), where="it")
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("recipe", "size", "classes", "generator", "discriminator"),
    [
        ("cifar10", 32, 10, 20.78, 21.28),
        ("ffhq64", 64, 0, 22.43, 22.38),
        ("ffhq256", 256, 0, 23.06, 23.01),
        ("imagenet32", 32, 1000, 82.91, 86.55),
        ("imagenet64", 64, 1000, 103.57, 107.21),
    ],
)
def test_recipes_have_the_sizes_of_the_paper(recipe, size, classes, generator, discriminator):
    """Huang et al. 2024, Table 9, in millions."""
    config = composed("run=x", f"experiment={recipe}_r3gan", *path_of(recipe))
    for side, millions in zip(SIDES, (generator, discriminator), strict=True):
        node = dict(config["model"]["networks"][side])
        assert round(count(node, size, classes) / 1e6, 2) == millions


# Table 9: (burn-in, batch, gamma, half-life of the average, duration, p of augmentation), in images
PUBLISHED = {
    "cifar10": (2e7, 512, 0.05, 5e6, 250e6, 0.55),
    "ffhq64": (2e7, 256, 2.0, 5e5, 100e6, 0.3),
    "ffhq256": (2e7, 256, 150.0, 5e5, 200e6, 0.3),
    "imagenet32": (2e8, 4096, 0.5, 5e7, 1000e6, 0.5),
    "imagenet64": (2e8, 4096, 1.0, 5e7, 1000e6, 0.4),
}


@pytest.mark.parametrize("recipe", PUBLISHED)
def test_recipes_have_the_schedules_of_the_paper(recipe):
    burn_in, batch, gamma, half_life, duration, p = PUBLISHED[recipe]
    config = validate(composed("run=x", f"experiment={recipe}_r3gan", *path_of(recipe)))
    assert config.batch_size == batch
    assert config.steps == pytest.approx(duration / batch, abs=1)
    half, end = round(burn_in / batch / 2), math.ceil(burn_in / batch)
    schedules = {
        config.optimizer["lr"]: (2e-4, 5e-5),
        config.optimizer["betas"][1]: (0.9, 0.99),
        config.loss.penalties["r1"]["weight"]: (gamma, gamma / 10),
        config.loss.penalties["r2"]["weight"]: (gamma, gamma / 10),
        config.ema.half_life: (0, half_life),
        config.augment["p"]: (0, p),
    }
    for schedule, (first, last) in schedules.items():
        assert schedule(0) == pytest.approx(first)
        assert schedule(half) == pytest.approx((first + last) / 2, rel=1e-3)
        assert schedule(end) == schedule(config.steps) == pytest.approx(last)
    assert config.optimizer["betas"][0](0) == 0
    for step in range(1, 3 * end, 997):  # the average is nowhere limited by its warm-up
        assert config.ema.half_life(step) <= config.ema.warmup * step * batch


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_moves_every_layer(precision, tmp_path):
    """The blocks start as identities, so it takes three steps until all weights have a gradient."""
    words = ("model=r3gan", *SMALL, "steps=4", f"device.precision={precision}")
    config = small(*words, "device.channels_last=true")
    run = trained(config, tmp_path)
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())
    torch.manual_seed(config.seed)
    before = {side: dict(untrained(run, side).named_parameters()) for side in SIDES}
    for side in SIDES:
        for name, parameter in run.game.networks[side].named_parameters():
            assert not torch.equal(parameter, before[side][name]), (side, name)


def untrained(run: Run, side: str) -> nn.Module:
    node = dict(run.config.model.networks[side])
    return networks.build(node, run.dataset.spec, where="it")


def test_a_conditional_run_continues_exactly(tmp_path):
    words = (
        "model=r3gan", *SMALL, "model.networks.generator.conditioning=concat",
        "model.networks.discriminator.conditioning=projection", "every.checkpoint=2",
    )  # fmt: skip
    whole = tensors_of(trained(small(*words, "steps=4"), tmp_path / "whole"))
    trained(small(*words, "steps=2"), tmp_path / "parts")
    parts = tensors_of(trained(small(*words, "steps=4"), tmp_path / "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
