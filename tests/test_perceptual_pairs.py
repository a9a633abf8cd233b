"""LPIPS and DISTS of held-out pairs, against torchmetrics with random weights of the layout."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torchmetrics.functional.image import dists as reference
from torchvision import models

from gan_cli.data.spec import Field
from gan_cli.evaluation.options import checked_options
from gan_cli.evaluation.score import score
from gan_cli.metrics import metrics
from gan_cli.metrics.distances import distances
from gan_cli.metrics.dists import DISTSNetwork, weights_of_layers
from gan_cli.metrics.lpips import LPIPSOfAlexNet, LPIPSOfVGG16, trained_layers
from gan_cli.metrics.metric import Collected
from gan_cli.utils.errors import ConfigError
from tests.test_lpips import weights  # noqa: F401  (a fixture)
from tests.test_photos import run_of

CPU = torch.device("cpu")


def opened(name, shape=(3, 40, 40), **options):
    metric = metrics.build({"name": name, **options}, where=f"metrics.compute.{name}")
    metric.open(Field("image", shape), CPU)
    return metric


def pairs(channels=3, count=3, size=40):
    torch.manual_seed(1)
    truth = torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8)
    noise = torch.randint(-60, 60, truth.shape)
    return (truth + noise).clamp(0, 255).to(torch.uint8), truth


def value(metric, outputs, truths):
    (found,) = metric(Collected(0), Collected(len(truths), pairs=(outputs, truths))).items()
    return found


@pytest.fixture(scope="module")
def vgg16(weights):  # noqa: F811
    return str(weights["lpips"])


def test_dists_is_that_of_torchmetrics(vgg16, monkeypatch):
    with torch.device("meta"):
        model = models.vgg16()
    state = torch.load(vgg16, weights_only=True)
    features = {k[9:]: v for k, v in state.items() if k.startswith("features.")}
    model.features.load_state_dict(features, assign=True)
    monkeypatch.setattr(reference, "vgg16", lambda **_: model)
    outputs, truths = pairs()
    name, found = value(opened("dists", weights=vgg16), outputs, truths)
    network = reference.DISTSNetwork()
    expected = network(outputs.float() / 255, truths.float() / 255)
    assert name == "dists"
    assert (expected > 0.005).all()
    assert found == pytest.approx(expected.mean().item(), rel=1e-3)


def test_dists_of_equal_images_is_nothing_and_grows_with_noise(vgg16):
    metric = opened("dists", weights=vgg16)
    outputs, truths = pairs()
    less = ((outputs.int() + truths.int()) // 2).to(torch.uint8)
    values = [value(metric, images, truths)[1] for images in (truths, less, outputs)]
    assert values[0] == pytest.approx(0, abs=1e-5)
    assert 0.001 < values[1] < values[2]


def test_weights_of_the_maps_decide(vgg16):
    layers, _ = trained_layers("vgg16", LPIPSOfVGG16.entry, vgg16)
    only = torch.zeros(1475)
    only[:3] = 1
    network = DISTSNetwork(layers, only, torch.zeros(1475))
    image = torch.rand(1, 3, 16, 16) * 2 - 1
    assert network(image, image.flip(3)).item() == pytest.approx(0, abs=1e-6)  # equal means
    darker = network(image, image - 0.5)
    m, n = (x.add(1).div(2).mean((2, 3)) for x in (image, image - 0.5))
    expected = 1 - ((2 * m * n + 1e-6) / (m**2 + n**2 + 1e-6)).mean()
    assert darker.item() == pytest.approx(expected.item(), rel=1e-4)


def test_published_weights_of_the_maps_are_positive_parts_of_one():
    alpha, beta = weights_of_layers()
    assert alpha.numel() == beta.numel() == 1475
    assert (alpha >= 0).all()
    assert (beta >= 0).all()


@pytest.mark.parametrize(("network", "name"), [("alexnet", "lpips_alexnet"), ("vgg16", "lpips")])
def test_lpips_of_pairs_is_the_mean_distance(weights, network, name):  # noqa: F811
    file = str(weights[name])
    outputs, truths = pairs()
    metric = opened("lpips", network=network, weights=file)
    found, mean = value(metric, outputs, truths)
    assert found == f"lpips_{network}"
    distance = distances.build(
        {"name": name, "weights": file}, Field("image", (3, 40, 40)), CPU, where="distance"
    )
    expected = distance(outputs / 127.5 - 1, truths / 127.5 - 1).mean().item()
    assert mean == pytest.approx(expected, rel=1e-5)


def test_large_pairs_are_not_made_smaller(weights):  # noqa: F811
    """A distance of paths averages images down to 256 pixels."""
    metric = opened("lpips", (3, 520, 40), weights=str(weights["lpips_alexnet"]))
    seen: list[torch.Size] = []
    metric.network = Recorder(seen)
    truths = torch.zeros(3, 3, 520, 300, dtype=torch.uint8)
    value(metric, truths, truths)
    assert seen == [torch.Size([1, 3, 520, 300])] * 3  # of PIXELS at a time


class Recorder(nn.Module):
    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def forward(self, a, b):
        self.seen.append(a.shape)
        return torch.zeros(len(a))


def test_gray_pairs_are_compared_as_rgb(weights):  # noqa: F811
    file = str(weights["lpips_alexnet"])
    outputs, truths = pairs(channels=1)
    gray = value(opened("lpips", (1, 40, 40), weights=file), outputs, truths)[1]
    same = [images.expand(-1, 3, -1, -1) for images in (outputs, truths)]
    assert gray == pytest.approx(value(opened("lpips", weights=file), *same)[1])


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("lpips", (4, 64, 64), r"^metrics\.compute\.lpips: compares gray and RGB images.*leave it"),
        ("dists", (2, 64, 64), r"^metrics\.compute\.dists: compares gray and RGB images"),
        ("lpips", (3, 16, 64), r"^metrics\.compute\.lpips: needs images of 31 pixels .* have 16"),
        ("dists", (3, 8, 8), r"^metrics\.compute\.dists: needs images of 16 pixels"),
    ],
)
def test_images_that_have_no_such_distance(name, shape, words):
    with pytest.raises(ConfigError, match=words):
        opened(name, shape)


@pytest.mark.parametrize(
    ("name", "file"), [("lpips", "alexnet-owt-7be5be79.pth"), ("dists", "vgg16-397923af.pth")]
)
def test_without_weights_the_error_names_the_ways_out(tmp_path, monkeypatch, name, file):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    for cls in (LPIPSOfVGG16, LPIPSOfAlexNet):
        gone = replace(cls.entry, url=(tmp_path / "none" / cls.entry.file).as_uri())
        monkeypatch.setattr(cls, "entry", gone)
    with pytest.raises(ConfigError) as error:
        opened(name)
    (message,) = error.value.faults
    assert message.startswith(f"metrics.compute.{name}.weights: ")
    for way in (file, f"metrics.compute.{name}.weights=PATH", f"leave {name} out of the metrics"):
        assert way in message
    assert "\n" not in message


def test_cards_state_the_protocol(tmp_path, monkeypatch, weights):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    run_of("x", tmp_path)
    file = str(weights["lpips_alexnet"])
    compute = {"paired": None, "lpips": {"weights": file}}
    settings = {"features": "random", "count": 4, "compute": compute}
    tree = {"run": "x", "device": {"accelerator": "cpu"}, "metrics": settings}
    card, _ = score(checked_options(tree), tmp_path / "outputs/x")
    assert list(card["values"]) == ["paired_l1", "paired_psnr", "lpips_alexnet"]
    assert card["lower_is_better"]["lpips_alexnet"] is True
    protocol = card["protocol"]["lpips"]
    assert protocol["images"] == "whole, in their own size; gray ones as RGB"
    assert len(protocol["weights"]) == 64
