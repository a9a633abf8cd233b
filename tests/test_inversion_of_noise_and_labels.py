"""Inversion with conditional generators, and with the noise of StyleGAN2's layers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_cli.checkpoints.choice import opened, run_folder
from gan_cli.data.spec import image_spec
from gan_cli.games.request import Request
from gan_cli.sampling.model import Model
from gan_cli.sampling.noise_maps import correlation, maps_of, standardize
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.utils.errors import ConfigError
from tests import checkpoint_files
from tests.stylegan2_networks import SHORT, TINY

STYLED = {"name": "stylegan2_generator", **TINY, **SHORT}
PLAIN = {"name": "mlp_generator", "latent_dim": 4, "width": 8, "depth": 1, "norm": "none"}
DISCRIMINATOR = {"name": "mlp_discriminator", "width": 4, "depth": 1}
CPU = {"accelerator": "cpu"}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def saved(generator, classes=0, strength=0.0):
    """A run outputs/x whose classes differ, with this strength of noise in all layers."""
    nodes = {"generator": generator, "discriminator": DISCRIMINATOR}
    if classes:
        nodes["discriminator"] = {**DISCRIMINATOR, "conditioning": "projection"}
    state = checkpoint_files.state_of(nodes, image_spec((1, 8, 8), classes))
    for name, tensor in state["networks"]["generator"].items():
        if name.endswith("to_image.weight"):
            tensor *= 0.3
        if name.endswith(".strength"):
            tensor.fill_(strength)
    checkpoint_files.write(state | {"averages": state["networks"]})


def model() -> Model:
    return Model(opened(checked_options({"run": "x"}), run_folder("x")))


def asked(**keys):
    """The values of inversions.json by method, and the arrays."""
    output = f"out-{len(list(Path().iterdir()))}"
    words = {"run": "x", "task": "invert", "input": "in.npz", "device": CPU, "output": output}
    perform(checked_options({**words, "candidates": 16, **keys}), run_folder("x"))
    values = json.loads(Path(output, "inversions.json").read_text())
    return values, np.load(Path(output, "inversions.npz"))


def write_samples(classes=None, count=4, **arrays):
    """Writes in.npz with samples of the run."""
    label = None if classes is None else torch.tensor(classes)
    samples = model().draw(Request(range(count), label))
    np.savez("in.npz", images=samples.permute(0, 2, 3, 1).numpy(), **arrays)


# ---- Labels


@pytest.mark.parametrize(("generator", "space"), [(PLAIN, "z"), (STYLED, "w")])
def test_images_are_inverted_with_their_class(generator, space):
    saved({**generator, "conditioning": "concat"}, classes=3)
    labels = [2, 0, 2, 1]
    write_samples(labels, labels=np.array(labels))
    right, arrays = asked(steps=50, space=space)
    assert arrays["labels"].tolist() == labels
    assert right["optimization"]["mse"] < 3e-3
    code = torch.from_numpy(arrays["optimization"])
    if space == "z":  # in the order of the images
        rebuilt = model().game.networks["generator"](code, torch.tensor(labels))
        images = torch.from_numpy(np.load("in.npz")["images"]).permute(0, 3, 1, 2) / 127.5 - 1
        assert (rebuilt - images).square().mean() < 3e-3


def test_a_typed_class_is_that_of_all_images():
    saved({**PLAIN, "conditioning": "concat"}, classes=3)
    write_samples([1, 1, 1, 1])
    with pytest.raises(ConfigError, match=r"^label: the generator takes the class.*label=NAME"):
        asked()
    one, arrays = asked(label=1, steps=60)
    repeated, again = asked(label=[1, 1], steps=60)
    assert np.array_equal(arrays["optimization"], again["optimization"])
    assert one["optimization"]["mse"] == repeated["optimization"]["mse"]
    with pytest.raises(ConfigError, match=r"^label: unknown class 3"):
        asked(label=3)


def test_a_generator_without_labels_takes_none():
    saved(PLAIN)
    write_samples()
    with pytest.raises(ConfigError, match=r"^label: the model was trained without labels"):
        asked(label=1)


# ---- Noise


def test_correlations_of_neighbours_are_those_of_known_maps():
    row = torch.arange(16) % 2 * 2.0 - 1
    board = (row[:, None] * row[None])[None, None]  # 1 and -1 in turn
    ones = torch.ones(1, 1, 16, 16)
    assert correlation([board]).item() == 2 * 256  # halves of it are 0
    assert correlation([ones]).item() == 2 * 256 + 2 * 4**2 * 64  # its half consists of twos
    assert correlation([ones[:, :, :8, :8], board]).item() == 2 * 64 + 2 * 256
    white = torch.randn(200, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert correlation([white]).mean().item() == pytest.approx(4, rel=0.2)


def test_maps_are_halvings_of_the_image_and_get_mean_0_and_variance_1():
    noise = torch.randn(3, 8 + 32 + 32) * 5 + 1
    maps = maps_of(noise, [8, 32, 32], (4, 8))
    assert [tuple(plane.shape) for plane in maps] == [(3, 1, 2, 4), (3, 1, 4, 8), (3, 1, 4, 8)]
    standardize(noise, [8, 32, 32])
    for plane in maps:  # views of the noise
        torch.testing.assert_close(plane.mean((1, 2, 3)), torch.zeros(3), atol=1e-6, rtol=0)
        torch.testing.assert_close(plane.square().mean((1, 2, 3)), torch.ones(3))


def test_noise_explains_what_no_style_does():
    saved(STYLED, strength=0.5)
    write_samples(count=2)
    plain, arrays = asked(steps=60)
    assert "optimization_noise" not in arrays
    noisy, arrays = asked(steps=60, noise_maps=True)
    assert noisy["optimization"]["mse"] < 0.7 * plain["optimization"]["mse"]
    sizes = model().game.networks["generator"].noise_sizes
    noise = torch.from_numpy(arrays["optimization_noise"])
    assert noise.shape == (2, sum(sizes))
    maps = maps_of(noise, sizes, (8, 8))
    assert correlation(maps).mean() < 2 * len(maps)  # less than by chance: still like noise


@pytest.mark.parametrize(("generator", "keys"), [(PLAIN, {}), (STYLED, {"space": "z"})])
def test_latents_have_no_noise_to_find(generator, keys):
    saved(generator)
    write_samples(count=2)
    with pytest.raises(ConfigError, match=r"^noise_maps: are found with styles"):
        asked(noise_maps=True, **keys)
