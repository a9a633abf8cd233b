"""Path length as a metric: closed forms on linear generators, W and Z, labels, refusals."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from gan_cli.checkpoints.choice import opened, run_folder
from gan_cli.data.spec import Field, Spec, image_spec, vector_spec
from gan_cli.evaluation.latents import GameLatents
from gan_cli.evaluation.metric_set import MetricSet
from gan_cli.evaluation.options import checked_options
from gan_cli.evaluation.score import score
from gan_cli.games.request import Request
from gan_cli.games.restore import restore_game
from gan_cli.metrics import metrics
from gan_cli.metrics.distances import distances
from gan_cli.metrics.metric import Collected
from gan_cli.metrics.path_length import trimmed_mean
from gan_cli.metrics.settings import parse_metrics
from gan_cli.networks import networks
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests import checkpoint_files
from tests.checkpoint_files import Deaf
from tests.helpers import composed
from tests.stylegan2_networks import SHORT, TINY

LATENT = 32


class Scaled(nn.Module):
    """Latents times `gain`, as an image of 4 x 8 pixels; the label sets the gain of a class."""

    def __init__(self, spec: Spec, *, prior: str = "uniform", conditioning: str = "none") -> None:
        super().__init__()
        self.latent_dim, self.prior, self.shape = LATENT, prior, spec.shape
        self.conditional = conditioning != "none"
        self.gain = nn.Parameter(torch.tensor(0.01))

    def forward(self, latent, label=None):
        gains = 1 + label[:, None] if self.conditional else 1
        return (self.gain * gains * latent).view(-1, *self.shape)


class Mapped(Scaled):
    """A generator with styles: two of them, of which the second makes the image."""

    styled = 2

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec, prior="normal")
        self.register_buffer("w_avg", torch.zeros(LATENT))

    def styles(self, latent, label=None):
        w = latent * (LATENT**0.5 / latent.norm(dim=1, keepdim=True))
        return torch.stack([torch.zeros_like(w), w], 1)

    def synthesis(self, styles, noise=None):
        return (self.gain * styles[:, 1]).view(-1, *self.shape)

    def forward(self, latent, label=None, truncation=None, truncation_cutoff=None):
        return self.synthesis(self.styles(latent))


SPEC = image_spec((1, 4, 8))


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, network in {"deaf": Deaf, "scaled": Scaled, "mapped": Mapped}.items():
        monkeypatch.setitem(networks.entries, name, network)


def saved(node, spec=SPEC):
    nodes = {"generator": node, "discriminator": {"name": "deaf"}}
    checkpoint_files.write(checkpoint_files.state_of(nodes, spec))


def path_length(node, spec=SPEC, labels=None, **options) -> dict[str, float]:
    """The value of the metric for a new network, by the collection that a run uses."""
    saved(node, spec)
    game = restore_game(opened(checked_options({"run": "x", "metrics": {}}), run_folder("x")), True)
    faults: list[str] = []
    named = {"distance": "pixels", "count": 400, **options}
    node = {"count": 8, "compute": {"path_length": named}}
    settings = parse_metrics(node, "metrics", faults)
    assert not faults
    fake = MetricSet(settings, None, torch.device("cpu")).generated(
        game, spec, Request(range(8), labels)
    )
    metric = metrics.build({"name": "path_length", **named}, where="it")
    values: dict[str, float] = metric(Collected(8), fake)
    return values


def test_on_a_line_it_is_the_squared_distance_of_the_ends():
    """E |a (z' - z)|^2 / D is 2 a^2 var(z), with a variance of 1/3."""
    for sampling in ("end", "full"):
        values = path_length({"name": "scaled"}, sampling=sampling)
        expected = 2 * 0.01**2 / 3
        assert values == {"path_length_z_pixels": pytest.approx(expected, rel=0.04)}


def test_on_an_arc_it_is_the_squared_angle_times_the_squared_radius():
    """Random directions in 32 dimensions have an angle of pi/2 and a variance of 1/32."""
    values = path_length({"name": "scaled", "prior": "normal"}, sampling="full")
    expected = 0.01**2 * (math.pi**2 / 4 + 1 / LATENT)
    assert values["path_length_z_pixels"] == pytest.approx(expected, rel=0.08)


def test_styles_are_joined_by_lines_and_latents_of_mapping_networks_by_arcs_of_the_sphere():
    """|w' - w|^2 is 2 D (1 - cos), and the arc has a length of D angle^2."""
    straight = path_length({"name": "mapped"})
    assert straight == {"path_length_w_pixels": pytest.approx(2e-4, rel=0.04)}
    round_ = path_length({"name": "mapped"}, space="z")
    expected = 1e-4 * (math.pi**2 / 4 + 1 / LATENT)
    assert round_ == {"path_length_z_pixels": pytest.approx(expected, rel=0.04)}


def test_both_ends_have_the_label_of_the_sample():
    """Classes with the gains 1, 2 and 3, a third each, have a mean square of 14/3."""
    spec = image_spec((1, 4, 8), 3)
    node = {"name": "scaled", "conditioning": "embed"}
    values = path_length(node, spec, torch.arange(8) % 2 + 1)
    expected = 2 * 0.01**2 / 3 * (4 + 9) / 2
    assert values["path_length_z_pixels"] == pytest.approx(expected, rel=0.1)


def test_samples_are_not_rounded_and_the_noise_of_a_pair_is_one():
    """Steps of 1e-4 change no pixel of 256 levels; other noise would change all of them."""
    node = {"name": "stylegan2_generator", **TINY, **SHORT}
    saved(node, image_spec((3, 8, 8)))
    game = restore_game(opened(checked_options({"run": "x", "metrics": {}}), run_folder("x")), True)
    for name, parameter in game.networks["generator"].named_parameters():
        if name.endswith("strength"):
            nn.init.constant_(parameter, 0.5)
    field = Field("image", (3, 8, 8))
    latents = GameLatents(game, Request(range(3)), field)
    first, _ = latents.pairs(70, "w")
    points = torch.stack([first, first + 1e-5], 1)
    pairs = torch.cat(list(latents.samples(points, "w")))
    assert pairs.shape == (70, 2, 3, 8, 8)
    change = (pairs[:, 0] - pairs[:, 1]).abs().flatten(1).amax(1)
    assert ((change > 0) & (change < 1e-3)).all()
    assert (pairs[0] - pairs[1]).abs().max() > 0.1


def test_values_do_not_depend_on_the_step():
    one, two = (path_length({"name": "scaled"}, epsilon=e, count=50) for e in (1e-4, 1e-2))
    assert one["path_length_z_pixels"] == pytest.approx(two["path_length_z_pixels"], rel=1e-2)


def test_the_shortest_and_longest_percent_are_left_out():
    lengths = np.r_[np.arange(1.0, 200.0), 1e9]
    assert trimmed_mean(lengths) == pytest.approx(np.arange(2, 200).mean(), rel=0.01)
    assert trimmed_mean(np.array([3.0])) == 3


@pytest.mark.parametrize("name", ["pixels", "random"])
def test_distances_are_squares_of_small_changes(name):
    field = Field("image", (3, 16, 16))
    distance = distances.build({"name": name}, field, torch.device("cpu"), where="it")
    image, change = torch.rand(2, 2, 3, 16, 16)
    change /= 100
    assert torch.equal(distance(image, image), torch.zeros(2))
    near, far = distance(image, image + change / 2), distance(image, image + change)
    torch.testing.assert_close(far / near, torch.full((2,), 4.0), rtol=0.05, atol=0)
    torch.testing.assert_close(distance(image, image + change), distance(image + change, image))
    moved = (image + change).requires_grad_()
    distance(image, moved).sum().backward()
    assert moved.grad.abs().sum() > 0


def test_random_features_see_a_shift_that_pixels_weigh_alike():
    field = Field("image", (1, 16, 16))
    plain = torch.zeros(1, 1, 16, 16)
    smooth, noisy = plain + 0.1, plain + 0.1 * torch.randn_like(plain).sign()
    pixels, random = (
        distances.build({"name": name}, field, torch.device("cpu"), where="it")
        for name in ("pixels", "random")
    )
    assert pixels(plain, smooth).item() == pytest.approx(pixels(plain, noisy).item())
    assert random(plain, smooth).item() != pytest.approx(random(plain, noisy).item(), rel=0.05)


# ---- Commands


def test_gan_fid_writes_it_into_a_card():
    saved({"name": "scaled"})
    keys = {"compute": {"path_length": {"count": 40}}, "features": "random", "count": 8}
    np.savez("real.npz", images=np.zeros((8, 4, 8, 1), np.uint8))
    words = {"run": "x", "metrics": keys, "real": "real.npz", "device": {"accelerator": "cpu"}}
    card, path = score(checked_options(words), run_folder("x"))
    assert list(card["values"]) == ["path_length_z_random"]
    assert card["metrics"]["path_length"]["count"] == 40
    assert Path(path).is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"fake": "real.npz", "run": None}, "path_length: needs a model whose generator takes"),
        ({"options": {"space": "w"}}, r"path_length.space: w needs styles.*path_length.space=z"),
        ({"options": {"space": "x"}}, "path_length.space: "),
        ({"options": {"epsilon": 0}}, "path_length.epsilon: must be above 0"),
        ({"options": {"distance": "lips"}}, "path_length.distance.name: .*mean 'lpips'"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured(words, told):
    saved({"name": "scaled"})
    np.savez("real.npz", images=np.zeros((8, 4, 8, 1), np.uint8))
    compute = {"path_length": {"count": 4, **words.pop("options", {})}}
    keys = {"compute": compute, "features": "random", "count": 8}
    words = {"run": "x", "metrics": keys, "real": "real.npz"} | words
    with pytest.raises(ConfigError, match=told):
        score(checked_options(words), run_folder("x") if words["run"] else None)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("metrics=path_length",), None),
        (("metrics=path_length", "model=stylegan2", "metrics.compute.path_length.space=w"), None),
        (("metrics=path_length", "metrics.compute.path_length.space=w"), "space: w needs styles"),
    ],
)
def test_a_training_says_at_once_whether_it_fits(words, told):
    if told is None:
        assert validate(composed("run=x", "dataset=mnist_5k", *words))
        return
    with pytest.raises(ConfigError, match=told):
        validate(composed("run=x", "dataset=mnist_5k", *words))


def test_vectors_have_the_distance_of_their_numbers():
    spec = vector_spec(LATENT)
    saved({"name": "scaled"}, spec)
    values = path_length({"name": "scaled"}, spec)
    assert values["path_length_z_pixels"] == pytest.approx(2 * 0.01**2 / 3, rel=0.05)
    with pytest.raises(ConfigError, match="distance: random compares images"):
        path_length({"name": "scaled"}, spec, distance="random")
