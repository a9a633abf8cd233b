"""Directions of W by the derivative of samples, films of them, and those of a class."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gan_cli.checkpoints.choice import opened, run_folder
from gan_cli.data.spec import image_spec
from gan_cli.games.request import Request
from gan_cli.games.spaces import styles_of
from gan_cli.sampling.model import Model
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from tests import checkpoint_files
from tests.stylegan2_networks import SHORT, TINY

STYLED = {"name": "stylegan2_generator", **TINY, **SHORT}
SPEC = image_spec((1, 8, 8))
LENGTH, LAYERS, STYLES = 12, 4, 2048
CPU = {"accelerator": "cpu"}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def saved(generator=STYLED, spec=SPEC) -> None:
    discriminator = {"name": "stylegan2_discriminator", **TINY}
    nodes = {"generator": generator, "discriminator": discriminator}
    checkpoint_files.write(checkpoint_files.state_of(nodes, spec))


def model() -> Model:
    return Model(opened(checked_options({"run": "x"}), run_folder("x")))


def found(**keys):
    """Arrays and files of gan-sample task=directions space=w, and its report."""
    keys.setdefault("output", f"out-{len(list(Path().iterdir()))}")
    keys = {"run": "x", "task": "directions", "space": "w", "device": CPU, **keys}
    told = perform(checked_options(keys), run_folder("x"))
    files = {path.name: path for path in Path(keys["output"]).iterdir()}
    return dict(np.load(files["directions.npz"])), files, told


def same_lines(vectors, expected, within=1e-3) -> bool:
    """Whether rows are the same up to their signs."""
    cosines = np.abs((vectors * np.asarray(expected)).sum(1))
    return bool((cosines > 1 - within).all())


def test_the_derivative_is_that_of_the_chosen_layers():
    """The last style is read by the last image alone."""
    saved()
    arrays, _, _ = found(method="jacobian", layers=3, directions=1)
    game = model().game
    generator = game.networks["generator"]
    w = styles_of(game, Request(range(32)))
    total = torch.zeros(LENGTH, LENGTH, dtype=torch.float64)
    for point in w:

        def image(last, point=point):
            return generator.synthesis(torch.cat([point[:3], last[None]])[None]).flatten()

        jacobian = torch.autograd.functional.jacobian(image, point[3]).double()
        total += jacobian.T @ jacobian
    values, vectors = torch.linalg.eigh(total / len(w))
    assert same_lines(arrays["vectors"], vectors.T[-1:])
    np.testing.assert_allclose(arrays["eigenvalues"], values[-1:], rtol=1e-2)


def test_films_and_labels_work_in_w_too():
    saved(STYLED | {"conditioning": "concat"}, image_spec((1, 8, 8), 3))
    arrays, files, _ = found(label=1, directions=1, interpolate=2, format="gif", seeds=[1])
    assert arrays["vectors"].shape == (1, LENGTH)
    assert "direction-1.gif" in files
    everyone, _, _ = found(method="ganspace", directions=1)
    one, _, _ = found(method="ganspace", directions=1, label=1)
    assert not np.allclose(everyone["eigenvalues"], one["eigenvalues"])
