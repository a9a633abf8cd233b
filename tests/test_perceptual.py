"""Features of perceptual losses: VGG19 against torchvision, its weights, distances."""

import hashlib
from dataclasses import replace

import pytest
import torch
from torchvision.models import vgg
from torchvision.transforms.functional import normalize

from gan_cli.games.content import Content
from gan_cli.games.perceptual import PerceptualNode, perceptual_networks
from gan_cli.games.perceptual import vgg as ours
from gan_cli.utils.errors import ConfigError

WHERE = "model.game.features"


def network(**node):
    return perceptual_networks.build(node, where=WHERE)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Torch hub's cache, empty, with a published file that is not there."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    gone = replace(ours.PUBLISHED, url=(tmp_path / "none" / "vgg19-dcbb9e9d.pth").as_uri())
    monkeypatch.setattr(ours, "PUBLISHED", gone)
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    return cache


@pytest.fixture(scope="module")
def torchvision_layers():
    torch.manual_seed(0)
    return vgg.make_layers(vgg.cfgs["E"]).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def weights(torchvision_layers, tmp_path_factory):
    """A file in the layout of torchvision's weights, with random numbers."""
    path = tmp_path_factory.mktemp("vgg") / "own.pth"
    state = {f"features.{key}": value for key, value in torchvision_layers.state_dict().items()}
    torch.save(state | {"classifier.0.weight": torch.zeros(2)}, path)
    return path


def test_features_are_those_of_torchvision(torchvision_layers, weights):
    layers = {"conv5_4": 1.0, "relu5_4": 0.5, "conv1_2": 2.0}
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    found = network(name="vgg19", weights=str(weights), layers=layers)(images)
    inputs = normalize((images + 1) / 2, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    for name, stop in {"conv5_4": 35, "relu5_4": 36, "conv1_2": 3}.items():
        expected = torchvision_layers[:stop](inputs)
        assert found[name][1] == layers[name]
        torch.testing.assert_close(found[name][0], expected, atol=1e-5, rtol=1e-4)
    assert (found["conv5_4"][0] < 0).any()  # before the activation
    assert (found["relu5_4"][0] >= 0).all()


def test_a_file_of_the_cache_is_verified(hub, weights):
    (hub / "vgg19-dcbb9e9d.pth").write_bytes(weights.read_bytes())
    with pytest.raises(ConfigError, match=r"SHA-256 differs.*remove it.*features\.name=random"):
        network(name="vgg19")


def test_a_right_file_of_the_cache_is_read(hub, weights, monkeypatch):
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    monkeypatch.setattr(ours, "PUBLISHED", replace(ours.PUBLISHED, sha256=digest[:8]))
    (hub / "vgg19-dcbb9e9d.pth").write_bytes(weights.read_bytes())
    assert "conv5_4" in network(name="vgg19")(torch.zeros(1, 3, 16, 16))


def test_without_a_network_the_error_names_all_ways_out(hub):
    with pytest.raises(ConfigError) as error:
        network(name="vgg19")
    (message,) = error.value.faults
    assert message.startswith("model.game.features.weights: VGG19 is not in")
    for way in (str(hub), "model.game.features.weights=PATH", "model.game.features.name=random"):
        assert way in message
    assert "\n" not in message


def test_a_file_of_something_else_is_refused(tmp_path):
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ConfigError, match=r"features\.weights: .*other\.pth holds no features\.0"):
        network(name="vgg19", weights=str(tmp_path / "other.pth"))


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"layers": {"conv5_5": 1.0}}, r"features\.layers\.conv5_5: .*conv5_4"),
        ({"layers": {"conv5_4": 0.0}}, r"features\.layers: no layer has a weight"),
        ({"layers": {}}, r"features\.layers: no layer has a weight"),
        ({"layers": {"conv5_4": -1.0}}, r"features\.layers\.conv5_4: must be 0 or more"),
    ],
)
def test_bad_layers_are_refused(node, message):
    with pytest.raises(ConfigError, match=message):
        network(name="random", **node)


def test_random_features_depend_on_the_seed_alone():
    images = torch.rand(1, 3, 32, 32) * 2 - 1
    state = torch.get_rng_state()
    one, same, other = (
        network(name="random", width=4, seed=seed)(images)["conv5_4"][0] for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)


def test_gray_images_count_as_colours_and_others_are_refused():
    features = network(name="random", width=4)
    gray = torch.rand(1, 1, 16, 16)
    found = features(gray)["conv5_4"][0]
    assert torch.allclose(found, features(gray.expand(-1, 3, -1, -1))["conv5_4"][0])
    with pytest.raises(ConfigError, match=r"features: compares gray or RGB .* 4 channels"):
        features(torch.rand(1, 4, 16, 16))


def content(**options) -> Content:
    defaults = {"reconstruction": 0.0, "distance": "l1", "perceptual": 0.0}
    defaults |= {"perceptual_distance": "l2", "features": None}
    made = Content(**{**defaults, **options})
    made.place(torch.device("cpu"))
    return made


def test_pixels_are_those_between_0_and_1():
    black, white = -torch.ones(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    terms = content(reconstruction=3.0, distance="l2").terms(black, white)
    assert terms.losses.keys() == {"reconstruction"}
    assert terms.losses["reconstruction"] == 3


def test_the_perceptual_term_is_a_weighted_sum_over_layers():
    node = PerceptualNode(name="random", width=4, seed=0, layers={"relu1_2": 2.0, "conv2_1": 0.5})
    one, other = (torch.rand(2, 3, 16, 16) * 2 - 1).requires_grad_(), torch.zeros(2, 3, 16, 16)
    made = content(perceptual=0.25, features=node)
    term = made.terms(one, other).losses["perceptual"]
    features = [network(**node)(images) for images in (one, other)]
    by_hand = sum(
        weight * (features[0][name][0] - features[1][name][0]).square().mean()
        for name, weight in node["layers"].items()
    )
    torch.testing.assert_close(term, 0.25 * by_hand)
    term.backward()
    assert one.grad.abs().sum() > 0
    assert made.terms(other, other).losses["perceptual"] == 0
    assert not any(p.requires_grad for p in made.network.parameters())
