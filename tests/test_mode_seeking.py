"""The mode-seeking penalty: its closed form, whose turn it is a term of, and what it does."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gan_cli.games.draw import draw_all
from gan_cli.games.gan import GAN
from gan_cli.games.request import Request
from gan_cli.losses import losses, penalties
from gan_cli.losses.mode_seeking import EPSILON
from gan_cli.losses.objective import Objective
from gan_cli.losses.penalty import GeneratorTurn
from gan_cli.utils.errors import ConfigError
from tests.helpers import built, small, tensors_of, trained
from tests.test_dann import config_of as dann

SEEKING = "loss.penalties.mode_seeking.weight=0.5"
NARROW = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
ENCODER = (*NARROW, "model.networks.encoder.width=8")


def penalty(generator, latent: Tensor) -> Tensor:
    build = penalties.build({"name": "mode_seeking"}, where="")
    return build(GeneratorTurn(generator, latent, generator(latent)))


@pytest.mark.parametrize("a", [2.0, -0.5, 1e-3, 0.0])
def test_of_a_linear_generator_it_is_the_inverse_of_its_slope(a):
    """G(z) = a z: 1 / (|a| + epsilon), whose slope is -sign(a) / (|a| + epsilon)^2."""
    slope = torch.tensor(a, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(0)
    latent = torch.randn(6, 3, dtype=torch.float64)
    value = penalty(lambda z: slope * z, latent)
    expected = 1 / (abs(a) + EPSILON)
    assert value.item() == pytest.approx(expected, rel=1e-5)
    (gradient,) = torch.autograd.grad(value, slope)
    sign = (a > 0) - (a < 0)
    assert gradient.item() == pytest.approx(-sign * expected**2, rel=1e-5)


def test_distances_are_means_over_what_a_sample_holds():
    """The same slope in one number as in images of many, each a copy of it."""
    latent = torch.randn(5, 1, generator=torch.Generator().manual_seed(0))
    images = penalty(lambda z: (3 * z).view(-1, 1, 1, 1).expand(-1, 2, 4, 4), latent)
    assert images.item() == pytest.approx(1 / (3 + EPSILON), rel=1e-5)


def test_pairs_are_neighbours_in_the_batch():
    torch.manual_seed(0)
    generator, latent = (
        nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 4)),
        torch.randn(5, 3),
    )
    made = generator(latent)
    moved = sum((made[i] - made[i - 1]).abs().mean() for i in range(5))
    apart = sum((latent[i] - latent[i - 1]).abs().mean() for i in range(5))
    expected = 1 / (moved / apart + EPSILON)
    torch.testing.assert_close(penalty(generator, latent), expected)


class Scaled(nn.Module):
    """G(z) = a z, shifted by the label, that notes what it is asked for."""

    latent_dim, prior, conditional = 2, "normal", True

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.25))
        self.seen: list[tuple[Tensor, Tensor | None]] = []

    def forward(self, latent, label=None):
        self.seen.append((latent, label))
        return self.a * latent + (0 if label is None else label[:, None])


class Judge(nn.Linear):
    auxiliary = False

    def forward(self, x, label=None):
        return super().forward(x).squeeze(1)


def game_of(weight: float = 2.0) -> GAN:
    torch.manual_seed(0)
    terms = {
        "mode_seeking": penalties.build({"name": "mode_seeking", "weight": weight}, where=""),
        "r1": penalties.build({"name": "r1"}, where=""),
    }
    objective = Objective(losses.build({"name": "nonsaturating"}, where=""), terms)
    return GAN(nn.ModuleDict({"generator": Scaled(), "discriminator": Judge(2, 1)}), objective)


def test_it_is_a_term_of_the_generators_turn_alone():
    game, batch = game_of(), {"real": torch.randn(6, 2)}
    turns = {turn.player: turn.loss(batch).losses for turn in list(game.turns(0))}
    assert set(turns["generator"]) == {"adversarial", "mode_seeking"}
    assert set(turns["discriminator"]) == {"adversarial", "r1"}
    assert turns["generator"]["mode_seeking"].item() == pytest.approx(2 / 0.25, rel=1e-3)
    turns["generator"]["mode_seeking"].backward()
    slope = game.networks["generator"].a.grad.item()
    assert slope == pytest.approx(-2 / 0.25**2, rel=1e-3)
    assert all(p.grad is None for p in game.networks["discriminator"].parameters())


def test_both_samples_of_a_pair_have_one_label():
    """Apart by their latents alone: with labels as far apart as 0 and 5, 1 / |a| all the same."""
    game, label = game_of(weight=1.0), torch.arange(6)
    game.objective.schedule(0)
    terms = game.generator_loss({"real": torch.randn(6, 2), "label": label}, ("mode_seeking",))
    assert terms.losses["mode_seeking"].item() == pytest.approx(1 / 0.25, rel=1e-3)
    (first, labels), (second, again) = game.networks["generator"].seen
    assert torch.equal(first.roll(1, 0), second)
    assert torch.equal(labels, label)
    assert torch.equal(again, label)


def logged(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "words",
    [
        ("model=dcgan", *NARROW),
        ("model=dcgan", *NARROW, "model.game.packing=2", "accumulate=2", "loss=wgan_gp"),
        ("model=cgan", *NARROW, "loss=r1"),
        ("model=acgan", *NARROW),
        ("model=unrolled", *NARROW, "model.game.unroll=2", "loss.penalties.r1.weight=1",
         "loss.critic_norm=none"),
        ("model=bigan", *ENCODER),
        ("model=latent_regressor", *ENCODER),
        ("model=mlp", *NARROW, "device.precision=bfloat16"),
    ],
)  # fmt: skip
def test_games_with_a_generator_play_for_it(words, tmp_path):
    run = trained(small(*words, SEEKING), tmp_path)
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())
    for line in logged(tmp_path):
        assert line["generator/mode_seeking"] > 0
        assert "discriminator/mode_seeking" not in line


def test_it_may_be_lazy_and_scheduled(tmp_path):
    lazy = "loss.penalties.mode_seeking={weight: {start: 1, end: 0, over: 4}, every: 2}"
    lines = logged(trained(small("model=mlp", *NARROW, lazy, "steps=6"), tmp_path).folder)
    assert ["generator/mode_seeking" in line for line in lines] == [True, False] * 3
    assert lines[0]["generator/mode_seeking"] > 0
    assert lines[4]["generator/mode_seeking"] == 0


def test_it_spreads_what_is_generated(tmp_path):
    """The same game with and without it: the samples of the same seeds lie further apart."""
    words = ("dataset=ring", "dataset.count=64", "model=mlp", *NARROW, "steps=60", "every.log=0")
    words += ("optimizer.players.generator.lr=3e-3",)
    runs = [
        trained(small(*words, f"loss.penalties.mode_seeking.weight={weight}"), tmp_path / str(i))
        for i, weight in enumerate((0, 1))
    ]
    spread = [draw_all(run.game, Request(range(64))).std(0).mean().item() for run in runs]
    assert spread[1] > 1.5 * spread[0]


def test_batch_norm_does_not_mind_it():
    """It couples samples itself, so the critic may keep its batch norm."""
    built(small("model=dcgan", *NARROW, SEEKING, "loss.critic_norm=batch"))


@pytest.mark.parametrize("model", ["dann", "dann_alternating"])
def test_a_game_without_generator_refuses_it(model):
    told = rf"loss\.penalties\.mode_seeking: is for a generator, .* game '{model}' trains none"
    with pytest.raises(ConfigError, match=told) as caught:
        dann(f"model={model}", SEEKING)
    assert len(str(caught.value).splitlines()) == 1
