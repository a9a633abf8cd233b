"""Previews of vectors during training, and the critics that judge them."""

import pytest
import torch

from gan_cli.data.spec import Spec
from gan_cli.games.build import build_game
from gan_cli.games.game import Judges
from gan_cli.training.previews import picture_of
from tests.helpers import small, trained


def test_picture_of_longer_vectors_there_is_none():
    assert picture_of(torch.zeros(5, 3), {"real": torch.zeros(5, 3)}) is None
    assert picture_of(torch.zeros(4, 1, 8, 8), {}).shape == (18, 18, 1)


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
    game = build_game(small(*MLP, *words), Spec((2,), classes=8))
    assert isinstance(game, Judges)
    points = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    logits = game.judge(points)
    assert (logits is not None) == judges
    if logits is not None:
        assert not logits.requires_grad
        alone = torch.cat([game.judge(point[None]) for point in points])
        torch.testing.assert_close(logits, alone)


@pytest.mark.parametrize("dataset", ["mixture1d", "ring"])
def test_a_run_draws_its_vectors(dataset, tmp_path):
    every = "every={log: 1, preview: 1, evaluate: 0, checkpoint: 0}"
    trained(small("model=mlp", f"dataset={dataset}", "dataset.count=64", every), tmp_path)
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == ["samples-0000001.png", "samples-0000002.png"]
