"""What is drawn of vectors while a run goes on: densities on the line, level sets in the plane."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from gan_cli.data.sets import datasets
from gan_cli.data.spec import Spec
from gan_cli.games.game import Judges
from gan_cli.plots.canvas import Limits
from gan_cli.plots.critic_map import BANDS, HIGH, LOW, level_sets, plane
from gan_cli.plots.density import BINS, density_plot, histogram
from gan_cli.plots.scatter import FAKE, REAL, scatter
from gan_cli.training.build import build_game
from gan_cli.training.previews import picture_of
from tests.helpers import small, trained

CPU = torch.device("cpu")
SQUARE = Limits(-1.0, 2.0, 4.0, 2.0)  # x from -1 to 3, y from 2 to 4


def samples(count, mean=0.0):
    quantiles = norm.ppf((np.arange(count) + 0.5) / count, mean)
    return torch.from_numpy(quantiles).float()[:, None]


def near(picture, color, tolerance=12):
    return np.abs(picture.astype(int) - color).max(2) < tolerance


def test_plane_goes_row_by_row_from_the_top_left():
    points = plane(SQUARE, 2)
    assert points.tolist() == [[0.0, 3.5], [2.0, 3.5], [0.0, 2.5], [2.0, 2.5]]


def test_level_sets_have_equal_shares_and_run_from_orange_to_blue():
    colors = level_sets(SQUARE, lambda points: points[:, 0] ** 3, CPU)  # grows to the right
    assert colors.shape == (960, 960, 3)
    assert near(colors[:, :50], LOW).all()
    assert near(colors[:, -50:], HIGH).all()
    middle = colors[500].astype(int)
    changes = np.nonzero(np.abs(np.diff(middle, axis=0)).sum(1) > 0)[0]  # into and out of lines
    starts = changes[::2]
    assert len(starts) == BANDS - 1
    np.testing.assert_allclose(np.diff(starts), 960 / BANDS, atol=6)
    upright = level_sets(SQUARE, lambda points: points[:, 1], CPU)
    assert near(upright[:50], HIGH).all()  # large y is up


def test_scatter_lies_on_the_level_sets():
    points = torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
    shaded = scatter(points, points, lambda x: x[:, 0])
    assert near(shaded[40:480, 42:60], LOW).mean() > 0.5
    assert near(shaded[40:480, 480:498], HIGH).mean() > 0.5
    plain = scatter(points, points)
    np.testing.assert_array_equal(plain, scatter(points, points, lambda x: None))
    assert not near(plain[40:480, 42:60], LOW).any()


def test_histogram_is_a_density():
    outline = histogram(samples(5000), torch.linspace(-4, 4, BINS + 1))
    assert outline.shape == (2 * BINS, 2)
    assert torch.trapezoid(outline[:, 1], outline[:, 0]).item() == pytest.approx(1, abs=1e-3)
    centres = (outline[::2, 0] + outline[1::2, 0]) / 2
    np.testing.assert_allclose(outline[::2, 1], norm.pdf(centres), atol=0.01)
    few = histogram(samples(5000), torch.linspace(0, 4, BINS + 1))  # shares are of all samples
    assert torch.trapezoid(few[:, 1], few[:, 0]).item() == pytest.approx(0.5, abs=1e-3)


def test_density_plot_shows_which_side_the_samples_are_on():
    real = samples(2000)
    apart = density_plot(real, samples(2000, mean=2.0))
    assert apart.shape == (512, 512, 3)
    body = apart[40:480]
    left, right = (np.nonzero(near(body, color, 40))[1].mean() for color in (REAL, FAKE))
    assert left < right - 60
    density = datasets.build(
        {"name": "mixture1d", "means": [0.0], "stds": [1.0], "weights": [1.0], "count": 1},
        where="dataset",
    ).density()
    known = density_plot(real, samples(2000, mean=2.0), density)
    assert near(known[40:480], REAL, 40).sum() > 500
    judged = density_plot(real, samples(2000), density, lambda x: x[:, 0])
    assert (judged != density_plot(real, samples(2000), density)).any()


def test_a_collapsed_generator_stays_in_the_picture():
    picture = density_plot(samples(500), torch.zeros(500, 1))
    assert (picture[:30, :60] == density_plot(samples(500), samples(500))[:30, :60]).all()
    assert near(picture[36:60, 240:300], FAKE, 40).any()  # up to the upper edge


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
