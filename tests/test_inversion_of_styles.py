"""Inversion in Z, W and W+ on samples whose styles are known; encoders that find styles."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from gan_cli.checkpoints.choice import opened, run_folder
from gan_cli.data.spec import Spec, image_spec
from gan_cli.games.inversion import Inversion
from gan_cli.networks import networks
from gan_cli.sampling.autoencoder import Autoencoder
from gan_cli.sampling.model import Model
from gan_cli.sampling.optimize import spread_of
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.utils.errors import ConfigError
from tests import checkpoint_files
from tests.checkpoint_files import Deaf
from tests.stylegan2_networks import SHORT, TINY

STYLED = {"name": "stylegan2_generator", **TINY, **SHORT}
SPEC = image_spec((1, 8, 8))
LENGTH, LAYERS = 12, 4  # of a style; of 8 x 8 pixels
CPU = {"accelerator": "cpu"}


class Constant(nn.Module):
    """An encoder that answers with one code."""

    def __init__(self, spec: Spec, *, latent_dim: int = LENGTH, code: float = 0.5) -> None:
        super().__init__()
        self.latent_dim, self.code = latent_dim, nn.Parameter(torch.tensor(code))

    def forward(self, image):
        return self.code.expand(len(image), self.latent_dim)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, network in {"deaf": Deaf, "constant": Constant}.items():
        monkeypatch.setitem(networks.entries, name, network)


def saved(encoder=None, space="z", generator=STYLED):
    """A run outputs/x, whose samples are not clipped."""
    nodes = {"generator": generator}
    nodes |= {"encoder": encoder} if encoder else {"discriminator": {"name": "deaf"}}
    state = checkpoint_files.state_of(nodes, SPEC, game="inversion" if encoder else "gan")
    if encoder:
        state["config"]["model"]["game"] = {"name": "inversion", "space": space}
    for name, tensor in state["networks"]["generator"].items():
        if name.endswith("to_image.weight"):
            tensor *= 0.3
    checkpoint_files.write(state | {"averages": state["networks"]})


def model() -> Model:
    return Model(opened(checked_options({"run": "x"}), run_folder("x")))


def asked(task, **keys):
    """Files by name, and the report."""
    keys.setdefault("output", f"out-{len(list(Path().iterdir()))}")
    options = checked_options({"run": "x", "task": task, "input": "in.npz", "device": CPU, **keys})
    told = perform(options, run_folder("x"))
    return {path.name: path for path in Path(keys["output"]).iterdir()}, told


def generated(count: int) -> torch.Tensor:
    """Writes in.npz with samples without noise, and returns their styles (N, LENGTH)."""
    autoencoder = Autoencoder(model(), "invert", "w")
    w = autoencoder.drawn(count)
    samples = autoencoder.kind.to_stored(autoencoder.generate(w))
    np.savez("in.npz", images=samples.permute(0, 2, 3, 1).numpy())
    return w


def test_samples_are_found_again_in_every_space():
    saved()
    generated(3)
    images = np.load("in.npz")["images"] / 127.5 - 1
    spread = ((images - images.mean(0)) ** 2).mean()
    errors = {}
    for space in ("z", "w", "wplus"):
        files, told = asked("invert", space=space, steps=100)
        assert f"space={space}" in told
        found = np.load(files["inversions.npz"])["optimization"]
        assert found.shape == {"z": (3, 8), "w": (3, LENGTH), "wplus": (3, LAYERS, LENGTH)}[space]
        errors[space] = json.loads(files["inversions.json"].read_text())["optimization"]["mse"]
    assert max(errors.values()) < 0.01 * spread


def test_what_is_not_a_sample_is_nearer_the_more_freedom_there_is():
    """Every latent has a style, and every style is one of W+."""
    saved()
    rng = np.random.default_rng(0)
    np.savez("in.npz", images=rng.integers(100, 220, (2, 8, 8, 1), np.uint8))
    errors = [
        json.loads(asked("invert", space=space, steps=100)[0]["inversions.json"].read_text())
        for space in ("z", "w", "wplus")
    ]
    z, w, wplus = (error["optimization"]["mse"] for error in errors)
    assert wplus < w < z


def test_a_search_starts_at_the_mean_style_or_the_nearest_candidate():
    """The rate is 0 in the first step."""
    saved()
    generated(2)
    autoencoder = Autoencoder(model(), "invert", "w")
    mean = spread_of(autoencoder, "w").mean.numpy()
    for space, shape in (("w", (2, LENGTH)), ("wplus", (2, LAYERS, LENGTH))):
        files, _ = asked("invert", space=space, steps=1, candidates=0)
        found = np.load(files["inversions.npz"])["optimization"]
        np.testing.assert_allclose(found, np.broadcast_to(mean, shape), atol=1e-6)
    files, _ = asked("invert", space="w", steps=1, candidates=70)
    found = torch.from_numpy(np.load(files["inversions.npz"])["optimization"])
    candidates = torch.cat([autoencoder.drawn(70, 2**33), torch.from_numpy(mean)[None]])
    made = autoencoder.generate(candidates)
    real = torch.from_numpy(np.load("in.npz")["images"]).permute(0, 3, 1, 2) / 127.5 - 1
    best = (made[None] - real[:, None]).square().flatten(2).mean(2).argmin(1)
    torch.testing.assert_close(found, candidates[best])


def test_a_pull_keeps_styles_near_to_their_mean():
    saved()
    generated(2)
    squares = []
    for pull in (0, 100):
        files, _ = asked("invert", space="wplus", steps=60, pull=pull)
        values = json.loads(files["inversions.json"].read_text())
        squares.append(values["optimization"]["latent_mean_square"])
    assert squares[1] < 0.2 * squares[0]


def test_samples_do_not_affect_each_other_whatever_the_batch():
    saved()
    generated(3)
    found = [
        np.load(asked("invert", steps=20, batch_size=size)[0]["inversions.npz"])["optimization"]
        for size in (1, 2, 64)
    ]
    np.testing.assert_allclose(found[0], found[2], atol=1e-3)
    np.testing.assert_allclose(found[1], found[2], atol=1e-3)


@pytest.mark.parametrize(("space", "length"), [("z", 8), ("w", LENGTH)])
def test_searches_start_at_the_style_of_what_the_encoder_found(space, length):
    saved({"name": "constant", "latent_dim": length}, space)
    generated(2)
    files, _ = asked("invert", steps=1, space="w")
    arrays = np.load(files["inversions.npz"])
    code = torch.full((1, length), 0.5)
    w = model().game.networks["generator"].styles(code)[:, 0] if space == "z" else code
    expected = w.detach().expand(2, -1)
    np.testing.assert_allclose(arrays["encoder"], expected, atol=1e-5)
    np.testing.assert_allclose(arrays["encoder_and_optimization"], expected, atol=1e-5)


def test_codes_of_an_encoder_are_styles_in_every_task():
    saved({"name": "constant"}, "w")
    w = torch.full((1, LENGTH), 0.5)
    generator = model().game.networks["generator"]
    rebuilt = generator.synthesis(w[:, None].expand(-1, LAYERS, -1)).detach()
    generated(3)
    codes = np.load(asked("encode")[0]["latents.npz"])["latents"]
    np.testing.assert_allclose(codes, w.expand(3, -1))
    images = np.load(asked("reconstruct")[0]["reconstructions.npz"])["images"]
    stored = ((rebuilt + 1) * 127.5).clamp(0, 255).permute(0, 2, 3, 1).numpy()
    assert np.abs(images - stored).max() < 1
    assert "strip.png" in asked("interpolate", interpolate=2)[0]
    labels = np.array([0, 1, 1])
    np.savez("in.npz", images=np.load("in.npz")["images"], labels=labels)
    means = np.load(asked("attribute", attribute=[0, 1])[0]["attributes.npz"])["means"]
    assert means.shape == (2, LENGTH)


def test_attribute_vectors_in_w_are_those_of_the_styles_of_the_codes():
    saved({"name": "constant", "latent_dim": 8})
    generated(3)
    labels = np.array([0, 1, 1])
    np.savez("in.npz", images=np.load("in.npz")["images"], labels=labels)
    arrays = np.load(asked("attribute", attribute=[0, 1], space="w")[0]["attributes.npz"])
    w = model().game.networks["generator"].styles(torch.full((1, 8), 0.5))[:, 0].detach()
    np.testing.assert_allclose(arrays["means"], w.expand(2, -1), atol=1e-6)


@pytest.mark.parametrize(
    ("encoder", "space", "task", "keys", "told"),
    [
        (None, "z", "invert", {"space": "x"}, "space: "),
        ("constant", "w", "encode", {"space": "z"}, "space: the encoder of this run finds styles"),
        ("constant", "w", "encode", {"space": "wplus"}, "space: 'wplus' is for task=invert"),
        (None, "z", "invert", {"pull": -1}, "pull: must be 0 or more"),
        (None, "z", "invert", {"distance": "lips"}, r"distance\.name: "),
        (None, "z", "invert", {"truncation": 0.5}, "truncation: does nothing with task=invert"),
    ],
)
def test_inversions_that_cannot_be(encoder, space, task, keys, told):
    saved(encoder and {"name": encoder}, space)
    np.savez("in.npz", images=np.zeros((2, 8, 8, 1), np.uint8))
    with pytest.raises(ConfigError, match=told):
        asked(task, **keys)


def test_generators_without_styles_have_no_w():
    saved(generator={"name": "mlp_generator", "width": 4, "depth": 1})
    np.savez("in.npz", images=np.zeros((2, 8, 8, 1), np.uint8))
    for space in ("w", "wplus"):
        with pytest.raises(ConfigError, match="space: 'w' is that of styles"):
            asked("invert", space=space)


def game(space, latent_dim=LENGTH, generator=STYLED):
    torch.manual_seed(0)
    roles = nn.ModuleDict(
        {
            "generator": networks.build(generator, SPEC, where="generator"),
            "encoder": Constant(SPEC, latent_dim=latent_dim, code=0.0),
        }
    )
    return Inversion(roles, space=space)


def test_an_encoder_of_styles_is_trained_on_them():
    """A code of 0 has the mean square of the styles as its error."""
    trained = game("w")
    torch.manual_seed(1)
    terms = trained.loss({"real": torch.zeros(500, 1, 8, 8)})
    torch.manual_seed(1)
    w = trained.networks["generator"].styles(torch.randn(500, 8))[:, 0]
    error = terms.losses["reconstruction_z"]
    assert error.item() == pytest.approx(w.square().mean().item(), rel=1e-4)
    error.backward()
    assert trained.networks["encoder"].code.grad.abs() > 0
    assert all(
        p.grad is None or not p.grad.any()
        for p in trained.networks["generator"].mapping.parameters()
    )


def test_lengths_and_spaces_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match=r"latent_dim: is 8, and the styles .* have 12 numbers"):
        game("w", 8)
    with pytest.raises(ConfigError, match="latent_dim: is 12, and the generator's is 8"):
        game("z")
    with pytest.raises(ConfigError, match="space: 'w' is that of styles"):
        game("w", generator={"name": "mlp_generator", "width": 4, "depth": 1})
