"""Feature maps: their numbers, and whether they rank damaged copies of the data as people would."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.sets.mnist_5k import MNIST5k
from gan_cli.metrics.features.untrained import PIXEL_LIMIT, PixelFeatures, RandomFeatures
from gan_cli.metrics.frechet import Moments, frechet_distance
from gan_cli.metrics.metric import Features, extractors
from gan_cli.networks import networks
from gan_cli.utils.images import to_uint8

CPU = torch.device("cpu")
SHAPES = [(1, 8, 8), (3, 32, 32), (2, 5, 17), (4, 64, 48)]


def random_images(count: int, *shape: int) -> Tensor:
    return torch.randint(256, (count, *shape), generator=torch.Generator().manual_seed(0)).byte()


def built(name: str, samples: Tensor) -> Features:
    return extractors.build({"name": name}, InMemory({"real": samples}), CPU, where="metrics")


# Their numbers


def test_random_weights_are_the_mersenne_twisters() -> None:
    """torch.rand keeps 24 bits of each output, so numpy's twister predicts every weight."""
    network = RandomFeatures(3)
    weights = [network.get_buffer(f"weight{layer}") for layer in range(3)]
    drawn = np.random.RandomState(0).randint(0, 2**32, sum(w.numel() for w in weights), np.uint32)
    uniform = torch.tensor((drawn % 2**24) / 2**24)
    for weight, fan_in in zip(weights, (27, 144, 288), strict=True):
        mine, uniform = uniform[: weight.numel()], uniform[weight.numel() :]
        expected = (2 * mine - 1) * (6 / fan_in) ** 0.5
        torch.testing.assert_close(weight.flatten().double(), expected, rtol=1e-6, atol=1e-7)


def test_random_features_leave_the_global_stream_alone() -> None:
    before = torch.get_rng_state()
    RandomFeatures(1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shape", SHAPES)
def test_random_features_of_any_size(shape: tuple[int, ...]) -> None:
    images = random_images(3, *shape)
    assert built("random", images)(images).features.shape == (3, 128)


@pytest.mark.parametrize("shape", SHAPES)
def test_thumbnails_keep_the_mean(shape: tuple[int, ...]) -> None:
    images = random_images(3, *shape)
    pixels = built("pixels", images)(images).features
    assert pixels.shape[1] <= PIXEL_LIMIT
    expected = images.double().mean((1, 2, 3)) / 255
    torch.testing.assert_close(pixels.double().mean(1), expected, atol=0.05, rtol=0)


def test_small_images_are_their_own_pixel_features() -> None:
    images = random_images(2, 3, 8, 8)
    torch.testing.assert_close(PixelFeatures(3, 8, 8)(images), images.flatten(1) / 255)


def test_vectors_are_their_own_features() -> None:
    vectors = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(built("identity", vectors)(vectors).features, vectors)


@pytest.mark.parametrize(
    ("name", "kind"), [("random", "image"), ("pixels", "image"), ("identity", "vector")]
)
def test_what_they_say_of_themselves(name: str, kind: str) -> None:
    samples = random_images(2, 3, 8, 8) if kind == "image" else random_images(2, 3).float()
    features = built(name, samples)
    assert features.name == name
    assert features.kinds == {kind}
    assert not features.classifies
    assert features.describe() == {"version": 1}
    assert features(samples).logits is None


# Their ranking


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """Twice 1,500 MNIST digits: 2 x (1500, 1, 32, 32) uint8."""
    images = MNIST5k().tensors()["real"]
    order = torch.randperm(5000, generator=torch.Generator().manual_seed(0))
    return images[order[:1500]], images[order[1500:3000]]


def noisy(images: Tensor, std: float) -> Tensor:
    """With Gaussian noise; `std` as a share of the range."""
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images + 255 * std * noise).round().clamp(0, 255).byte()


def blurred(images: Tensor, std: float) -> Tensor:
    """By a Gaussian of `std` pixels; (N, 1, H, W)."""
    radius = math.ceil(3 * std)
    kernel = torch.exp(-torch.arange(-radius, radius + 1.0).square() / (2 * std**2))
    kernel /= kernel.sum()
    rows = F.conv2d(images.float(), kernel.view(1, 1, 1, -1), padding=(0, radius))
    return F.conv2d(rows, kernel.view(1, 1, -1, 1), padding=(radius, 0)).round().byte()


@torch.no_grad()
def untrained(images: Tensor) -> Tensor:
    torch.manual_seed(0)
    spec = InMemory({"real": images}).spec
    generator: nn.Module = networks.build({"name": "dcgan_generator"}, spec, where="network")
    return to_uint8(torch.cat([generator(torch.randn(250, 100)) for _ in range(4)]))


@pytest.mark.parametrize("name", ["random", "pixels"])
def test_ranking(name: str, digits: tuple[Tensor, Tensor]) -> None:
    """Held-out digits are nearest, then damage by its degree; farthest an untrained generator."""
    real, fresh = digits
    features = built(name, real)
    known = Moments.of(features(real).features)

    def distance(fake: Tensor) -> float:
        return frechet_distance(known, Moments.of(features(fake).features))

    assert distance(real) == pytest.approx(0, abs=1e-6)
    held_out, worst = distance(fresh), distance(untrained(real))
    for damage, degrees in ((noisy, (0.02, 0.05, 0.1, 0.2)), (blurred, (0.5, 1, 2, 4))):
        distances = [held_out, *(distance(damage(fresh, degree)) for degree in degrees), worst]
        assert distances == sorted(distances)
        assert distances[3] > 3 * held_out
    assert worst > 100 * held_out
    assert distance(fresh[:50].repeat(30, 1, 1, 1)) > 10 * held_out  # a generator of 50 images
