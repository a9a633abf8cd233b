"""Plots: what is handed to matplotlib, where it lands in the picture, and broken samples."""

import logging
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.signal import stft
from scipy.stats import norm, rankdata
from sklearn.decomposition import PCA

from gan_cli.data.sets import datasets
from gan_cli.data.sets.mixtures import Ring
from gan_cli.plots import density as density_module
from gan_cli.plots import scatter as scatter_module
from gan_cli.plots import sound as sound_module
from gan_cli.plots.critic_map import BANDS, HIGH, LOW, MIDDLE, grid_points, level_sets, ranks
from gan_cli.plots.density import BINS, density_plot, histogram, histogram_plot
from gan_cli.plots.figure import FAKE, FRAME, FRAME_BOTTOM, FRAME_LEFT, REAL, SIZE, Limits
from gan_cli.plots.scatter import embedding, points_plot, principal, scatter, transport_plan
from gan_cli.plots.sound import decibels, waveforms
from gan_cli.plots.text import COLUMNS, ELLIPSIS, UNKNOWN, drawable, font_characters, wrap
from gan_cli.plots.text import text_picture as text_plot

CPU = torch.device("cpu")
SQUARE = Limits(-1.0, 2.0, 4.0, 2.0)  # x from -1 to 3, y from 2 to 4
TOP = SIZE - FRAME_BOTTOM - FRAME  # rows of pixels above the frame
INSIDE = slice(TOP + 2, TOP + FRAME - 2), slice(FRAME_LEFT + 2, FRAME_LEFT + FRAME - 2)


@pytest.fixture
def figures(monkeypatch):
    """All figures that are drawn, as matplotlib has them."""
    drawn = []
    for module in (scatter_module, density_module, sound_module):
        original = module.to_array
        monkeypatch.setattr(module, "to_array", lambda f, o=original: drawn.append(f) or o(f))
    return drawn


def legend_of(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def near(picture, color, tolerance=12):
    return np.abs(picture.astype(int) - color).max(2) < tolerance


def normal(count, mean=0.0):
    """Quantiles of a normal distribution, (count, 1)."""
    quantiles = norm.ppf((np.arange(count) + 0.5) / count, mean)
    return torch.from_numpy(quantiles).float()[:, None]


# The figure


def test_matplotlib_is_imported_on_first_use_and_leaves_no_trace():
    script = """
import sys, logging, numpy, torch
from gan_cli.plots import density, scatter, sound, text
assert "matplotlib" not in sys.modules
points = torch.rand(9, 2)
first = scatter.scatter(points, points)
assert "matplotlib.pyplot" not in sys.modules
import matplotlib
before = dict(matplotlib.rcParams)
matplotlib.rcParams["axes.facecolor"] = "red"  # as a matplotlibrc may have it
numpy.testing.assert_array_equal(scatter.scatter(points, points), first)
assert matplotlib.rcParams["axes.facecolor"] == "red"
assert {**matplotlib.rcParams, "axes.facecolor": before["axes.facecolor"]} == before
assert logging.getLogger("matplotlib").level == logging.NOTSET
"""
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_the_font_cache_is_built_without_a_notice(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))
    script = """
import logging, torch
logging.basicConfig(level=logging.INFO)  # as hydra does
from gan_cli.plots.scatter import points_plot
points_plot(torch.rand(9, 2))
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert list(tmp_path.iterdir())  # there was no cache before


def test_a_failed_plot_restores_the_level_of_the_logger():
    with pytest.raises(ValueError, match="zip"):
        embedding({"a": torch.rand(2, 2), "b": torch.rand(2, 2), "c": torch.rand(2, 2)})
    assert logging.getLogger("matplotlib").level == logging.NOTSET


def test_limits_around_points():
    limits = Limits.around(torch.tensor([[0.0, 1.0], [8.0, 3.0], [math.nan, 0.0], [0.0, math.inf]]))
    assert (limits.left, limits.right) == pytest.approx((-1, 9))  # a tenth of 10 on both sides
    assert (limits.bottom, limits.top) == pytest.approx((-3, 7))
    points = torch.tensor([[0.0, 0.0], [-2.0, 0.0], [0.0, 8.0], [math.nan, 0.0], [0.0, math.inf]])
    assert limits.contains(points).tolist() == [True, False, False, False, False]
    for value in (0.0, 5.0, -1e12, 1e30):
        one = Limits.around(torch.full((3, 2), value))
        assert one.left < value < one.right
    assert Limits.around(torch.full((3, 2), math.nan)) == Limits(-0.5, -0.5, 1.0, 1.0)
    assert Limits.around(torch.empty(0, 2)) == Limits(-0.5, -0.5, 1.0, 1.0)


# The critic's level sets


def test_grid_points_go_row_by_row_from_the_top_left():
    points = grid_points(SQUARE, 2)
    assert points.tolist() == [[0.0, 3.5], [2.0, 3.5], [0.0, 2.5], [2.0, 2.5]]


def test_ranks_are_those_of_scipy():
    values = torch.tensor([3.0, 1.0, 3.0, 2.0, -5.0, 3.0, 1.0])
    np.testing.assert_allclose(ranks(values), (rankdata(values) - 0.5) / 7, rtol=1e-6)


def test_level_sets_have_equal_shares_and_run_from_orange_to_blue():
    colors = level_sets(SQUARE, lambda points: points[:, 0] ** 3, CPU)  # grows to the right
    assert colors.shape == (FRAME, FRAME, 3)
    assert colors.dtype == np.uint8
    assert near(colors[:, :24], LOW).all()
    assert near(colors[:, -24:], HIGH).all()
    middle = colors[FRAME // 2].astype(int)
    jumps = np.abs(np.diff(middle, axis=0)).sum(1)
    changes = np.nonzero(jumps > 0)[0]  # into and out of the lines between the bands
    starts = changes[np.diff(changes, prepend=-9) > 4]
    assert len(starts) == BANDS - 1
    np.testing.assert_allclose(np.diff(starts), FRAME / BANDS, atol=3)
    upright = level_sets(SQUARE, lambda points: points[:, 1], CPU)
    assert near(upright[:24], HIGH).all()  # large y is up


def test_level_sets_cover_equal_areas_however_large_the_logits_of_a_corner():
    def plunging(points):
        low = -1000 * (points - torch.tensor([-1.0, 2.0])).square().sum(1).mul(-9).exp()
        return low + points[:, 0] / 10 + points[:, 1]

    colors = level_sets(SQUARE, plunging, CPU)
    for color in (LOW, HIGH):
        assert near(colors, color, 4).mean() == pytest.approx(1 / BANDS, abs=0.02)


def test_a_constant_critic_is_undecided():
    colors = level_sets(SQUARE, lambda points: torch.full((len(points),), 0.3), CPU)
    assert (colors == MIDDLE).all()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_critic_that_is_not_finite_has_no_level_sets(value):
    assert level_sets(SQUARE, lambda points: points[:, 0] * value, CPU) is None
    assert level_sets(SQUARE, lambda points: None, CPU) is None


# Scatter plots


def test_scatter_puts_points_where_they_belong(figures):
    real = Ring(modes=4, count=400).tensors()["real"]
    fake = torch.tensor([[0.5, 0.5]]).repeat(20, 1)  # opaque together
    picture = scatter(real, fake)
    assert picture.shape == (512, 512, 3)
    assert picture.dtype == np.uint8
    below = picture.copy()
    below[:TOP] = 255  # without the legend
    rows, columns = np.nonzero(near(below, FAKE, 40))
    assert 300 < columns.mean() < 400  # a quarter right of the middle, and above it
    assert 130 < rows.mean() < 220
    assert near(below, REAL, 40).sum() > 100
    strayed = scatter(real, torch.cat([fake, torch.tensor([[9.0, 9.0], [math.nan, 0.0]])]))
    np.testing.assert_array_equal(picture[TOP:], strayed[TOP:])
    assert [legend_of(figure) for figure in figures] == [
        ["real", "fake"],
        ["real", "fake (2 outside)"],
    ]
    lines = figures[1].axes[0].get_lines()
    np.testing.assert_array_equal(lines[0].get_xydata(), real)
    np.testing.assert_array_equal(lines[1].get_xydata(), fake)


def test_scatter_has_the_limits_of_the_real_samples(figures):
    real = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    for fake in (real, real * 100, real * 0, real * math.nan):
        scatter(real, fake)
    assert len({(figure.axes[0].get_xlim(), figure.axes[0].get_ylim()) for figure in figures}) == 1
    limits = Limits.around(real)
    assert figures[0].axes[0].get_xlim() == (limits.left, limits.right)
    assert figures[0].axes[0].get_ylim() == (limits.bottom, limits.top)
    boxes = {tuple(figure.axes[0].get_window_extent().extents.round(6)) for figure in figures}
    assert boxes == {(FRAME_LEFT, FRAME_BOTTOM, FRAME_LEFT + FRAME, FRAME_BOTTOM + FRAME)}
    assert legend_of(figures[3]) == ["real", "fake (50 outside)"]


def test_scatter_lies_on_the_level_sets(figures):
    points = torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
    shaded = scatter(points, points, lambda x: x[:, 0])[INSIDE]
    assert near(shaded[:, :18], LOW).mean() > 0.5
    assert near(shaded[:, -18:], HIGH).mean() > 0.5
    assert legend_of(figures[0]) == ["real", "fake", "critic low", "critic high"]
    (image,) = figures[0].axes[0].get_images()
    expected = level_sets(Limits.around(points), lambda x: x[:, 0], CPU)
    np.testing.assert_array_equal(image.get_array(), expected)
    bare = near(shaded, LOW, 1) | near(shaded, HIGH, 1)  # pixel for pixel, apart from the dots
    assert (shaded[bare] == expected[2:-2, 2:-2][bare]).all(1).mean() > 0.98
    plain = scatter(points, points)
    np.testing.assert_array_equal(plain, scatter(points, points, lambda x: None))
    np.testing.assert_array_equal(plain, scatter(points, points, lambda x: x[:, 0] * math.nan))
    assert not near(plain[INSIDE], LOW).any()


@pytest.mark.parametrize("value", [0.0, -1e12, 1e30, math.nan, math.inf])
def test_a_collapsed_or_broken_generator_is_drawn(value, figures):
    real, fake = torch.rand(20, 2), torch.full((20, 2), value)
    scatter(real, fake)
    for plot in (points_plot, lambda x: histogram_plot(x[:, :1])):
        picture = plot(fake)[INSIDE]
        assert near(picture, FAKE, 60).any() or not math.isfinite(value)
        if not math.isfinite(value):
            assert legend_of(figures[-1]) == ["fake (20 outside)"]
    density_plot(real[:, :1], fake[:, :1], critic=lambda x: x[:, 0] * value)
    embedding({"source": real, "target": fake})
    embedding({"source": fake, "target": fake})
    assert principal(fake).shape == (20, 2)


def test_points_plot_shows_all_points(figures):
    points = torch.rand(30, 2)
    single = [0.6 * channel + 0.4 * 255 for channel in FAKE]  # a lone dot, on white
    assert near(points_plot(points)[INSIDE], single, 4).any()
    (line,) = figures[0].axes[0].get_lines()
    np.testing.assert_array_equal(line.get_xydata(), points)
    assert figures[0].axes[0].get_legend() is None


def test_transport_plan_draws_a_line_for_each_movement(figures):
    real, fake = torch.tensor([[0.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    along = transport_plan(real, fake, torch.eye(2) / 2)
    across = transport_plan(real, fake, torch.eye(2).flip(0) / 2)
    middle = slice(230, 290)
    assert along[middle, middle].min() > 200  # white, and perhaps the grid
    assert across[middle, middle].min() < 160  # two lines cross
    lines, *dots = figures[1].axes[0].collections
    segments = [segment.tolist() for segment in lines.get_segments()]
    assert segments == [[[0, 0], [1, 1]], [[0, 1], [1, 0]]]
    assert [len(group.get_offsets()) for group in dots] == [2, 2]


def test_dots_and_lines_of_a_plan_show_the_mass(figures):
    real, fake = torch.tensor([[0.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    transport_plan(real, fake, torch.tensor([[0.6, 0.2], [0.001, 0.199]]))
    lines, left, right = figures[0].axes[0].collections
    opacity = lines.get_colors()[:, 3]
    assert len(opacity) == 3  # what is under a hundredth of the largest is not drawn
    assert opacity[0] > opacity[1] == pytest.approx(opacity[2], abs=0.01)
    for dots, mass in ((left, (0.8, 0.2)), (right, (0.601, 0.399))):
        areas = dots.get_sizes()
        assert areas[0] / areas[1] == pytest.approx(mass[0] / mass[1], rel=1e-4)


def test_principal_components_are_those_of_scikit_learn():
    points = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)) @ torch.randn(6, 6)
    expected = PCA(2).fit_transform(points.double().numpy())
    np.testing.assert_allclose(principal(points).abs(), np.abs(expected), atol=1e-6)
    broken = torch.cat([points, torch.full((1, 6), math.nan)])
    np.testing.assert_allclose(principal(broken)[:-1].abs(), np.abs(expected), atol=1e-6)
    assert principal(broken)[-1].isnan().all()


def test_an_embedding_shows_both_groups(figures):
    points = {"source": torch.tensor([[0.0, 0.0]]), "target": torch.tensor([[1.0, 1.0]])}
    picture = embedding(points)[INSIDE].reshape(-1, 3).astype(int)
    blue, orange = (picture[:, i] - picture[:, 2 - i] for i in (2, 0))
    assert (blue > 20).sum() > 5
    assert (orange > 40).sum() > 5
    assert legend_of(figures[0]) == ["source", "target"]


# Histograms and densities


def test_histogram_is_a_density():
    edges = np.linspace(-4, 4, BINS + 1)
    heights = histogram(normal(5000), edges)
    assert heights.shape == (BINS,)
    assert heights @ np.diff(edges) == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(heights, norm.pdf((edges[1:] + edges[:-1]) / 2), atol=0.01)
    edges = np.linspace(0, 4, BINS + 1)  # shares are of all samples
    assert histogram(normal(5000), edges) @ np.diff(edges) == pytest.approx(0.5, abs=1e-3)


def test_density_plot_shows_which_side_the_samples_are_on(figures):
    real = normal(2000)
    apart = density_plot(real, normal(2000, mean=2.0))
    assert apart.shape == (512, 512, 3)
    left, right = (np.nonzero(near(apart[INSIDE], c, 40))[1].mean() for c in (REAL, FAKE))
    assert left < right - 60
    beyond = int((normal(2000, mean=2.0) > figures[0].axes[0].get_xlim()[1]).sum())
    assert beyond > 0
    assert legend_of(figures[0]) == ["real", f"fake ({beyond} outside)"]
    density = datasets.build(
        {"name": "mixture1d", "means": [0.0], "stds": [1.0], "weights": [1.0], "count": 1},
        where="dataset",
    ).density()
    known = density_plot(real, normal(2000, mean=2.0), density.log)
    assert near(known[INSIDE], REAL, 40).sum() > 500
    curve = figures[1].axes[0].get_lines()[0].get_xydata()
    np.testing.assert_allclose(curve[:, 1], norm.pdf(curve[:, 0]), atol=1e-6)
    judged = density_plot(real, normal(2000), density.log, lambda x: x[:, 0])
    assert (judged != density_plot(real, normal(2000), density.log)).any()
    span = figures[2].axes[0].get_xlim()
    assert legend_of(figures[2]) == ["real", "fake", f"critic, {span[0]:.3g} to {span[1]:.3g}"]
    top = figures[2].axes[0].get_ylim()[1]
    line = figures[2].axes[0].get_lines()[1].get_ydata()
    assert (line[0] / top, line[-1] / top) == pytest.approx((0.05, 0.95), abs=1e-5)


def test_a_collapsed_generator_stays_in_the_picture(figures):
    picture = density_plot(normal(500), torch.zeros(500, 1))
    density_plot(normal(500), normal(500))
    collapsed, other = (figure.axes[0] for figure in figures)
    assert (collapsed.get_xlim(), collapsed.get_ylim()) == (other.get_xlim(), other.get_ylim())
    assert near(picture[TOP + 2 : TOP + 26, 240:300], FAKE, 40).any()  # up to the upper edge
    above = near(picture[: TOP - 1], FAKE, 40)
    assert not above[:, 200:].any()  # and not beyond it, where only the legend is
    assert legend_of(figures[0]) == ["real", "fake"]


def test_samples_that_are_not_numbers_are_outside(figures):
    fake = normal(100)
    fake[:3] = torch.tensor([[math.nan], [math.inf], [-math.inf]])
    density_plot(normal(500), fake)
    assert legend_of(figures[0]) == ["real", "fake (3 outside)"]


# Sound


RATE = 8000


def sines(*frequencies, amplitude=1.0, seconds=1.0):
    time = torch.arange(int(RATE * seconds)) / RATE
    return torch.stack([amplitude * (2 * math.pi * f * time).sin()[None] for f in frequencies])


@pytest.mark.parametrize("frequency", [500.0, 1000.0, 3000.0])
def test_decibels_of_a_sine(frequency):
    values = decibels(sines(frequency)[0], RATE)
    middle = values[:, values.shape[1] // 2]
    assert middle.argmax() / len(middle) * RATE / 2 == pytest.approx(frequency, abs=60)
    quieter = decibels(sines(frequency, amplitude=0.01)[0], RATE)
    difference = middle - quieter[:, values.shape[1] // 2]
    assert difference[middle.argmax()] == pytest.approx(40, abs=0.1)
    assert -4 < middle.max() <= 0.1  # a sine of amplitude 1 has 0 dB, less where cells are joined


def test_decibels_agree_with_scipy():
    sound = torch.randn(1, 1000, generator=torch.Generator().manual_seed(0))
    values = decibels(sound, RATE)  # 1000 / 8 samples a frame, to a power of two: 128
    spectrum = stft(sound[0].numpy(), window="hann", nperseg=128, noverlap=96)[2]
    expected = 20 * np.log10(2 * np.abs(spectrum))
    assert values.shape == (65, 32)
    np.testing.assert_allclose(values[:, 2:-2], expected[:, 2:30], atol=0.01)


def test_waveforms_are_drawn_in_a_grid(figures):
    picture = waveforms(sines(*range(100, 2100, 100)), RATE)
    assert picture.shape == (768, 768, 3)
    assert picture.dtype == np.uint8
    axes = figures[0].axes
    assert len(axes) == 2 * 16  # of 20
    assert [a.get_xlabel() for a in axes[1::2]] == [""] * 12 + ["s"] * 4
    assert [a.get_ylabel() for a in axes[1::2]] == ["Hz", "", "", ""] * 4
    for upper, lower in zip(axes[::2], axes[1::2], strict=True):
        assert upper.get_window_extent().y0 >= lower.get_window_extent().y1 - 1
        assert upper.get_xlim() == lower.get_xlim() == (0, 1)
        assert lower.get_ylim() == (0, RATE / 2)
    levels = [a.get_images()[0].get_array() for a in axes[1::2]]
    peaks = [level[:, level.shape[1] // 2].argmax() for level in levels]
    assert peaks == sorted(peaks)
    assert peaks[0] < peaks[-1]
    assert near(picture, REAL, 20).sum() > 1000


def test_a_waveform_is_the_range_of_the_sound(figures):
    sound = torch.zeros(1, 2, 1000)
    sound[0, 0, 500], sound[0, 1, 250] = 0.5, -0.75  # in either channel
    waveforms(sound, 1000)
    (band,) = figures[0].axes[0].collections
    outline = band.get_paths()[0].vertices
    assert outline[outline[:, 1].argmax()] == pytest.approx((0.5, 0.5), abs=0.005)
    assert outline[outline[:, 1].argmin()] == pytest.approx((0.25, -0.75), abs=0.005)


@pytest.mark.parametrize("length", [1, 2, 7, 100, 20_000])
@pytest.mark.parametrize("value", [0.0, 7.0, math.nan, math.inf])
def test_any_sound_is_drawn(length, value):
    sound = np.full((2, 1, length), value, np.float32)
    assert waveforms(sound, 16_000).shape == (768, 768, 3)


def test_no_sound_is_an_empty_picture():
    assert (waveforms(torch.zeros(0, 1, 100), 100) == 255).all()


# Text


def test_lines_are_wrapped_and_cut():
    assert wrap("", 3) == [""]
    assert wrap("x" * COLUMNS, 1) == ["x" * COLUMNS]
    assert wrap("x" * COLUMNS + "y", 1) == ["x" * (COLUMNS - 1) + ELLIPSIS]
    assert wrap("x" * COLUMNS + "y", 2) == ["x" * COLUMNS, "y"]
    assert wrap("a  b" * 100, 2)[0] == ("a  b" * 100)[:COLUMNS]
    assert wrap("a  b" * 100, 2)[1][-1] == ELLIPSIS


def test_what_the_font_lacks_is_replaced():
    known = font_characters()
    assert {ord(UNKNOWN), ord(ELLIPSIS)} <= known
    assert drawable("a\tb", known) == "a   b"
    assert drawable("\x00\ud800\N{GRINNING FACE}", known) == UNKNOWN * 3
    assert drawable("Straße, naïve, Жук, Ω", known) == "Straße, naïve, Жук, Ω"


def test_text_is_drawn_row_by_row():
    dark = (text_plot(["one", "two", "", "three"]) < 128).any((1, 2))
    rows = dark.reshape(32, 16).any(1)
    assert rows.tolist() == [True, True, False, True] + [False] * 28
    wide = (text_plot(["M" * 500]) < 128).any((0, 2))
    assert wide.any()
    assert not wide[:8].any()  # within the margins
    assert not wide[-8:].any()
    assert (text_plot(["x"] * 32) < 128).any((1, 2)).reshape(32, 16).any(1).all()
    np.testing.assert_array_equal(text_plot(["x"] * 40), text_plot(["x"] * 32))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "line",
    [
        "",
        "$x^2$ $\\frac{",
        "\ud800",
        "\x00\x07\r\n\u2028",
        "日本語",
        "\u202e\u0645\u0631",
        "👩‍👩‍👧",
        "a" + "\u0301" * 99,
    ],
)
def test_any_unicode_is_drawn(line):
    assert text_plot([line, line * 50]).shape == (512, 512, 3)


def test_no_text_is_an_empty_picture():
    assert (text_plot([]) == 255).all()
