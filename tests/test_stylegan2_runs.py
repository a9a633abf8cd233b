"""StyleGAN2 in runs: its recipes, samples of seeds, truncation, every part in motion."""

import json
from functools import partial

import pytest
import torch

from gan_cli.data.spec import image_spec
from gan_cli.games.draw import draw_all
from gan_cli.games.request import Request
from gan_cli.losses import penalties
from gan_cli.networks import networks
from gan_cli.networks.layers.latent import seeded_latent
from gan_cli.training.run import Run
from gan_cli.utils.noise import Noise
from gan_cli.validation.validate import validate
from tests.helpers import composed, small, tensors_of, trained

SIDES = ("generator", "discriminator")
SMALL = (
    "model=stylegan2",
    "model.networks.generator.width=4",
    "model.networks.discriminator.width=4",
    "model.networks.generator.max_width=16",
    "model.networks.discriminator.max_width=16",
)
LABELLED = (
    "model.networks.generator.conditioning=concat",
    "model.networks.discriminator.conditioning=projection",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A run whose noise has an effect."""
    run = trained(small(*SMALL, "steps=3"), tmp_path_factory.mktemp("run"))
    for network in (run.game.networks["generator"], run.ema.networks["generator"]):
        for name, parameter in network.named_parameters():
            if name.endswith("strength"):
                torch.nn.init.constant_(parameter, 0.5)
    return run


# Recipe: size, parameters in millions, batch, gamma, images in millions, half-life, steps of R1
RECIPES = {
    "cifar10": (32, (19.95, 20.72), 64, 0.01, 100, 5e5),
    "ffhq256": (256, (24.77, 24.00), 64, 1.0, 25, 2e4),
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_are_those_of_the_authors(recipe):
    size, millions, batch, gamma, images, half_life = RECIPES[recipe]
    path = () if recipe == "cifar10" else ("dataset.path=images",)
    config = validate(composed("run=x", f"experiment={recipe}_stylegan2", *path))
    for side, expected in zip(SIDES, millions, strict=True):
        with torch.device("meta"):
            node = config.model.networks[side]
            network = networks.build(node, image_spec((3, size, size)), where="it")
        assert round(sum(p.numel() for p in network.parameters()) / 1e6, 2) == expected
    r1 = config.loss.penalties["r1"]
    assert (config.batch_size, r1["weight"](0), r1["every"]) == (batch, gamma, 16)
    assert config.steps * batch == images * 10**6
    assert (config.optimizer["lr"](0), config.loss.betas) == (2.5e-3, (0.0, 0.99))
    assert config.ema.half_life(config.steps) == half_life
    path_length = config.loss.penalties.get("path_length")
    assert (path_length is None) == (recipe == "cifar10")
    if path_length is not None:
        assert (path_length["weight"](0), path_length["every"]) == (2.0, 4)


def test_gamma_for_own_images_follows_the_rule_of_the_authors():
    config = validate(composed("run=x", "experiment=folder_stylegan2", "dataset.path=images"))
    expected = 0.0002 * config.dataset["size"] ** 2 / config.batch_size
    assert config.loss.penalties["r1"]["weight"](0) == pytest.approx(expected)
    assert config.augment["name"] == "ada"


def test_all_penalties_together_stay_finite_in_bfloat16(tmp_path):
    words = [f"loss.penalties.{name}.weight=0.1" for name in penalties.entries]
    words += [f"loss.penalties.{name}.every=1" for name in ("r1", "path_length")]
    config = small(*SMALL, *words, "steps=2", "every.log=1", "device.precision=bfloat16")
    assert config.loss.penalties.keys() == penalties.entries.keys()
    run = trained(config, tmp_path)
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())
    logged = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    told = {key.partition("/")[2] for key in logged}
    assert penalties.entries.keys() <= told


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("labels", [(), LABELLED])
def test_training_moves_every_parameter(precision, labels, tmp_path):
    config = small(*SMALL, *labels, "steps=3", f"device.precision={precision}")
    run = trained(config, tmp_path)
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())
    torch.manual_seed(config.seed)
    before = {
        side: networks.build(config.model.networks[side], run.dataset.spec, where="it")
        for side in SIDES
    }
    for side in SIDES:
        start = dict(before[side].named_parameters())
        for name, parameter in run.game.networks[side].named_parameters():
            assert not torch.equal(parameter, start[name]), (side, name)
    live, average = run.game.networks["generator"], run.ema.networks["generator"]
    assert live.w_avg.any()
    assert torch.equal(live.w_avg, average.w_avg)


def test_a_conditional_run_continues_exactly(tmp_path):
    words = (*SMALL, *LABELLED, "every.checkpoint=2")
    whole = tensors_of(trained(small(*words, "steps=4"), tmp_path / "whole"))
    trained(small(*words, "steps=2"), tmp_path / "parts")
    parts = tensors_of(trained(small(*words, "steps=4"), tmp_path / "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_a_seed_gives_the_same_bits_in_any_batch(run):
    together = draw_all(run.ema.game, Request(range(70)))
    backwards = draw_all(run.ema.game, Request(range(69, -1, -1)))
    assert torch.equal(together, backwards.flip(0))
    assert torch.equal(together[5:6], draw_all(run.ema.game, Request([5])))
    assert len(together.flatten(1).unique(dim=0)) == 70


def test_noise_of_a_seed_has_an_effect_and_is_its_own(run):
    generator = run.ema.networks["generator"]
    z = seeded_latent(generator, Noise([3]))
    same = z.expand(2, -1)
    noisy = draw_all(run.ema.game, Request([3, 4], latent=same))
    assert torch.equal(noisy[:1], draw_all(run.ema.game, Request([3])))
    assert not torch.equal(noisy[0], noisy[1])
    with torch.no_grad():
        assert not torch.equal(noisy[:1], generator(z))


def test_truncation_is_that_of_styles(run):
    generator = run.ema.networks["generator"]
    plain = draw_all(run.ema.game, Request(range(6)))
    half = draw_all(run.ema.game, Request(range(6), truncation=0.5))
    one = draw_all(run.ema.game, Request(range(6), truncation=1.0))
    torch.testing.assert_close(one, plain, rtol=1e-3, atol=1e-4)
    request = Request(range(6))
    z = seeded_latent(generator, request.noise)
    noise = Request(range(6)).layer_noise.normal(generator.noise_size)
    w = generator.mapping(z, None)
    styles = (generator.w_avg + (w - generator.w_avg) / 2)[:, None].expand(-1, generator.styled, -1)
    expected = generator.synthesis(styles, noise)
    torch.testing.assert_close(half, expected, rtol=1e-3, atol=1e-4)


def test_latents_of_a_generator_with_styles_are_not_truncated(run):
    generator = run.ema.networks["generator"]
    z, other = (seeded_latent(generator, Noise(range(9)), bound) for bound in (None, 0.1))
    assert torch.equal(z, other)


def test_whole_turns_are_compiled_without_a_break(tmp_path, monkeypatch):
    """With the path lengths' own derivative; traced and differentiated, but not made into C++."""
    compiled = partial(torch.compile, backend="aot_eager", fullgraph=True)
    monkeypatch.setattr(torch, "compile", compiled)
    words = (*SMALL, "dataset.size=8", "steps=2")
    eager = trained(small(*words), tmp_path / "eager").meters.first
    run = trained(small(*words, "device.compile=true"), tmp_path / "compiled")
    assert set(run.turns.compiled) == {
        ("generator", ("path_length",)),
        ("generator", ()),
        ("discriminator", (("r1",), False)),
        ("discriminator", ((), False)),
    }
    assert run.meters.first == pytest.approx(eager, rel=1e-4, abs=1e-6)
