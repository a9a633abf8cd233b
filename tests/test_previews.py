"""Previews during training: of the same seeds, of every kind, and the critics behind them."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan_cli.data.kinds import Context, kind_of
from gan_cli.data.sets import datasets
from gan_cli.data.spec import Field, vector_spec
from gan_cli.games.abilities import HasLogits
from gan_cli.games.build import build_game
from gan_cli.games.draw import draw_all, logits_function
from gan_cli.games.game import Game, PreviewContent
from gan_cli.games.request import Request
from gan_cli.training.previews import Previews
from tests.helpers import small, tensors_of, trained


def test_picture_of_longer_vectors_there_is_none():
    vectors, images = Field("vector", (3,)), Field("image", (1, 8, 8))
    context = Context(torch.zeros(5, 3))
    assert kind_of(vectors).picture(vectors, (torch.zeros(5, 3),), context) is None
    picture = kind_of(images).picture(images, (torch.zeros(4, 1, 8, 8),), Context())
    assert picture.shape == (18, 18, 1)


MLP = ("model=mlp", "dataset=ring", "dataset.count=64")


@pytest.mark.parametrize(
    ("words", "judges"),
    [
        ((), True),
        (("model.game.name=unrolled_gan",), True),
        (("model.networks.discriminator.conditioning=auxiliary",), True),
        (("model.networks.discriminator.conditioning=projection",), False),
        (("model.networks.discriminator.minibatch=std",), False),
        (("model.game.packing=2",), False),
    ],
)
def test_a_critic_judges_single_samples_or_says_that_it_cannot(words, judges):
    config = small(*MLP, *words)
    game = build_game(config.model, config.loss, config.augment, vector_spec(2, 8))
    assert isinstance(game, HasLogits)
    points = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    logits = game.logits(points)
    assert (logits is not None) == judges
    if logits is not None:
        assert not logits.requires_grad
        alone = torch.cat([game.logits(point[None]) for point in points])
        torch.testing.assert_close(logits, alone)
        assert torch.equal(logits_function(game)(points), logits)


@pytest.mark.parametrize("dataset", ["mixture1d", "ring"])
def test_a_run_draws_its_vectors(dataset, tmp_path):
    every = "every={log: 1, preview: 1, evaluate: 0, checkpoint: 0}"
    trained(small("model=mlp", f"dataset={dataset}", "dataset.count=64", every), tmp_path)
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == ["real-0000000.png", "samples-0000001.png", "samples-0000002.png"]


class Painter(nn.Module):
    """Paints its latent, and lighter the higher its label; with noise of the global stream."""

    latent_dim, prior, conditional = 16, "normal", True

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.norm = nn.BatchNorm1d(16)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        painted = self.norm(latent) * 0.01 + label[:, None] / 4 + 1e-4 * torch.randn_like(latent)
        return self.weight * painted.view(-1, 1, 4, 4)


class Paints(Game):
    """Samples of a Painter, and its real samples twice."""

    def sample(self, request: Request) -> Tensor:
        assert not self.networks.training
        assert not torch.is_grad_enabled()
        return self.networks["generator"](self.latent(request), request.label)

    def preview(self, batch: dict[str, Tensor]) -> dict[str, PreviewContent]:
        assert not self.networks.training
        halves = batch["real"].flatten(1).chunk(2)
        return {
            "pairs": (batch["real"], -batch["real"]),
            "cloud": {"first": halves[0], "second": halves[1]},
        }


def gallery(batch_size: int = 24) -> Previews:
    node = {"name": "synthetic", "size": 4, "channels": 1, "classes": 5, "count": 100}
    data = datasets.build(node, where="dataset")
    tensors = data.tensors()
    batches = (
        {
            "real": tensors["real"][start : start + batch_size] / 127.5 - 1,
            "label": tensors["label"][start : start + batch_size],
        }
        for start in range(0, 100, batch_size)
    )
    game = Paints(nn.ModuleDict({"generator": Painter()}))
    game.networks.train()
    return Previews(game, data, batches)


def test_samples_are_those_of_the_seeds_under_sorted_labels_of_the_first_data():
    previews = gallery()
    labels = datasets.build(
        {"name": "synthetic", "size": 4, "channels": 1, "classes": 5, "count": 100}, where="dataset"
    ).labels()[:64]
    name, picture = next(previews.pictures())
    assert name == "samples"
    assert picture.shape == (8 * 6 - 2, 8 * 6 - 2, 1)
    expected = draw_all(previews.game, Request(range(64), labels.sort().values))
    shades = ((expected + 1) * 127.5).round().clamp(0, 255).numpy()
    for i in (0, 1, 31, 63):
        top, left = 6 * (i // 8), 6 * (i % 8)
        assert np.array_equal(picture[top : top + 4, left : left + 4, 0], shades[i, 0])


def test_whatever_else_the_game_shows_has_a_picture_by_its_name():
    pictures = dict(gallery().pictures())
    assert list(pictures) == ["samples", "pairs", "cloud"]
    tile = pictures["pairs"]
    assert np.array_equal(tile[:4, :4].astype(int), 255 - tile[:4, 6:10].astype(int))
    assert pictures["cloud"].ndim == 3


def test_looking_leaves_no_trace_and_shows_the_same_again():
    previews = gallery()
    weights = {k: v.clone() for k, v in previews.game.networks.state_dict().items()}
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = dict(previews.pictures())
    assert torch.equal(torch.get_rng_state(), before)
    assert all(module.training for module in previews.game.networks.modules())
    for key, value in previews.game.networks.state_dict().items():
        assert torch.equal(value, weights[key])
    torch.manual_seed(6)
    for name, picture in previews.pictures():
        assert np.array_equal(picture, first[name])


@pytest.mark.parametrize("batch_size", [1, 7, 64, 100])
def test_as_many_samples_are_shown_in_whatever_batches_they_come(batch_size):
    previews = gallery(batch_size)
    assert {key: len(value) for key, value in previews.batch.items()} == {"real": 64, "label": 64}
    assert np.array_equal(next(previews.pictures())[1], next(gallery().pictures())[1])


def test_previews_do_not_change_a_training(tmp_path):
    every = "every={{log: 1, preview: {}, evaluate: 0, checkpoint: 0}}"
    words = ("model=cgan", "steps=3", "model.networks.generator.width=8")
    seen = trained(small(*words, every.format(1)), tmp_path / "seen")
    unseen = trained(small(*words, every.format(0)), tmp_path / "unseen")
    assert list((tmp_path / "seen" / "samples").iterdir())
    found, expected = tensors_of(seen), tensors_of(unseen)
    assert all(torch.equal(found[key], expected[key]) for key in expected)
