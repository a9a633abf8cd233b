"""Latents of single layers: truncation with a cutoff, style mixing, interpolation of styles."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import gan_cli
from gan_cli.checkpoints.choice import opened, run_folder
from gan_cli.data.spec import Spec, image_spec
from gan_cli.games.draw import draw_all
from gan_cli.games.request import Request
from gan_cli.games.spaces import at, points_of
from gan_cli.networks import networks
from gan_cli.networks.layers.latent import seeded_latent, truncated_styles
from gan_cli.sampling.layer_range import layers_of
from gan_cli.sampling.model import Model
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.lists import as_list
from gan_cli.utils.noise import Noise
from tests import checkpoint_files
from tests.checkpoint_files import Deaf
from tests.stylegan2_networks import SHORT, TINY, build, shaken

STRIPED = {"name": "striped"}
STYLED = {"name": "stylegan2_generator", **TINY, **SHORT}
SPEC = image_spec((3, 16, 16), 3, ("ant", "bee", "cat"))
LAYERS = 6  # of 16 x 16 pixels


class Striped(nn.Module):
    """Each part of the latent sets a row of the image; the label shifts all of them."""

    def __init__(self, spec: Spec, *, conditioning: str = "none", prior: str = "normal") -> None:
        super().__init__()
        self.latent_dim, self.prior, self.parts = 4, prior, [2, 1, 1]
        self.conditional = conditioning != "none"
        self.weight = nn.Parameter(torch.tensor(0.2))

    def forward(self, latent, label=None):
        rows = torch.stack([part.sum(1) for part in latent.split(self.parts, 1)], 1)
        shift = label[:, None] / 10 if self.conditional else 0
        rows = self.weight * rows + shift
        return rows.repeat_interleave(2, 1)[:, None, :, None].expand(-1, 1, 6, 6)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, network in {"deaf": Deaf, "striped": Striped}.items():
        monkeypatch.setitem(networks.entries, name, network)


def saved(node=STYLED, spec=SPEC):
    """The generator of a checkpoint of outputs/x, with noise and biases that have an effect."""
    torch.manual_seed(3)
    generator = networks.build(node, spec, where="model.networks.generator")
    generator = shaken(generator).eval()
    if hasattr(generator, "w_avg"):
        labels = torch.zeros(500, dtype=torch.long) if generator.conditional else None
        w = generator.mapping(torch.randn(500, generator.latent_dim), labels)
        generator.w_avg.copy_(w.mean(0).detach())
    live = {"generator": generator.state_dict()}
    nodes = {"generator": node, "discriminator": {"name": "deaf"}}
    checkpoint_files.write(checkpoint_files.state_of(nodes, spec, live=live, averages=live))
    return generator


def model():
    return Model(opened(checked_options({"run": "x"}), run_folder("x")))


def sampled(**keys):
    """Files by name, as gan-sample writes them for these keys, and its report."""
    keys.setdefault("output", f"out-{len(list(Path().iterdir()))}")
    keys = {"run": "x", "device": {"accelerator": "cpu"}, **keys}
    told = perform(checked_options(keys), run_folder("x"))
    return {path.name: path for path in Path(keys["output"]).iterdir()}, told


def images(**keys):
    files, _ = sampled(format="npz", **keys)
    return np.load(files["samples.npz"])["images"]


# ---- Truncation


@pytest.mark.parametrize("cutoff", [None, 1, 4, LAYERS])
@pytest.mark.parametrize("psi", [-1.0, 0.0, 0.5, 2.0])
def test_truncated_styles_are_the_formula_in_the_first_layers_only(psi, cutoff):
    styles, mean = torch.randn(5, LAYERS, 12), torch.randn(12)
    moved = truncated_styles(styles, mean, psi, cutoff)
    first = LAYERS if cutoff is None else cutoff
    expected = (1 - psi) * mean + psi * styles[:, :first]
    torch.testing.assert_close(moved[:, :first], expected)
    assert torch.equal(moved[:, first:], styles[:, first:])


def test_a_cutoff_keeps_what_the_later_layers_make_of_a_sample():
    """With psi = 0 all samples share the styles of the first layers."""
    generator = shaken(build("generator", (3, 16, 16))).eval()
    generator.w_avg.copy_(torch.randn(12))
    z = torch.randn(4, 8)
    images = partial(generator, z, truncation=0.0)
    assert images().std(0).max() < 1e-6
    spreads = [images(truncation_cutoff=k).std(0).mean().item() for k in range(1, LAYERS + 1)]
    assert spreads[-1] < 1e-6 < min(spreads[:-1])
    assert spreads[0] > spreads[-2]
    torch.testing.assert_close(images(truncation_cutoff=LAYERS), images())
    styles = generator.styles(z).clone()
    styles[:, :2] = generator.w_avg
    torch.testing.assert_close(images(truncation_cutoff=2), generator.synthesis(styles))


def test_samples_of_a_cutoff_are_those_of_the_network():
    generator = saved()
    request = Request(range(3))
    noise = request.layer_noise.normal(generator.noise_size)
    z = seeded_latent(generator, Noise(range(3)))
    expected = generator(z, None, noise, 0.5, 2).detach()
    drawn = draw_all(model().game, Request(range(3), truncation=0.5, truncation_cutoff=2))
    torch.testing.assert_close(drawn, expected, rtol=1e-4, atol=1e-5)
    by_task = images(count=3, truncation=0.5, truncation_cutoff=2)
    assert (
        np.abs(by_task - ((expected + 1) * 127.5).clamp(0, 255).permute(0, 2, 3, 1).numpy()).max()
        < 1
    )
    loaded = gan_cli.load("x", device="cpu").sample(3, truncation=0.5, truncation_cutoff=2)
    assert np.array_equal(loaded.permute(0, 2, 3, 1).numpy(), by_task)
    assert not np.array_equal(images(count=3, truncation=0.5), by_task)


def test_styles_have_any_psi_and_0_is_one_sample():
    generator = saved()
    for parameter in generator.parameters():
        parameter.requires_grad_(False)
    plain = draw_all(model().game, Request([0, 1], styles=generator.w_avg.expand(2, LAYERS, -1)))
    assert torch.equal(draw_all(model().game, Request([0, 1], truncation=0.0)), plain)
    assert len(images(count=2, truncation=-1.0)) == 2


@pytest.mark.parametrize(
    ("node", "keys", "told"),
    [
        (STYLED, {"truncation": 0.5, "truncation_cutoff": 7}, "is 7, and the generator has 6"),
        (STYLED, {"truncation_cutoff": 2}, "truncation_cutoff: is for truncation; add truncation"),
        (STRIPED, {"truncation": 0.5, "truncation_cutoff": 2}, "this generator has none"),
        (STRIPED, {"truncation": -0.5}, "truncation: must be above 0, got -0.5"),
        (STRIPED | {"prior": "uniform"}, {"truncation": 0.5}, "uniform prior has no tails"),
    ],
)  # fmt: skip
def test_truncation_that_a_generator_does_not_have(node, keys, told):
    saved(node)
    with pytest.raises(ConfigError, match=told):
        sampled(**keys)
    if "truncation" in keys:
        with pytest.raises(ConfigError, match=told):
            gan_cli.load("x", device="cpu").sample(2, **keys)


# ---- Mixing


def test_layers_are_thirds_or_numbers():
    assert [layers_of(third, 18) for third in ("coarse", "middle", "fine")] == [
        [0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11], [12, 13, 14, 15, 16, 17]
    ]  # fmt: skip
    for count in range(3, 20):
        parts = [layers_of(third, count) for third in ("coarse", "middle", "fine")]
        assert [i for part in parts for i in part] == list(range(count))
    assert layers_of(["0-2", 5], 8) == [0, 1, 2, 5]
    assert layers_of("0-2,2-3", 8) == [0, 1, 2, 3]
    assert layers_of(None, 3) == [0, 1, 2]
    assert as_list("layers=0-2,5") == "layers=[0-2,5]"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("course", "did you mean 'coarse'"),
        ("3-1", "runs backwards; type layers=1-3"),
        ("8", "8 is too large; the generator has layers 0 to 7"),
        ("-1", "layers: unknown choice '-1'"),
        ([], "layers: names none"),
    ],
)
def test_layers_that_do_not_exist(value, told):
    with pytest.raises(ConfigError, match=told):
        layers_of(value, 8)


def test_mixtures_have_the_styles_of_the_columns_in_the_layers():
    generator = saved()
    files, told = sampled(task="mix", seeds=[3, 4], styles=[7, 8, 9], layers="0-1")
    assert "layers 0, 1 of 6" in told
    arrays = np.load(files["mix.npz"])
    assert arrays["images"].shape == (6, 16, 16, 3)
    rows, columns = (
        generator.styles(seeded_latent(generator, Noise(s))) for s in ([3, 4], [7, 8, 9])
    )
    styles = rows[1].clone()
    styles[:2] = columns[2, :2]
    noise = Request([4]).layer_noise.normal(generator.noise_size)
    made = ((generator.synthesis(styles[None], noise) + 1) * 127.5).clamp(0, 255)[0]
    assert np.abs(arrays["images"][5] - made.detach().permute(1, 2, 0).numpy()).max() < 1
    assert Image.open(files["mix.png"]).size == (4 * 16 + 3 * 2, 3 * 16 + 2 * 2)


def test_all_layers_of_a_mixture_are_the_columns_sample_and_its_row_has_the_noise():
    saved()
    keys = {"task": "mix", "seeds": [3], "styles": [7], "truncation": 0.7}
    same = np.load(sampled(**{**keys, "styles": [3]})[0]["mix.npz"])["images"]
    assert np.abs(same.astype(int) - images(seeds=[3], truncation=0.7)).max() <= 1
    whole = np.load(sampled(**keys, layers="0-5")[0]["mix.npz"])["images"][0]
    game, far = model().game, Request([7], truncation=0.7)
    expected = draw_all(game, at(Request([3]), points_of(game, far, "w"), "w"))[0]
    stored = ((expected + 1) * 127.5).clamp(0, 255).permute(1, 2, 0).numpy()
    assert np.abs(whole - stored).max() < 1


def test_labels_of_both_sides_reach_a_mixture():
    saved(STYLED | {"conditioning": "concat"})
    keys = {"task": "mix", "seeds": [3], "styles": [7], "layers": "fine"}
    first, second = (
        np.load(sampled(**keys, label=label)[0]["mix.npz"])["images"]
        for label in (["ant", "ant"], ["bee", "bee"])
    )
    assert not np.array_equal(first, second)


def test_parts_of_a_latent_are_mixed_as_styles_are():
    saved(STRIPED, image_spec((1, 6, 6)))
    rows, columns = images(seeds=[3, 4]), images(seeds=[7, 8])
    made = np.load(sampled(task="mix", seeds=[3, 4], styles=[7, 8], layers="1")[0]["mix.npz"])
    mixed = made["images"].reshape(2, 2, 6, 6, 1)
    for i in range(2):
        for j in range(2):
            assert np.array_equal(mixed[i, j][[0, 1, 4, 5]], rows[i][[0, 1, 4, 5]])
            assert np.array_equal(mixed[i, j][2:4], columns[j][2:4])


def test_the_label_of_a_mixture_of_parts_is_the_rows():
    saved(STRIPED | {"conditioning": "embed"}, image_spec((1, 6, 6), 3))
    made = np.load(sampled(task="mix", seeds=[3], styles=[7, 8], layers="2")[0]["mix.npz"])
    rows = images(seeds=[3])
    assert np.array_equal(made["images"][1][:4], rows[0][:4])


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"styles": [7, 7]}, "styles: lists a seed twice"),
        ({"seeds": [7, 7]}, "seeds: lists a seed twice"),
        ({"layers": "9"}, "layers: 9 is too large; the generator has layers 0 to 5"),
        ({"interpolate": 3}, "interpolate: does nothing with task=mix"),
        ({"count": 3}, "count: does nothing with task=mix"),
    ],
)
def test_mixtures_that_cannot_be_made(keys, told):
    saved()
    with pytest.raises(ConfigError, match=told):
        sampled(task="mix", **keys)


def test_generators_without_latents_of_layers_are_not_mixed():
    saved({"name": "mlp_generator", "width": 4, "depth": 1}, image_spec((1, 4, 4)))
    with pytest.raises(ConfigError, match="'mix' needs a generator whose layers have latents"):
        sampled(task="mix")


# ---- Interpolation of styles


@pytest.mark.parametrize(
    "cut", [{}, {"truncation": 0.5}, {"truncation": 0.5, "truncation_cutoff": 2}]
)
def test_interpolated_styles_are_a_straight_line(cut):
    generator = saved()
    ends = points_of(model().game, Request([3, 4], **cut), "w")
    frames = gan_cli.load("x", device="cpu").interpolate([3, 4], 3, space="w", **cut)
    noise = Request([3]).layer_noise.normal(generator.noise_size)
    for i, frame in enumerate(frames):
        middle = ends[0] + (ends[1] - ends[0]) * i / 4
        made = ((generator.synthesis(middle[None], noise) + 1) * 127.5).clamp(0, 255)[0]
        assert (frame - made).abs().max() < 1
    strip = np.array(
        Image.open(sampled(seeds=[3, 4], interpolate=3, space="w", **cut)[0]["strip.png"])
    )
    tiles = [strip[:, 18 * i : 18 * i + 16] for i in range(5)]
    assert np.array_equal(tiles, frames.permute(0, 2, 3, 1).numpy())


def test_a_film_through_styles_closes_smoothly():
    saved()
    loaded = gan_cli.load("x", device="cpu")
    frames = loaded.interpolate([3, 4, 5], 3, space="w", way="cubic", loop=True)
    assert len(frames) == 12
    assert torch.equal(frames[0], loaded.interpolate([3, 4], 1, space="w")[0])
    closed = torch.cat([frames, frames[:1]]).float()
    steps = closed.diff(dim=0).abs().mean((1, 2, 3))
    assert steps[-1] < 3 * steps.mean()
    files, _ = sampled(
        seeds=[3, 4, 5], interpolate=3, space="w", way="cubic", loop=True, format="gif"
    )
    assert Image.open(files["walk.gif"]).n_frames == 12


@pytest.mark.parametrize(
    ("node", "keys", "told"),
    [
        (STYLED, {"space": "w", "way": "slerp"}, "way: slerp is for latents of a prior"),
        (STYLED, {"space": "wplus"}, "space: 'wplus' is for task=invert"),
        (STRIPED, {"space": "w"}, "space: 'w' is that of styles"),
        (STYLED, {"space": "w", "interpolate": None}, "space: is for interpolations"),
    ],
)
def test_spaces_that_do_not_fit(node, keys, told):
    saved(node)
    with pytest.raises(ConfigError, match=told):
        sampled(**{"interpolate": 2, "seeds": [0, 1], **keys})
