"""gan-sample task=invert and task=attribute, on generators whose answers are known."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from gan_cli.checkpoints.choice import run_folder
from gan_cli.data.sets import datasets
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.spec import Spec, image_spec
from gan_cli.networks import networks
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.lists import as_list
from tests import checkpoint_files
from tests.checkpoint_files import Deaf

SHAPE = (1, 4, 4)
LATENT = 3
BASIS = torch.linalg.qr(torch.randn(16, LATENT, generator=torch.Generator().manual_seed(0)))[0]


class Plane(nn.Module):
    """G(z) = B z with orthonormal columns, shown as an image."""

    latent_dim = LATENT

    def __init__(self, spec: Spec, *, prior: str = "normal") -> None:
        super().__init__()
        self.weight, self.shape, self.prior = nn.Parameter(BASIS.clone()), spec.shape, prior

    def forward(self, latent, label=None):
        return (latent @ self.weight.T).view(-1, *self.shape)


class Half(nn.Module):
    """An encoder that answers with half of what is right."""

    latent_dim = LATENT

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.weight = nn.Parameter(BASIS.clone())

    def forward(self, image):
        return image.flatten(1) @ self.weight / 2


class Noise(InMemory):
    """Three classes of random images."""

    def __init__(self, *, count: int = 30, seed: int = 0) -> None:
        rng = torch.Generator().manual_seed(seed)
        images = torch.randint(0, 256, (count, *SHAPE), generator=rng, dtype=torch.uint8)
        tensors = {"real": images, "label": torch.arange(count) % 3}
        super().__init__(tensors, 3, ("zero", "one", "two"))


@pytest.fixture(autouse=True)
def workshop(monkeypatch, tmp_path):
    monkeypatch.setitem(networks.entries, "plane", Plane)
    monkeypatch.setitem(networks.entries, "half", Half)
    monkeypatch.setitem(networks.entries, "deaf", Deaf)
    monkeypatch.setitem(datasets.entries, "noise", Noise)
    monkeypatch.chdir(tmp_path)


def saved(*roles: str, prior: str = "normal") -> None:
    """Of a generator alone, or with an encoder that inverts it."""
    nodes = {"generator": {"name": "plane", "prior": prior}, "encoder": {"name": "half"}}
    known = {role: nodes[role] for role in roles}
    if "encoder" not in roles:
        known["discriminator"] = {"name": "deaf"}
    state = checkpoint_files.state_of(
        known,
        image_spec(SHAPE, 3),
        game="inversion" if "encoder" in roles else "gan",
        dataset={"name": "noise", "count": 30, "seed": 0},
    )
    checkpoint_files.write(state)


def asked(task: str, **keys) -> tuple[dict[str, Path], str]:
    keys = {"run": "x", "output": "out", "dataset": {"seed": 1}, **keys}
    options = checked_options({"task": task, "device": {"accelerator": "cpu"}, **keys})
    told = perform(options, run_folder("x"))
    return {path.name: path for path in Path("out").iterdir()}, told


def projected(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The best latents, and what of the images no latent explains: a mean square."""
    real = (Noise(count=count, seed=1).stacked["real"] / 127.5 - 1).flatten(1)
    best = real @ BASIS
    return best, (real - best @ BASIS.T).square().mean()


def test_every_way_ends_at_the_projection_and_the_encoder_is_told_apart():
    saved("generator", "encoder")
    files, told = asked("invert", dataset={"seed": 1, "count": 6}, steps=200)
    best, rest = projected(6)
    latents, values = (
        np.load(files["inversions.npz"]),
        json.loads(files["inversions.json"].read_text()),
    )
    for way in ("optimization", "encoder_and_optimization"):
        np.testing.assert_allclose(latents[way], best, atol=2e-3)
        assert values[way]["mse"] == pytest.approx(rest.item(), rel=1e-4)
    np.testing.assert_allclose(latents["encoder"], best / 2, atol=1e-5)
    expected = rest + (best / 2).square().sum(1).mean() / 16  # Pythagoras
    assert values["encoder"]["mse"] == pytest.approx(expected.item(), rel=1e-4)
    assert values["encoder"]["latent_mean_square"] == pytest.approx(best.square().mean().item() / 4)
    slower = values["encoder_and_optimization"]["seconds_per_image"]
    assert slower > values["encoder"]["seconds_per_image"]
    assert f"encoder: squared error {expected:.4f}" in told
    assert Image.open(files["inversions.png"]).size == (8 * 6 - 2, 3 * 6 - 2)


def test_latents_of_a_uniform_prior_stay_in_its_cube():
    saved("generator", prior="uniform")
    files, _ = asked("invert", dataset={"seed": 1, "count": 20}, steps=200)
    best, _ = projected(20)
    assert (best.abs() > 1).any()
    # Columns are orthonormal, so the nearest point of the cube is the projection, clamped.
    np.testing.assert_allclose(
        np.load(files["inversions.npz"])["optimization"], best.clamp(-1, 1), atol=2e-3
    )


def test_attribute_vectors_are_differences_of_class_means():
    saved("generator", "encoder")
    files, told = asked("attribute", attribute=["zero", 2], strength=2)
    data = Noise(seed=1).stacked
    real = (data["real"] / 127.5 - 1).flatten(1)
    codes, labels = real @ BASIS / 2, data["label"]
    means = torch.stack([codes[labels == k].mean(0) for k in range(3)])
    arrays = np.load(files["attributes.npz"])
    np.testing.assert_allclose(arrays["means"], means, atol=1e-5)
    np.testing.assert_allclose(arrays["vector"], means[2] - means[0], atol=1e-5)
    assert f"{(means[2] - means[0]).norm():.4f}" in told
    first = codes[0]  # of class 0, at the shares 0 and 1 of the strength
    ends = torch.stack((first, first + 2 * (means[2] - means[0]))) @ BASIS.T
    changed = arrays["changed"].reshape(8, 5, 16)
    np.testing.assert_allclose(changed[0, [0, -1]], ends, atol=1e-5)
    picture = np.asarray(Image.open(files["attribute.png"]))
    assert picture.shape == (8 * 6 - 2, 6 * 6 - 2)
    assert np.array_equal(picture[:4, :4], data["real"][0, 0].numpy())


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({}, "attribute: has no value; .* attribute=7,1"),
        ({"attribute": [1]}, "from one class to another"),
        ({"attribute": [1, "one"]}, "from one class to another"),
        ({"attribute": ["towo", 1]}, "did you mean 'two'"),
        ({"attribute": [0, 2], "dataset": {"seed": 1, "count": 2}}, "none of the 2 images is of"),
        ({"attribute": [0, 2], "steps": 3}, "steps: does nothing with task=attribute"),
    ],
)
def test_attributes_that_cannot_be(keys, told):
    saved("generator", "encoder")
    with pytest.raises(ConfigError, match=told):
        asked("attribute", **keys)


def test_attributes_need_labels_and_an_encoder():
    saved("generator", "encoder")
    images = Noise().stacked["real"].permute(0, 2, 3, 1).numpy()
    np.savez("some.npz", images=images)
    with pytest.raises(ConfigError, match="a sub-folder for each class"):
        asked("attribute", attribute=[0, 1], input="some.npz", dataset=None)
    saved("generator")
    with pytest.raises(ConfigError, match="give this run one with model=inversion"):
        asked("attribute", attribute=[0, 1])
    with pytest.raises(ConfigError, match="steps: must be at least 1"):
        asked("invert", steps=0)
    assert as_list("attribute=7,1") == "attribute=[7,1]"
