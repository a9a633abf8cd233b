"""Log densities by the probability flow, against laws whose densities are known."""

import json
import math

import pytest
import torch
from scipy.stats import norm

from gan_cli.data.dataset import Dataset
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.spec import Field, image_spec
from gan_cli.diffusion.likelihood import log_density
from gan_cli.evaluation.collect import no_progress
from gan_cli.evaluation.likelihoods import likelihood_of
from gan_cli.metrics.metric import Collected, metrics
from gan_cli.utils.errors import ConfigError, NonFiniteError
from gan_cli.validation.validate import validate
from tests.exact_diffusion import STD, Ring, schedule_of
from tests.helpers import SMALL, built, composed, small, trained

MEAN, SPREAD = 120.0, 20.0  # of pixels


def ring_log_density(x, ratio):
    """Of the ring with noise of standard deviation `ratio`."""
    variance = STD**2 + ratio**2
    squared = torch.cdist(x, Ring().means).square()
    terms = -squared / (2 * variance) - math.log(2 * math.pi * variance) - math.log(8)
    return terms.logsumexp(1)


@pytest.mark.parametrize("name", ["vp", "ve", "sub_vp", "edm", "linear", "cosine"])
def test_the_flow_finds_the_density_of_a_mixture(name):
    schedule, x = schedule_of(name), Ring().draw(60)
    x = torch.cat((x, x[:20] * 0.9))  # between the modes, too
    found = log_density(Ring(), schedule, x, steps=40)
    expected = ring_log_density(x, schedule.level(schedule.first).ratio)
    assert (found - expected).abs().median() < 3e-3
    assert (found - expected).mean().abs() < 0.02


def test_a_random_direction_estimates_the_density_without_bias():
    schedule, x = schedule_of("vp"), Ring().draw(1).expand(1500, 2)
    random = torch.Generator().manual_seed(0)
    probes = torch.randint(0, 2, x.shape, generator=random).double() * 2 - 1
    found = log_density(Ring(), schedule, x, 20, probes)
    exact = log_density(Ring(), schedule, x[:1], 20)
    assert found.std() > 0.01
    assert (found.mean() - exact).abs() < 4 * found.std() / math.sqrt(len(x))


class Normal(torch.nn.Module):
    """The noise of normal data, as a network that predicts it exactly."""

    bounded, conditional, classes, predicts_variance = True, False, 0, False

    def __init__(self, schedule, shape, mean, std):
        super().__init__()
        self.schedule, self.shape, self.mean, self.std = schedule, shape, mean, std
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, sample, time, label=None):
        scale = self.schedule.label(torch.ones(1))  # of what a network is told of the time
        marginal = self.schedule.marginal(time / scale)
        alpha, sigma = (v.view(-1, *[1] * (sample.ndim - 1)) for v in marginal)
        difference = sample - alpha * self.mean
        return self.weight + sigma * difference / ((alpha * self.std) ** 2 + sigma**2)


def pictures() -> tuple[Dataset, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    values = (MEAN + SPREAD * torch.randn(64, 1, 3, 4, generator=random)).round()
    return InMemory({"real": values.to(torch.uint8)}), values


def measured(game, dataset, **options):
    metric = metrics.build({"name": "likelihood", **options}, where="metric")
    fake = Collected(0, likelihood=likelihood_of(game, dataset, dataset.spec, no_progress))
    return metric(Collected(0), fake)


@pytest.mark.parametrize("trace", ["exact", "estimate"])
def test_bits_per_dim_of_whole_numbers_are_those_of_their_probabilities(trace):
    dataset, values = pictures()
    words = ("model=ddpm", "dataset.size=16", "model.game.schedule={name: vp, first: 1.0e-5}")
    game = built(small(*words, "model.networks.denoiser.width=8"), image_spec((1, 16, 16)))
    schedule = game.noise_schedule
    game.networks["denoiser"] = Normal(schedule, (1, 3, 4), MEAN / 127.5 - 1, SPREAD / 127.5)
    found = measured(game, dataset, trace=trace)
    std = math.hypot(SPREAD, 127.5 * schedule.level(schedule.first).ratio)
    x = values.numpy()
    mass = norm.cdf(x + 0.5, MEAN, std) - norm.cdf(x - 0.5, MEAN, std)
    expected = -torch.from_numpy(mass).log2()
    assert found["bits_per_dim"] == pytest.approx(expected.mean().item(), abs=0.004)
    error = expected.flatten(1).mean(1).std().item() / math.sqrt(len(x))
    assert found["bits_per_dim_error"] == pytest.approx(error, rel=0.1)


def test_vectors_are_measured_in_nats_and_the_same_ones_are_picked_again():
    field = Field("vector")
    data = InMemory({"real": 2 + 0.5 * torch.randn(300, 3)}, field=field)
    words = ("model=ddpm_mlp", "dataset=ring", "model.networks.denoiser.width=4")
    game = built(small(*words), data.spec)
    game.networks["denoiser"] = Normal(game.noise_schedule, (3,), 2.0, 0.5)
    found = measured(game, data, count=120, steps=6)
    entropy = math.log(0.5) + math.log(2 * math.pi * math.e) / 2
    assert found["nats_per_dim"] == pytest.approx(entropy, abs=0.15)
    assert found == measured(game, data, count=120, steps=6)


def test_a_score_of_other_shapes_or_of_no_finite_network_is_refused():
    dataset, _ = pictures()
    words = ("model=ddpm_mlp", "dataset=ring", "model.networks.denoiser.width=4")
    game = built(small(*words))
    with pytest.raises(ConfigError, match=r"the data have samples of shape \(1, 3, 4\)"):
        measured(game, dataset)
    with torch.no_grad():
        next(game.networks.parameters()).fill_(math.nan)
    with pytest.raises(NonFiniteError, match="log likelihoods"):
        measured(game, InMemory({"real": torch.randn(5, 2)}, field=Field("vector")), steps=2)


@pytest.mark.parametrize("model", ["mlp", "ddgan_mlp"])
def test_models_without_a_likelihood_are_refused(model):
    with pytest.raises(ConfigError) as caught:
        validate(composed("run=x", f"model={model}", "dataset=ring", "metrics=likelihood"))
    (fault,) = caught.value.faults
    assert fault.startswith("metrics.compute.likelihood: needs a model of diffusion")


def test_a_run_scores_by_likelihood_and_its_card_states_the_calls(tmp_path):
    words = [word for word in SMALL if not word.startswith(("every", "metrics"))]
    every = "every={log: 1, preview: 0, evaluate: 2, checkpoint: 0}"
    options = "metrics.compute.likelihood={count: 20, steps: 2}"
    network = "model.networks.denoiser={width: 8, conditioning: embed}"
    config = composed(*words, "dataset.size=8", "model=ddpm_mlp", network, every,
                      "metrics=likelihood", options)  # fmt: skip
    run = trained(validate(config), tmp_path)
    assert run.scores.best is not None
    card = json.loads((tmp_path / "cards" / "last.json").read_text())
    assert 0 < card["values"]["bits_per_dim"] < 50
    assert card["protocol"]["likelihood"] == {"network_calls": 8, "trace": "estimate"}


def test_labels_are_counted_as_the_model_counts_them():
    real, label = torch.randn(6, 2), torch.tensor([0, 1, 0, 1, 1, 0])
    data, other = (
        InMemory({"real": real, "label": label}, 2, names, field=Field("vector"))
        for names in (("cat", "dog"), ("dog", "cat"))
    )
    words = (
        "model=ddpm_mlp",
        "model.networks.denoiser.width=4",
        "model.networks.denoiser.conditioning=embed",
    )
    game = built(small(*words), data.spec)
    given = likelihood_of(game, data, other.spec, no_progress)
    assert given is not None
    assert given.numbered(label).tolist() == [1, 0, 1, 0, 0, 1]
    same = likelihood_of(game, data, data.spec, no_progress)
    assert same.numbered(label).tolist() == label.tolist()
