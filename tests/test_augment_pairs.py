"""Critics that see several images of a sample: one draw moves all, colours change in one."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from gan_cli.augment import augments
from gan_cli.data.spec import Field, Spec
from gan_cli.games.build import check_kind
from gan_cli.games.game import Game
from gan_cli.losses import losses, penalties
from gan_cli.losses.objective import Objective
from gan_cli.utils.errors import ConfigError

SPEC = Spec({"real": Field("image", (3, 16, 16)), "edges": Field("image", (1, 16, 16))}, "real")
COLORS = ("brightness", "contrast", "luma_flip", "hue", "saturation", "noise", "cutout")
ALL = {"filter": 1.0, "noise": 1.0, "cutout": 1.0}


class Judge(nn.Module):
    """A critic of images with as many channels as the pair has, linear in each pixel."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(4, 16, 16))

    def forward(self, pair: Tensor) -> Tensor:
        return (pair * self.weight).flatten(1).sum(1)


class Paired(Game):
    """The critic of a game that makes `real` from `edges`."""

    critics, augments, augments_together = ("discriminator",), True, True

    def critic(self, role, batch):
        network = self.networks[role]
        return lambda real, edges: network(torch.cat(self.augment_together(real, edges), 1))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def game_of(augment: dict) -> Paired:
    penalty = {"r1": penalties.build({"name": "r1", "weight": 1.0}, where="")}
    objective = Objective(losses.build({"name": "wasserstein"}, where=""), penalty)
    game = Paired(nn.ModuleDict({"discriminator": Judge()}), objective)
    game.augment = augments.build(augment, where="augment")
    check_kind(game, SPEC, augment["name"])
    return game


def same_pairs(count: int = 12) -> tuple[Tensor, Tensor]:
    """Images whose first channel is the other image of the pair."""
    image = torch.randn(count, 3, 16, 16)
    return image, image[:, :1].clone()


@pytest.mark.parametrize(
    "augment",
    [
        {"name": "ada", "p": 0.8, **dict.fromkeys(COLORS, 0.0)},
        {"name": "diffaugment", "policy": ["translation"]},
        {"name": "none"},
    ],
    ids=lambda augment: augment["name"],
)
def test_all_images_are_moved_alike(augment):
    image, first = same_pairs()
    moved, given = game_of(augment).augment_together(image, first)
    torch.testing.assert_close(moved[:, :1], given, atol=1e-5, rtol=0)
    if augment["name"] != "none":
        assert (moved != image).flatten(1).any(1).sum() > 6


@pytest.mark.parametrize(
    "augment",
    [
        {"name": "ada", "p": 1.0, **dict.fromkeys(
            ("flip", "rotate90", "translation", "scale", "rotation", "anisotropy", "shift"), 0.0
        ), **ALL},
        {"name": "diffaugment", "policy": ["color", "cutout"]},
    ],
    ids=lambda augment: augment["name"],
)  # fmt: skip
def test_colors_change_in_the_sample_alone(augment):
    image, first = same_pairs()
    sample, given = game_of(augment).augment_together(image, first)
    assert torch.equal(given, first)
    assert (sample != image).flatten(1).any(1).all()


def test_any_number_of_images_may_be_given():
    ada = augments.build({"name": "ada", "p": 0.7}, where="")
    image = torch.randn(6, 3, 16, 16)
    sample, one, two = ada.together(image, image[:, :2], image[:, 1:])
    assert [len(x[0]) for x in (sample, one, two)] == [3, 2, 2]
    torch.testing.assert_close(one[:, 1], two[:, 0])


@pytest.mark.parametrize(
    "augment", [{"name": "ada", "p": 0.7}, {"name": "diffaugment"}], ids=lambda a: a["name"]
)
def test_penalties_differentiate_the_critic_by_both_images(augment):
    game = game_of(augment)
    due = game.objective.schedule(0)
    image, edges = torch.randn(8, 3, 16, 16), torch.randn(8, 1, 16, 16)
    critic = game.critic("discriminator", {})
    terms = game.objective.critic_terms(critic, (image, edges), (image, edges), due)
    terms.losses["r1"].backward()
    found = game.networks["discriminator"].weight.grad
    assert all((channel != 0).any() for channel in found)


# ---- Refusals


class Alone:
    kinds = frozenset({"image"})

    def __call__(self, samples):
        return samples


def test_an_augmentation_of_single_images_is_refused(monkeypatch):
    monkeypatch.setitem(augments.entries, "alone", Alone)
    with pytest.raises(ConfigError, match="'alone' cannot transform several images with one draw"):
        game_of({"name": "alone"})


def test_images_of_different_sizes_are_refused():
    game = game_of({"name": "ada", "p": 0.5})
    spec = replace(SPEC, fields={**SPEC.fields, "edges": Field("image", (1, 8, 8))})
    with pytest.raises(ConfigError, match=r"these differ: real \(16, 16\), edges \(8, 8\)"):
        check_kind(game, spec, "ada")
    game.augment = augments.build({"name": "none"}, where="")
    check_kind(game, spec, "none")
