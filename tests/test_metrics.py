"""Features, metrics over a data set, and an evaluation that leaves no trace."""

from dataclasses import MISSING
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor, nn

from gan_cli.config.registry import keys_of
from gan_cli.config.schema import Metrics
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.sets.mnist_5k import MNIST5k
from gan_cli.evaluation.evaluation import Evaluation
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.metrics import metrics
from gan_cli.metrics.features.untrained import Random
from gan_cli.metrics.metric import value_name
from gan_cli.metrics.scorecard import Scorecard
from gan_cli.metrics.settings import parse_metrics, unmet_needs
from gan_cli.training.best import Scores
from gan_cli.utils.errors import ConfigError, NonFiniteError

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


class HandsOut(Game):
    """Sample k is the sample of seed k."""

    def __init__(self, samples: Tensor) -> None:
        super().__init__(nn.ModuleDict({"generator": nn.Linear(1, 1)}))
        self.samples = samples

    def sample(self, request: Request) -> Tensor:
        return self.samples[list(request.seeds)]


def replay(images: Tensor) -> Game:
    """A game that hands out uint8 images in order, as a generator would draw them."""
    return HandsOut(images.float() / 127.5 - 1)


def settings(features: str, compute: str = "fd", **shared: int | None) -> Metrics:
    faults: list[str] = []
    node = {"features": features, "compute": [compute], **shared}
    config = parse_metrics(node, "metrics", faults)
    assert not faults
    return config


def evaluate(
    features: str, dataset: InMemory, game: Game, count: int, real_count: int | None = None
) -> float:
    config = settings(features, count=count, real_count=real_count)
    card = Evaluation(config, dataset, CPU).evaluate(game)
    return card.values[f"fd_{features}"]


def measure(features: str, real: Tensor, fake: Tensor) -> float:
    return evaluate(features, held(real), replay(fake), len(fake))


def blurred(images: Tensor, kernel: int = 5) -> Tensor:
    return F.avg_pool2d(images.float(), kernel, 1, kernel // 2).to(torch.uint8)


def noise_like(images: Tensor) -> Tensor:
    return torch.randint(256, images.shape, generator=torch.Generator().manual_seed(9)).byte()


def digits() -> Tensor:
    """5,000 real MNIST digits: (5000, 1, 32, 32) uint8."""
    return MNIST5k().tensors()["real"]


# Metrics


@pytest.mark.parametrize("name", ["random", "pixels"])
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
    close = measure("random", real, fake)
    for damaged in (
        blurred(fake, 3),
        fake.roll(4, dims=3),
        fake.flip(2),
        fake[:50].repeat(50, 1, 1, 1),
    ):
        assert measure("random", real, damaged) > 3 * close
    assert measure("random", real, noise_like(fake)) > 100 * close


def test_pixels_of_a_known_shift() -> None:
    """All fakes brighter by s/255: covariances cancel, |m1 - m2|^2 = d (s/255)^2 is left."""
    real = torch.randint(50, 150, (500, 1, 8, 8), generator=torch.Generator().manual_seed(0)).byte()
    expected = 64 * (20 / 255) ** 2
    assert measure("pixels", real, real + 20) == pytest.approx(expected, rel=1e-4)


def test_generated_images_are_rounded_like_files() -> None:
    """What no image file could hold does not count: 0.4 of a gray level, and values beyond 1."""
    real = blobs(200, 0)
    wobble = 0.8 * torch.rand(real.shape, generator=torch.Generator().manual_seed(0)) - 0.4
    images = (real.float() + wobble) / 127.5 - 1
    images = torch.where(real == 255, images + 3, images)
    assert evaluate("random", held(real), HandsOut(images), 200) < 1e-6


def test_vectors() -> None:
    """N(0, I) against N(mu, 4 I) in two dimensions: |mu|^2 + 2 (2 - 1)^2."""
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 20_000, 2, generator=rng)
    game = HandsOut(fake * 2 + torch.tensor([3.0, 0.0]))
    assert evaluate("identity", held(real), game, 20_000) == pytest.approx(11, rel=0.02)


def test_both_kinds_of_data_set_give_the_same_statistics(monkeypatch, tmp_path) -> None:
    images, found = {"real": blobs(300, 0)}, []
    for kind in (InMemory, Streamed):
        monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / kind.__name__))
        found.append(Evaluation(settings("random", real_count=260), kind(images), CPU).real)
    assert found[0].count == 260
    torch.testing.assert_close(
        found[0].moments.covariance, found[1].moments.covariance, rtol=0, atol=0
    )


def test_non_finite_samples_are_no_number() -> None:
    game = HandsOut(torch.full((20, 3, 24, 24), torch.nan))
    with pytest.raises(NonFiniteError, match="not finite"):
        evaluate("pixels", held(blobs(20, 0)), game, 20)


def test_real_statistics_are_cached_by_content(monkeypatch, tmp_path) -> None:
    """Other pixels under any name are computed anew; the same pixels in another set are not."""
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path))
    embedded = []
    plain = Random.__call__
    monkeypatch.setattr(
        Random, "__call__", lambda self, x: embedded.append(len(x)) or plain(self, x)
    )
    images = blobs(60, 0)
    first = Evaluation(settings("random"), held(images), CPU).real
    again = Evaluation(settings("random"), Streamed({"real": images.clone()}), CPU).real
    assert embedded == [60]
    assert torch.equal(first.moments.mean, again.moments.mean)
    images[7, 0, 3, 3] ^= 1
    Evaluation(settings("random"), held(images), CPU).real  # noqa: B018
    assert embedded == [60, 60]


def test_a_damaged_cache_is_computed_anew(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path))
    data = held(blobs(60, 0))
    first = Evaluation(settings("random"), data, CPU).real
    (file,) = tmp_path.glob("statistics/*.pt")
    file.write_bytes(file.read_bytes()[:-100])
    again = Evaluation(settings("random"), data, CPU).real
    assert torch.equal(first.moments.covariance, again.moments.covariance)


def test_too_few_samples_are_said() -> None:
    card = Evaluation(settings("random", count=60), held(blobs(60, 0)), CPU).evaluate(
        replay(blobs(60, 1))
    )
    assert len(card.warnings) == 2
    assert "only 60 generated samples for features of 128 dimensions" in card.warnings[1]
    enough = Evaluation(settings("random", count=200), held(blobs(200, 0)), CPU)
    assert not enough.evaluate(replay(blobs(200, 1))).warnings


# Evaluation


class Noisy(nn.Module):
    """Draws noise inside its forward pass, and has a norm that follows what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.BatchNorm2d(3).eval()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.norm(z + torch.randn_like(z)))


class Draws(Game):
    """The samples of a Noisy network, whose game must not learn while it is judged."""

    def __init__(self) -> None:
        super().__init__(nn.ModuleDict({"generator": Noisy()}))

    def sample(self, request: Request) -> Tensor:
        network = self.networks["generator"]
        assert not network.training
        assert not torch.is_grad_enabled()
        return network(request.noise.normal(3, 24, 24))


def test_an_evaluation_leaves_no_trace() -> None:
    game = Draws()
    network = game.networks["generator"]
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    config = Metrics(
        300, None, {"fd": {"name": "fd"}, "prdc": {"name": "prdc"}}, {"name": "random"}
    )
    evaluation = Evaluation(config, held(blobs(300, 0)), CPU)
    before = torch.get_rng_state()
    first = evaluation.evaluate(game)
    assert torch.equal(torch.get_rng_state(), before)
    assert network.training
    assert network.norm.training
    assert not network.frozen.training
    assert all(torch.equal(weights[key], value) for key, value in network.state_dict().items())
    torch.manual_seed(123)  # wherever the training's stream stands, the same samples are judged
    assert evaluation.evaluate(game) == first
    assert {"fd_random", "coverage_random", "recall_random"} <= first.values.keys()
    assert first.lower_is_better == {"fd_random": True, "coverage_random": False}


def test_modes_come_back_after_an_error() -> None:
    class Breaks(Draws):
        def sample(self, request: Request) -> Tensor:
            return super().sample(request) / (1 // 0)

    game = Breaks()
    evaluation = Evaluation(settings("pixels"), held(blobs(20, 0)), CPU)
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        evaluation.evaluate(game)
    assert game.networks["generator"].training
    assert torch.equal(torch.get_rng_state(), before)


# Settings


def faults_of(**node: object) -> str:
    faults: list[str] = []
    parse_metrics(node, "metrics", faults)
    return "\n".join(faults)


def test_all_faults_at_once() -> None:
    told = faults_of(features="randon", compute={"fdd": {}, "kd": {"subset": 2}}, conut=3)
    assert "metrics.features: unknown features 'randon'; did you mean 'random'?" in told
    assert "unknown metric 'fdd'; did you mean 'fd'?" in told
    assert "unknown key 'subset'; did you mean 'subsets'?" in told
    assert "metrics.conut: unknown key 'conut'; did you mean 'count'?" in told


def test_an_option_of_other_features_is_refused() -> None:
    assert "metrics.resize: unknown key" in faults_of(features="random", resize="clean")


def test_fid_is_a_name_for_the_distance_and_never_for_its_value() -> None:
    config = settings("random", "fid", count=200)
    card = Evaluation(config, held(blobs(200, 0)), CPU).evaluate(replay(blobs(200, 1)))
    assert list(card.values) == ["fd_random"]
    assert value_name("fd", "inception") == "fid"
    assert value_name("kd_std", "inception") == "kid_std"
    assert value_name("fd", "inception_0123abcd") == "fd_inception_0123abcd"
    assert value_name("precision", "inception") == "precision_inception"


@pytest.mark.parametrize(
    ("compute", "features", "provided", "told"),
    [
        ("is", "random", {"label"}, "needs features with class logits"),
        ("class_fd", "random", set(), "needs labelled data"),
        ("modes", "pixels", {"label"}, "needs data with known modes"),
        ("kd", "random", set(), "metrics.count: kd needs 1000 or more, got 500"),
    ],
)
def test_unmet_needs(compute: str, features: str, provided: set[str], told: str) -> None:
    config = settings(features, compute, count=500, real_count=2000)
    assert told in "\n".join(unmet_needs(config, frozenset(provided)))
    met = settings("random", "fd", count=500)
    assert not list(unmet_needs(met, frozenset()))


def test_features_and_shapes_must_fit() -> None:
    with pytest.raises(ConfigError, match="features=random"):
        Evaluation(settings("identity"), held(blobs(20, 0)), CPU)
    with pytest.raises(ConfigError, match="features=identity"):
        Evaluation(settings("random"), held(torch.zeros(20, 2)), CPU)


def test_more_real_samples_than_there_are_is_told_before_training() -> None:
    with pytest.raises(ConfigError, match=r"metrics\.compute\.kd: needs 1000 samples a side"):
        Evaluation(settings("pixels", "kd"), held(blobs(20, 0)), CPU)


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_yaml_holds_every_option_with_its_default(file: Path) -> None:
    """What a user sees in the YAML is what there is to set."""
    node = yaml.safe_load(file.read_text())
    for name, options in node["compute"].items():
        keys = keys_of(metrics.entries[name])
        assert options.keys() == keys.keys()
        for key, (_, default) in keys.items():
            default = default["name"] if isinstance(default, dict) else default
            assert default is MISSING or options[key] == default, f"{file.stem}: {name}.{key}"


def test_scores_keep_the_best_of_either_direction() -> None:
    scores = Scores()
    both = {"fd_random": True, "coverage_random": False}
    assert scores.record(10, Scorecard({"fd_random": 3.0, "coverage_random": 0.2}, both))
    assert not scores.record(20, Scorecard({"fd_random": 4.0, "coverage_random": 0.5}, both))
    assert scores.best == {"fd_random": (3.0, 10), "coverage_random": (0.5, 20)}
    assert scores.last["fd_random"] == (4.0, 20)
    assert scores.objective == 3.0
    again = Scores()
    again.load_state_dict(scores.state_dict())
    assert again.outcome() == scores.outcome()
    first = Scorecard({"coverage_random": 0.1}, {"coverage_random": False})
    assert not again.record(30, first)  # now this one decides, and 0.5 was better
    assert again.objective == 0.5
    assert list(again.best) == ["coverage_random"]
