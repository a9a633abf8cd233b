"""LPIPS against torchmetrics, with random weights of the published layout; diversity."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchmetrics.functional.image import lpips
from torchmetrics.functional.image.lpips import _LPIPS, ScalingLayer
from torchvision import models

from gan_cli.data.spec import Field
from gan_cli.metrics import lpips as ours
from gan_cli.metrics import metrics
from gan_cli.metrics.distances import distances
from gan_cli.metrics.metric import Collected
from gan_cli.utils.errors import ConfigError

CPU = torch.device("cpu")
NETWORKS = {"lpips": "vgg16", "lpips_alexnet": "alexnet"}
SHORT = {"lpips": "vgg", "lpips_alexnet": "alex"}  # names of torchmetrics


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Files in the layout of torchvision's weights, with random numbers, by distance."""
    torch.manual_seed(0)
    folder, found = tmp_path_factory.mktemp("lpips"), {}
    for name, network in NETWORKS.items():
        with torch.device("meta"):
            layers = models.get_model(network).features
        state = {f"features.{k}": torch.empty(v.shape) for k, v in layers.state_dict().items()}
        for tensor in state.values():
            tensor.normal_(0, (2 / max(1, tensor[0].numel())) ** 0.5)
        found[name] = folder / f"{name}.pth"
        torch.save(state | {"classifier.1.weight": torch.zeros(2)}, found[name])
    return found


def built(name, weights=None, shape=(3, 40, 40)):
    node = {"name": name, "weights": None if weights is None else str(weights)}
    return distances.build(node, Field("image", shape), CPU, where="distance")


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Torch hub's cache, empty, with published files that are not there."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    for cls in (ours.LPIPSOfVGG16, ours.LPIPSOfAlexNet):
        gone = replace(cls.entry, url=(tmp_path / "none" / cls.entry.file).as_uri())
        monkeypatch.setattr(cls, "entry", gone)


@pytest.mark.parametrize("name", NETWORKS)
def test_distances_are_those_of_torchmetrics(name, weights):
    with torch.device("meta"):  # without drawing numbers for the layers of the classes
        reference = _LPIPS(net=SHORT[name], pnet_rand=True, pretrained=False)
    reference.scaling_layer = ScalingLayer()
    heads = Path(lpips.__file__).with_name("lpips_models") / f"{SHORT[name]}.pth"
    state = torch.load(heads, map_location="cpu", weights_only=True)
    reference.load_state_dict(state, strict=False, assign=True)
    state = torch.load(weights[name], weights_only=True)
    convolutions = [m for m in reference.net.modules() if isinstance(m, torch.nn.Conv2d)]
    values = [v for k, v in state.items() if k.startswith("features.")]
    for layer, weight, bias in zip(convolutions, values[::2], values[1::2], strict=True):
        layer.weight, layer.bias = torch.nn.Parameter(weight), torch.nn.Parameter(bias)
    a, b = torch.rand(2, 2, 3, 40, 40) * 2 - 1
    distance = built(name, weights[name])
    expected = reference(a, b).flatten()
    assert (expected > 1e-3).all()
    torch.testing.assert_close(distance(a, b), expected, rtol=1e-4, atol=1e-6)
    assert torch.equal(distance(a, a), torch.zeros(2))


def test_gray_images_are_compared_as_rgb_and_large_ones_smaller(weights):
    distance = built("lpips_alexnet", weights["lpips_alexnet"], (1, 64, 64))
    a, b = torch.rand(2, 1, 1, 64, 64)
    same = distance(a.expand(-1, 3, -1, -1), b.expand(-1, 3, -1, -1))
    assert distance(a, b).item() == pytest.approx(same.item())
    large = (x.repeat_interleave(8, 2).repeat_interleave(8, 3) for x in (a, b))  # 512 x 512
    small = (x.repeat_interleave(4, 2).repeat_interleave(4, 3) for x in (a, b))
    assert distance(*large).item() == pytest.approx(distance(*small).item(), rel=1e-3)


def test_gradients_reach_the_images(weights):
    distance = built("lpips_alexnet", weights["lpips_alexnet"])
    a, b = torch.rand(2, 1, 3, 40, 40)
    a.requires_grad_()
    distance(a, b).sum().backward()
    assert a.grad.abs().sum() > 0


@pytest.mark.parametrize(("name", "shape", "told"), [
    ("lpips", (4, 32, 32), "gray and RGB"),
    ("lpips_alexnet", (3, 16, 64), "31 pixels a side or more, and these have 16"),
])  # fmt: skip
def test_what_has_no_such_distance(name, shape, told, weights):
    with pytest.raises(ConfigError, match=rf"^distance: {name} .*{told}.*distance=random"):
        built(name, weights[name], shape)


def test_without_weights_the_error_names_all_ways_out(offline):
    with pytest.raises(ConfigError) as error:
        built("lpips")
    (message,) = error.value.faults
    assert message.startswith("distance.weights: VGG16")
    for way in ("vgg16-397923af.pth", "distance.weights=PATH", "distance=random"):
        assert way in message


def test_weights_of_another_network_are_refused(weights):
    with pytest.raises(ConfigError, match=r"holds no features\.0\.weight of this network"):
        built("lpips", weights["lpips_alexnet"])


def test_a_missing_network_is_told_before_anything_is_drawn(offline):
    metric = metrics.build({"name": "path_length", "distance": "lpips"}, where="metrics.compute.x")
    with pytest.raises(ConfigError, match=r"path_length\.distance\.weights: VGG16"):
        metric.open(Field("image", (3, 32, 32)), CPU)


# ---- Diversity


def diversity(fake, real=None, **options):
    metric = metrics.build({"name": "diversity", **options}, where="metrics.compute.diversity")
    return metric(Collected(None, samples=fake if real is None else real),
                  Collected(None, samples=fake))  # fmt: skip


def test_the_mean_distance_of_pairs_is_twice_the_variance():
    """Of independent numbers, E (x - y)^2 = 2 Var(x)."""
    points = torch.randn(4000, 8, generator=torch.Generator().manual_seed(0)) * 3
    values = diversity(points, points / 3, distance="pixels", pairs=4000)
    assert values["diversity_pixels"] == pytest.approx(18, rel=0.05)
    assert values["data_diversity_pixels"] == pytest.approx(2, rel=0.05)


def test_copies_have_no_diversity_and_values_carry_the_name_of_the_distance(weights):
    copies = torch.full((3, 3, 32, 32), 7, dtype=torch.uint8)
    varied = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    node = {"name": "lpips_alexnet", "weights": str(weights["lpips_alexnet"])}
    values = diversity(copies, varied, distance=node, pairs=4)
    assert values["diversity_lpips_alexnet"] == 0
    assert values["data_diversity_lpips_alexnet"] > 0
    assert list(diversity(varied, pairs=4)) == ["diversity_random", "data_diversity_random"]
