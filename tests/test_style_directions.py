"""Directions of W: closed forms of SeFa, GANSpace and the derivative, for all layers or some."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gan_cli.checkpoints.choice import opened, run_folder
from gan_cli.data.spec import image_spec
from gan_cli.games.draw import draw_all
from gan_cli.games.request import Request
from gan_cli.games.spaces import at, points_of, styles_of
from gan_cli.networks.layers.equalized import EqualLinear
from gan_cli.sampling.model import Model
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.utils.errors import ConfigError
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


def styles() -> torch.Tensor:
    return styles_of(model().game, Request(range(STYLES)))[:, 0].double()


def same_lines(vectors, expected, within=1e-3) -> bool:
    """Whether rows are the same up to their signs."""
    cosines = np.abs((vectors * np.asarray(expected)).sum(1))
    return bool((cosines > 1 - within).all())


def readers(layer: int) -> list[EqualLinear]:
    """The affine maps that read a style of 8 x 8 pixels, by their places in the network."""
    blocks = model().game.networks["generator"].blocks
    first, second, third = blocks[0].layers[0], *blocks[1].layers
    table = [[first.conv], [blocks[0].to_image, second.conv], [third.conv], [blocks[1].to_image]]
    return [module.style for module in table[layer]]


@pytest.mark.parametrize(("layers", "chosen"), [(None, range(4)), ("1-2", (1, 2)), (3, (3,))])
def test_sefa_are_the_right_singular_vectors_of_all_chosen_affine_maps(layers, chosen):
    saved()
    arrays, _, told = found(layers=layers, directions=3)
    rows = []
    for module in [module for layer in chosen for module in readers(layer)]:
        inputs = torch.eye(LENGTH, requires_grad=True)
        columns = [torch.autograd.grad(module(inputs)[:, k].sum(), inputs)[0][0]
                   for k in range(module(inputs).shape[1])]  # fmt: skip
        rows += columns
    _, singular, vectors = torch.linalg.svd(torch.stack(rows).double())
    count = len(arrays["vectors"])
    assert same_lines(arrays["vectors"], vectors[:count])
    np.testing.assert_allclose(arrays["eigenvalues"], singular[:count] ** 2, rtol=1e-3)
    assert "method=sefa" in told


def test_ganspace_are_the_principal_components_of_styles():
    saved()
    arrays, _, _ = found(method="ganspace", directions=3)
    w = styles().numpy()
    _, singular, vectors = np.linalg.svd(w - w.mean(0), full_matrices=False)
    assert same_lines(arrays["vectors"], vectors[:3])
    np.testing.assert_allclose(arrays["eigenvalues"], singular[:3] ** 2 / STYLES, rtol=1e-3)
    np.testing.assert_allclose(arrays["deviations"] ** 2, arrays["eigenvalues"], rtol=1e-3)


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


def test_strips_move_the_styles_of_the_layers_by_standard_deviations_of_w():
    from PIL import Image

    saved()
    keys = {"layers": "0-1", "directions": 1, "strength": 2, "seeds": [3, 4]}
    arrays, files, _ = found(**keys)
    vector = torch.from_numpy(arrays["vectors"][0])
    deviation = (styles() @ vector.double()).std(correction=0).item()
    assert arrays["deviations"][0] == pytest.approx(deviation, rel=1e-3)
    game, request = model().game, Request([3, 4])
    points = points_of(game, request, "w").clone()
    points[:, :2] += 2 * deviation * vector
    expected = ((draw_all(game, at(request, points, "w")) + 1) * 127.5).clamp(0, 255)
    strip = np.asarray(Image.open(files["direction-1.png"])).astype(float)
    for row in range(2):
        tile = strip[10 * row : 10 * row + 8, 60:68]
        assert np.abs(tile - expected[row, 0].numpy()).max() < 2
        middle = strip[10 * row : 10 * row + 8, 30:38]
        still = ((draw_all(game, request)[row, 0] + 1) * 127.5).clamp(0, 255)
        assert np.abs(middle - still.numpy()).max() < 2


def test_films_and_labels_work_in_w_too():
    saved(STYLED | {"conditioning": "concat"}, image_spec((1, 8, 8), 3))
    arrays, files, _ = found(label=1, directions=1, interpolate=2, format="gif", seeds=[1])
    assert arrays["vectors"].shape == (1, LENGTH)
    assert "direction-1.gif" in files
    everyone, _, _ = found(method="ganspace", directions=1)
    one, _, _ = found(method="ganspace", directions=1, label=1)
    assert not np.allclose(everyone["eigenvalues"], one["eigenvalues"])


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"space": "z", "layers": "coarse"}, "layers: is for space=w"),
        ({"layer": "mapping"}, "layer: is for space=z; with space=w, type layers=coarse"),
        ({"layers": "7"}, "layers: 7 is too large; the generator has layers 0 to 3"),
        ({"directions": 13}, "directions: is 13, and a style has 12 numbers"),
        ({"space": "wplus"}, "space: 'wplus' is for task=invert"),
        ({"method": "sofa"}, "method: "),
    ],
)
def test_directions_that_cannot_be(keys, told):
    saved()
    with pytest.raises(ConfigError, match=told):
        found(**keys)


def test_generators_without_styles_have_no_directions_in_w():
    saved({"name": "mlp_generator", "width": 4, "depth": 1})
    with pytest.raises(ConfigError, match="space: 'w' is that of styles"):
        found()
