"""Interpolations: ways through latents, closed and open, and the films of them."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import gan_cli
from gan_cli.checkpoints.choice import run_folder
from gan_cli.data.spec import Spec, image_spec
from gan_cli.networks import networks
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.sampling.walks import walk
from gan_cli.utils.errors import ConfigError
from tests import checkpoint_files
from tests.checkpoint_files import Deaf

WAYS = ("slerp", "linear", "cubic")


def latents(count, length=64):
    return torch.randn(count, length, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("prior", ["normal", "uniform"])
@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_passes_through_the_latents_exactly(way, loop, prior):
    for count in (2, 3, 7):
        for between in (1, 4):
            ends = latents(count)
            path = walk(ends, between, prior, way, loop)
            stops = torch.cat([ends, ends[:1]]) if loop else ends
            assert len(path) == (len(stops) - 1) * (between + 1) + 1
            assert torch.equal(path[:: between + 1], stops)


def kinks(path, count, between):
    """The change of the velocity at each latent of a loop, as a share of the speed."""
    velocity = path.diff(dim=0)  # (N, D)
    before = velocity[torch.arange(count) * (between + 1) - 1]  # -1 is the last one: the seam
    after = velocity[torch.arange(count) * (between + 1)]
    shares: torch.Tensor = (after - before).norm(dim=1) / velocity.norm(dim=1).mean()
    return shares.numpy()


@pytest.mark.parametrize("prior", ["normal", "uniform"])
@pytest.mark.parametrize("count", [3, 5])
def test_only_the_cubic_loop_has_no_kinks_its_seam_included(count, prior):
    between = 399
    ends = latents(count).double()
    smooth = walk(ends, between, prior, "cubic", loop=True)
    assert kinks(smooth, count, between).max() < 0.02
    fine = walk(ends, 2 * between + 1, prior, "cubic", loop=True)
    finer = kinks(fine, count, 2 * between + 1).max()
    assert finer == pytest.approx(kinks(smooth, count, between).max() / 2, rel=0.1)
    for way in ("slerp", "linear"):
        assert kinks(walk(ends, between, prior, way, loop=True), count, between).min() > 0.2


def test_the_cubic_way_through_points_of_a_circle_is_the_circle():
    angles = torch.arange(12) * 2 * math.pi / 12
    ends = torch.stack([angles.cos(), angles.sin()], 1)
    path = walk(ends, 9, "uniform", "cubic", loop=True)
    assert path.norm(dim=1) == pytest.approx(torch.ones(121), abs=1e-3)
    turned = torch.atan2(path[:, 1], path[:, 0])[:60]
    assert turned == pytest.approx(torch.arange(60) * 2 * math.pi / 120, abs=1e-3)


def test_the_cubic_way_through_points_of_a_line_is_the_line():
    ends = torch.arange(5.0)[:, None] * torch.tensor([[1.0, -2]])
    path = walk(ends, 3, "uniform", "cubic")
    assert path == pytest.approx(torch.arange(17)[:, None] / 4 * torch.tensor([[1.0, -2]]))


def test_of_a_normal_prior_the_cubic_way_keeps_the_variance():
    """Sums of independent normal numbers do so if the weights have length 1."""
    for loop in (False, True):
        weights = walk(torch.eye(6), 7, "normal", "cubic", loop)
        assert weights.norm(dim=1) == pytest.approx(torch.ones(len(weights)), abs=1e-6)
        assert walk(torch.eye(6), 7, "uniform", "cubic", loop).norm(dim=1).min() < 0.9


class Show(nn.Module):
    """Shows its latent."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.prior, self.shape, self.latent_dim = "normal", spec.shape, math.prod(spec.shape)
        self.weight = nn.Parameter(torch.tensor(0.3))

    def forward(self, latent, label=None):
        return (self.weight * latent).view(-1, *self.shape)


@pytest.fixture
def show(monkeypatch, tmp_path):
    monkeypatch.setitem(networks.entries, "show", Show)
    monkeypatch.setitem(networks.entries, "deaf", Deaf)
    monkeypatch.chdir(tmp_path)
    nodes = {"generator": {"name": "show"}, "discriminator": {"name": "deaf"}}
    return checkpoint_files.write(checkpoint_files.state_of(nodes, image_spec((1, 4, 4))))


def sampled(**keys):
    keys = {"run": "x", "device": {"accelerator": "cpu"}, "output": "out", **keys}
    perform(checked_options(keys), run_folder("x"))
    return {path.name: path for path in Path(keys["output"]).iterdir()}


@pytest.mark.parametrize("way", WAYS)
def test_a_film_of_a_loop_does_not_show_its_first_frame_twice(show, way):
    files = sampled(seeds=[0, 1, 2], interpolate=3, loop=True, way=way, format=["gif", "strip"])
    assert Image.open(files["walk.gif"]).n_frames == 3 * 4
    strip = np.asarray(Image.open(files["strip.png"]))
    assert strip.shape == (3 * 6 - 2, 5 * 6 - 2)
    assert np.array_equal(strip[12:16, 24:28], strip[:4, :4])  # the end is the beginning
    assert np.array_equal(strip[:4, 24:28], strip[6:10, :4])
    assert Image.open(sampled(seeds=[0, 1], interpolate=3, format="gif", output="open")["walk.gif"])


def test_frames_are_those_of_the_way(show):
    frames = gan_cli.load("x").interpolate([4, 9, 2], between=3, way="cubic", loop=True)
    ends = gan_cli.load("x").sample(seeds=[4, 9, 2])
    assert len(frames) == 3 * 4
    assert torch.equal(frames[::4], ends)
    plain = gan_cli.load("x").interpolate([4, 9, 2], between=3)
    assert len(plain) == 2 * 4 + 1
    assert not torch.equal(frames[:9], plain)
    with pytest.raises(ConfigError, match="way: unknown way 'cubik'; did you mean 'cubic'"):
        gan_cli.load("x").interpolate([4, 9], way="cubik")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"loop": True}, "loop: is for interpolations; add interpolate=8"),
        ({"way": "cubic"}, "way: is for interpolations; add interpolate=8"),
        ({"way": "spline", "interpolate": 3}, "way"),
        ({"loop": True, "task": "film"}, "loop: does nothing with task=film"),
        ({"loop": True, "interpolate": 3, "seeds": [1]}, "name two or more"),
    ],
)
def test_a_way_without_an_interpolation_is_refused(show, keys, told):
    with pytest.raises(ConfigError, match=told):
        sampled(**keys)
