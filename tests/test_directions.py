"""Directions of the latent: on generators whose directions are known, and from gan-sample."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from gan_cli.checkpoints.choice import run_folder
from gan_cli.data.spec import Field, Spec, image_spec, sample_spec, vector_spec
from gan_cli.networks import networks
from gan_cli.sampling.directions import mean_metric
from gan_cli.sampling.latent_layer import activations, find_layer
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.lists import as_list
from tests import checkpoint_files
from tests.checkpoint_files import Deaf
from tests.toys import audio  # noqa: F401  (registration)

SHAPE = (1, 4, 4)
LATENT = 5
METHODS = ("sefa", "ganspace", "jacobian")
# x = 0.1 U S V^T z with singular values that are well apart
RANDOM = torch.Generator().manual_seed(0)
U = torch.linalg.qr(torch.randn(16, LATENT, generator=RANDOM))[0]
V = torch.linalg.qr(torch.randn(LATENT, LATENT, generator=RANDOM))[0]
S = torch.tensor([4.0, 3.0, 2.0, 1.5, 1.0])


class Linear(nn.Module):
    """x = 0.1 U S V^T z + b, with V at an angle to the axes; the label shifts all pixels."""

    def __init__(self, spec: Spec, *, prior: str = "normal", conditioning: str = "none") -> None:
        super().__init__()
        self.latent_dim, self.prior, self.shape = LATENT, prior, spec.shape
        self.conditional = conditioning != "none"
        self.layer = nn.Linear(LATENT, 16)
        self.layer.weight.data = 0.1 * U @ torch.diag(S) @ V.T

    def forward(self, latent, label=None):
        shift = label[:, None] / 10 if self.conditional else 0
        return (self.layer(latent) + shift).view(-1, *self.shape)


class Planted(nn.Module):
    """A bent path along one direction of the latent, which the first layer hides in the noise.

    The first layer doubles V_1 and leaves V_0; what follows reads V_0 ten times as much.
    """

    latent_dim, prior = LATENT, "normal"

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.shape = spec.shape
        self.first = nn.Linear(LATENT, LATENT, bias=False)
        self.first.weight.data = torch.diag(torch.tensor([1.0, 2, 0.5, 0.5, 0.5])) @ V.T
        self.second = nn.Linear(LATENT, 16, bias=False)
        self.second.weight.data = U @ torch.diag(torch.tensor([10.0, 0.1, 0.1, 0.1, 0.1]))

    def forward(self, latent, label=None):
        return torch.tanh(self.second(self.first(latent)) / 10).view(-1, *self.shape)


class Raw(nn.Module):
    """A generator that multiplies by itself: no layer reads its latent, only the last one."""

    latent_dim, prior = LATENT, "normal"

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.shape, self.outside = spec.shape, nn.Identity()
        self.matrix = nn.Parameter(0.1 * U @ torch.diag(S) @ V.T)

    def forward(self, latent, label=None):
        return self.outside(latent @ self.matrix.T).view(-1, *self.shape)


class Flat(nn.Module):
    """A collapsed generator, which ignores its latent, or whose image has two directions."""

    latent_dim, prior = LATENT, "normal"

    def __init__(self, spec: Spec, *, rank: int = 0) -> None:
        super().__init__()
        self.shape, self.layer = spec.shape, nn.Linear(LATENT, 16)
        self.layer.weight.data = U[:, :rank] @ V[:, :rank].T

    def forward(self, latent, label=None):
        return self.layer(latent).view(-1, *self.shape)


@pytest.fixture(autouse=True)
def workshop(monkeypatch, tmp_path):
    toys = {"linear": Linear, "planted": Planted, "raw": Raw, "flat": Flat, "deaf": Deaf}
    for name, network in toys.items():
        monkeypatch.setitem(networks.entries, name, network)
    monkeypatch.chdir(tmp_path)


def found(generator="linear", spec=None, **keys):
    """Arrays and files of gan-sample task=directions, and its report."""
    node = {"name": generator} if isinstance(generator, str) else generator
    spec = image_spec(SHAPE, 3, ("zero", "one", "two")) if spec is None else spec
    nodes = {"generator": node, "discriminator": {"name": "deaf"}}
    checkpoint_files.write(checkpoint_files.state_of(nodes, spec))
    keys.setdefault("output", f"out-{len(list(Path().iterdir()))}")
    keys = {"run": "x", "task": "directions", "device": {"accelerator": "cpu"}, **keys}
    told = perform(checked_options(keys), run_folder("x"))
    files = {path.name: path for path in Path(keys["output"]).iterdir()}
    return dict(np.load(files["directions.npz"])), files, told


def same_lines(vectors, expected, within=1e-3):
    """Whether rows are the same up to their signs."""
    cosines = (vectors * expected).sum(1)
    return np.abs(cosines) == pytest.approx(np.ones(len(expected)), abs=within)


@pytest.mark.parametrize("prior", ["normal", "uniform"])
@pytest.mark.parametrize("method", METHODS)
def test_of_a_linear_generator_they_are_the_right_singular_vectors(method, prior):
    arrays, _, told = found({"name": "linear", "prior": prior}, method=method, directions=5)
    assert same_lines(arrays["vectors"], V.T.numpy(), within=1e-5)
    assert arrays["shares"] == pytest.approx((S**2 / (S**2).sum()).numpy(), rel=1e-4)
    assert arrays["vectors"] @ arrays["vectors"].T == pytest.approx(np.eye(5), abs=1e-5)
    assert str(arrays["method"]) == method
    assert f"method={method}" in told


@pytest.mark.parametrize("method", METHODS)
def test_labels_move_samples_but_are_no_direction(method):
    labelled = {"name": "linear", "conditioning": "concat"}
    for label in (None, "two"):
        arrays, _, _ = found(labelled, method=method, directions=5, label=label)
        assert same_lines(arrays["vectors"], V.T.numpy(), within=1e-5)


def test_the_derivative_finds_a_direction_that_the_first_layer_hides():
    by_first = found("planted", method="sefa", directions=1)[0]
    by_all = found("planted", method="jacobian", directions=1)[0]
    assert same_lines(by_first["vectors"], V.T[[1]].numpy(), within=1e-5)
    assert same_lines(by_all["vectors"], V.T[[0]].numpy())
    assert by_all["shares"][0] > 0.9


@pytest.mark.parametrize("method", ["sefa", "ganspace"])
def test_a_layer_can_be_named(method):
    arrays = found("planted", method=method, layer="second", directions=1)[0]
    assert same_lines(arrays["vectors"], V.T[[0]].numpy())


def test_without_a_layer_that_reads_the_latent_the_derivative_is_the_default():
    arrays, _, told = found("raw", directions=5)
    assert "method=jacobian" in told
    assert same_lines(arrays["vectors"], V.T.numpy(), within=1e-5)
    assert "method=sefa" in found("linear")[2]
    with pytest.raises(ConfigError, match="type method=jacobian"):
        found("raw", method="sefa")


@pytest.mark.parametrize("method", METHODS)
def test_directions_that_change_nothing_are_left_out(method):
    arrays, files, told = found({"name": "flat", "rank": 2}, method=method, directions=4)
    assert len(arrays["vectors"]) == 2
    assert "only 2 directions" in told
    assert "direction-3.png" not in files
    with pytest.raises(ConfigError, match="do not depend on the latent"):
        found({"name": "flat", "rank": 0}, method=method)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_call_finds_the_same(method):
    first, second = (found("planted", method=method)[0] for _ in range(2))
    for name, array in first.items():
        assert np.array_equal(array, second[name]), name


def test_a_strip_leads_from_minus_to_plus_the_strength_through_the_sample_itself():
    arrays, files, _ = found(seeds=[3, 8], directions=2, strength=2)
    picture = np.asarray(Image.open(files["direction-2.png"]))
    assert picture.shape == (2 * 6 - 2, 7 * 6 - 2)
    columns = picture[6:].reshape(4, -1)
    generator = Linear(image_spec(SHAPE, 3))
    options = checked_options({"run": "x", "seeds": [3, 8], "format": "npz", "output": "plain"})
    perform(options, run_folder("x"))
    plain = np.load("plain/samples.npz")["images"][1, ..., 0]
    assert np.array_equal(columns[:, 18:22], plain)
    change = generator.layer.weight.detach() @ torch.tensor(arrays["vectors"][1])
    for end, column in ((-2, 0), (2, 36)):
        moved = plain + 127.5 * end * change.view(4, 4).numpy()
        assert columns[:, column : column + 4] == pytest.approx(moved.clip(0, 255), abs=1.01)


def test_films_go_there_and_back():
    _, files, _ = found(seeds=[1, 2], directions=1, interpolate=4, format=as_list("gif,strip"))
    film = Image.open(files["direction-1.gif"])
    assert film.n_frames == 6 + 4
    frames = []
    for i in range(film.n_frames):
        film.seek(i)
        frames.append(np.asarray(film.convert("L"), float))
    for i in range(1, 5):
        assert np.abs(frames[i] - frames[-i]).max() <= 2
    assert np.abs(frames[0] - frames[5]).max() > 50
    assert "direction-1.png" in files


@pytest.mark.parametrize("features", [1, 2, 3])
def test_vectors_have_plots(features):
    node = {"name": "mlp_generator", "latent_dim": 4}
    arrays, files, _ = found(node, vector_spec(features), directions=1)
    assert arrays["vectors"].shape == (1, 4)
    assert ("direction-1.png" in files) == (features <= 2)


def test_sound_has_pictures():
    tones = sample_spec(Field("audio", (1, 512), sample_rate=8000))
    _, files, _ = found("toy_synthesizer", tones, directions=1)
    assert "direction-1.png" in files


@pytest.mark.parametrize("conditioning", ["none", "concat", "embed", "batch_norm"])
@pytest.mark.parametrize(
    "name", ["mlp_generator", "dcgan_generator", "resnet_generator", "r3gan_generator"]
)
def test_the_first_layer_of_a_network_is_affine_in_the_latent(name, conditioning):
    node = {"name": name, "latent_dim": 6, "conditioning": conditioning}
    try:
        network = networks.build(node, image_spec((1, 16, 16), 3), where="it").eval()
    except ConfigError:
        pytest.skip("has no such conditioning")
    labels = None if conditioning == "none" else torch.tensor([0, 1])
    a, b = torch.randn(2, 2, 6)
    layer = find_layer(network, a, labels)
    output = activations(network, layer)
    with torch.no_grad():
        both, zero = output(a + b, labels), output(0 * a, labels)
        assert both + zero == pytest.approx(output(a, labels) + output(b, labels), abs=1e-4)
        assert not torch.allclose(both, zero, atol=1e-3)


SMALL_NETWORKS = {
    "mlp_generator": {},
    "dcgan_generator": {"width": 4},
    "resnet_generator": {"width": 4},
    "r3gan_generator": {"width": 8, "blocks": 1, "group_width": 4},
    "stylegan2_generator": {"width": 4, "max_width": 8, "style_dim": 8, "mapping_depth": 2},
}


@pytest.mark.parametrize("name", SMALL_NETWORKS)
def test_derivatives_in_forward_mode_are_those_of_autograd(name):
    node = {"name": name, "latent_dim": 3, **SMALL_NETWORKS[name]}
    torch.manual_seed(0)
    network = networks.build(node, image_spec((1, 8, 8)), where="it").eval()
    points = torch.randn(2, 3)
    expected = torch.zeros(3, 3)
    for point in points:
        columns = torch.autograd.functional.jacobian(network, point[None]).reshape(64, 3)
        expected += columns.T @ columns / 2
    with torch.no_grad():
        found = mean_metric(lambda z, _: network(z), points, None, batch_size=2).float()
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-4 * expected.max().item())


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"directions": 6}, "directions: is 6, and the latent has 5 numbers"),
        ({"layer": "layr"}, "did you mean 'layer'"),
        ({"layer": "layer", "method": "jacobian"}, "layer: does nothing with method=jacobian"),
        ({"label": 1}, "label: the model was trained without labels"),
        ({"format": "grid"}, "unknown format of directions 'grid'"),
        ({"columns": 3}, "columns: does nothing with task=directions"),
        ({"method": "pca"}, "method"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(keys, told):
    with pytest.raises(ConfigError, match=told):
        found(**keys)
    assert not list(Path().glob("out-*"))


def test_other_tasks_read_none_of_this():
    checkpoint_files.write(
        checkpoint_files.state_of(
            {"generator": {"name": "linear"}, "discriminator": {"name": "deaf"}},
            image_spec(SHAPE, 3),
        )
    )
    options = checked_options({"run": "x", "method": "sefa", "directions": 3})
    with pytest.raises(ConfigError, match="directions: does nothing with task=sample"):
        perform(options, run_folder("x"))
