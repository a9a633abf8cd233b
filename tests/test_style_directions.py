"""Directions of the styles of a generator: closed forms, and what gan-sample moves."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.games.request import Request
from gan_cli.utils.errors import ConfigError
from tests.test_directions import same_lines
from tests.test_layer_latents import LAYERS, STRIPED, STYLED, _folder, sampled, saved  # noqa: F401  (fixture)

STYLE = 12  # numbers of a style


def found(**keys):
    """Arrays of directions.npz, and the files of gan-sample task=directions in W."""
    files, told = sampled(task="directions", space="w", **keys)
    return dict(np.load(files["directions.npz"])), files, told


def leading(matrix, count):
    """Unit eigenvectors (count, D) of the largest eigenvalues, from NumPy."""
    return np.linalg.eigh(matrix)[1][:, ::-1][:, :count].T


def response(generator, layer, w):
    """All scales of channels that the style of one layer sets, seen by hooks at the affine maps."""
    seen = []
    hooks = [
        module.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0], output)))
        for name, module in generator.named_modules()
        if name.endswith(".style")
    ]
    styles = torch.zeros(len(w), LAYERS, STYLE)
    styles[:, layer] = w
    with torch.no_grad():
        generator.synthesis(styles)
    for hook in hooks:
        hook.remove()
    return torch.cat([output for inputs, output in seen if torch.equal(inputs, w)], 1)


@pytest.mark.parametrize(("layers", "numbers"), [("fine", [4, 5]), ("0,3", [0, 3])])
def test_sefa_has_the_matrices_of_the_affine_maps_that_read_the_layers(layers, numbers):
    generator = saved()
    base = torch.randn(1, STYLE)
    points = torch.cat([base, base + torch.eye(STYLE)])
    metric = np.zeros((STYLE, STYLE))
    for layer in numbers:
        scales = response(generator, layer, points).double()
        columns = (scales[1:] - scales[0]).numpy()  # A^T
        metric += columns @ columns.T
    arrays, _, told = found(method="sefa", layers=layers, directions=3)
    assert same_lines(arrays["vectors"], leading(metric, 3))
    assert arrays["shares"][0] == pytest.approx(np.linalg.eigvalsh(metric)[-1] / np.trace(metric))
    assert "method=sefa" in told


def test_ganspace_has_the_principal_components_of_w_and_their_deviations():
    generator = saved()
    noise = Request(range(2048)).noise
    w = generator.mapping(noise.normal(generator.latent_dim), None).detach().double().numpy()
    arrays, _, _ = found(method="ganspace", directions=2)
    covariance = np.cov(w.T, bias=True)
    assert same_lines(arrays["vectors"], leading(covariance, 2))
    largest = np.sqrt(np.linalg.eigvalsh(covariance)[::-1][:2])
    assert arrays["deviations"] == pytest.approx(largest, rel=1e-3)


def test_a_strip_moves_the_styles_of_the_chosen_layers_alone():
    generator = saved()
    arrays, files, _ = found(method="jacobian", layers="2-3", seeds=[5], strength=2, directions=1)
    request = Request([5])
    noise = request.layer_noise.normal(generator.noise_size)
    styles = generator.styles(request.noise.normal(generator.latent_dim)).clone()
    styles[:, 2:4] += 2 * arrays["deviations"][0] * torch.tensor(arrays["vectors"][0])
    expected = generator.synthesis(styles, noise)[0].detach().permute(1, 2, 0).numpy()
    strip = np.asarray(Image.open(files["direction-1.png"])).astype(float)
    end = strip[:16, -16:] if strip.shape[0] == 16 else strip[2:18, -18:-2]
    assert end == pytest.approx(((expected + 1) * 127.5).clip(0, 255), abs=1.01)


@pytest.mark.parametrize(
    ("node", "keys", "told"),
    [
        (STYLED, {"layer": "mapping"}, "layer: is for space=z; with space=w, type layers=coarse"),
        (STYLED, {"directions": 13}, "directions: is 13, and a style has 12 numbers"),
        (STYLED, {"layers": "0-9"}, "layers: 9 is too large"),
        (STYLED, {"space": "z", "layers": "fine"}, "layers: is for space=w"),
        (STRIPED, {}, "space: 'w' is that of styles"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(node, keys, told):
    saved(node)
    with pytest.raises(ConfigError, match=told):
        sampled(**{"task": "directions", "space": "w", "output": "out", **keys})
    assert not Path("out").exists()
