"""Noise schedules: published constants, and what a network predicts."""

import math

import pytest
import torch

from gan_cli.diffusion import predictions, weightings
from gan_cli.diffusion.posterior import posterior
from gan_cli.diffusion.schedules.schedule import CLEAN
from gan_cli.diffusion.variational import bound, discrete_nll, smallest
from gan_cli.utils.errors import ConfigError
from tests.exact_diffusion import schedule_of

TABULATED = ("linear", "cosine", "sigmoid")


def alpha_bar(schedule, timestep: int) -> float:
    """Counted from 1, as in the papers."""
    return schedule.level(timestep - 1.0).alpha ** 2


def test_the_linear_schedule_has_the_constants_of_ddpm():
    schedule = schedule_of("linear")
    assert alpha_bar(schedule, 1) == pytest.approx(0.9999)
    assert alpha_bar(schedule, 500) == pytest.approx(0.0785872, rel=1e-6)
    assert alpha_bar(schedule, 1000) == pytest.approx(4.03583e-5, rel=1e-6)
    long = schedule_of("linear", timesteps=4000)
    assert long.betas[[0, -1]].tolist() == pytest.approx([2.5e-5, 0.005])
    assert alpha_bar(long, 4000) == pytest.approx(4.24665e-5, rel=1e-5)
    assert alpha_bar(schedule_of("linear", timesteps=100), 100) == pytest.approx(2.039e-5, rel=1e-3)


def test_the_cosine_schedule_has_the_constants_of_the_improved_ddpm():
    schedule = schedule_of("cosine")
    assert schedule.betas[0].item() == pytest.approx(4.12842e-5, rel=1e-5)
    assert schedule.betas[998].item() == pytest.approx(0.749999, abs=1e-5)
    assert (schedule.betas == 0.999).nonzero().flatten().tolist() == [999]
    assert alpha_bar(schedule, 500) == pytest.approx(0.4938436, rel=1e-6)
    assert alpha_bar(schedule, 1000) == pytest.approx(2.42877e-9, rel=1e-4)


def test_the_sigmoid_schedule_is_half_way_at_half_time():
    assert alpha_bar(schedule_of("sigmoid"), 500) == pytest.approx(0.5)


@pytest.mark.parametrize("name", TABULATED)
def test_noise_grows_and_fractional_times_lie_between(name):
    schedule = schedule_of(name, timesteps=50)
    ratios = [schedule.level(float(t)).ratio for t in range(50)]
    assert ratios == sorted(ratios)
    between = schedule.level(10.5)
    assert ratios[10] < between.ratio < ratios[11]
    assert schedule.time_at(between.log_snr) == pytest.approx(10.5, abs=1e-6)
    times = schedule.draw(1000, torch.device("cpu"))
    assert set(times.tolist()) <= set(range(50))
    alpha, sigma = schedule.marginal(times)
    assert torch.allclose(alpha**2 + sigma**2, torch.ones(1000))


def test_the_posterior_is_that_of_the_paper():
    schedule, t = schedule_of("linear"), 500
    beta, bar, bar_before = (
        schedule.betas[t].item(),
        alpha_bar(schedule, t + 1),
        alpha_bar(schedule, t),
    )
    found = posterior(schedule.level(float(t)), schedule.level(t - 1.0))
    assert found.at_x0 == pytest.approx(math.sqrt(bar_before) * beta / (1 - bar))
    assert found.at_x == pytest.approx(math.sqrt(1 - beta) * (1 - bar_before) / (1 - bar))
    assert found.small == pytest.approx((1 - bar_before) / (1 - bar) * beta)
    assert found.large == pytest.approx(beta)
    last = posterior(schedule.level(0.0), CLEAN)
    assert (last.at_x, last.at_x0, last.small) == pytest.approx((0, 1, 0))


@pytest.mark.parametrize("name", predictions.entries)
@pytest.mark.parametrize(("alpha", "sigma"), [(0.8, 0.6), (0.1, 0.995), (1.0, 30.0)])
def test_a_perfect_prediction_gives_the_data_back(name, alpha, sigma):
    prediction = predictions.build({"name": name}, where="prediction")
    x0, eps = torch.randn(2, 5, 3, dtype=torch.float64)
    x = alpha * x0 + sigma * eps
    target = prediction.target(x0, eps, alpha, sigma)
    assert torch.allclose(prediction.x0(target, x, alpha, sigma), x0)
    wrong = prediction.x0(target + 0.1, x, alpha, sigma) - x0
    scale = prediction.scale(alpha, sigma)
    assert torch.allclose(scale * wrong**2, torch.full_like(wrong, 0.01))


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("epsilon", lambda snr: min(snr, 5) / snr),
        ("x0", lambda snr: min(snr, 5)),
        ("v", lambda snr: min(snr, 5) / (snr + 1)),
    ],
)
def test_min_snr_weights_are_those_of_the_paper(name, factor):
    prediction = predictions.build({"name": name}, where="prediction")
    weighting = weightings.build({"name": "min_snr"}, where="weighting")
    for alpha in (0.1, 0.7, 0.999):
        sigma = math.sqrt(1 - alpha**2)
        found = weighting(prediction, torch.tensor(alpha), torch.tensor(sigma)).item()
        assert found == pytest.approx(factor(alpha**2 / sigma**2), rel=1e-4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "linear", "timesteps": 10}, "schedule.timesteps: 10 makes betas of 2"),
        ({"name": "cosine", "timesteps": 1}, "schedule.timesteps: must be at least 2"),
        ({"name": "sigmoid", "start": 3}, "schedule.start: is 3, and must be below end=3"),
        ({"name": "vp", "beta_start": 30.0}, "schedule.beta_start: 30 is above beta_end=20"),
        ({"name": "ve", "sigma_min": 60.0}, "schedule.sigma_min: 60 is not below sigma_max=50"),
        ({"name": "vp", "first": 1.5}, "schedule.first: is 1.5, and the last time is 1"),
        ({"name": "cosin"}, "schedule.name: unknown noise schedule 'cosin'; did you mean 'cosine'"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        schedule_of(**options)


def test_continuous_schedules_have_the_marginals_of_their_equations():
    assert schedule_of("vp").level(1.0).alpha == pytest.approx(math.exp(-19.9 / 4 - 0.1 / 2))
    level = schedule_of("vp").level(0.4)
    assert level.alpha**2 + level.sigma**2 == pytest.approx(1)
    assert schedule_of("sub_vp").level(0.4).sigma == pytest.approx(1 - level.alpha**2)
    exploding = schedule_of("ve")
    ends = [exploding.level(t).sigma for t in (0.0, 0.5, 1.0)]
    assert ends == pytest.approx([0.01, math.sqrt(0.5), 50])
    torch.manual_seed(0)
    log_sigma = schedule_of("edm").draw(100_000, torch.device("cpu"))
    assert (log_sigma.mean().item(), log_sigma.std().item()) == pytest.approx((-1.2, 1.2), abs=0.02)


def test_the_bound_on_the_likelihood_is_that_of_the_paper():
    """With a perfect estimate, only the variance costs bits, and the right one costs none."""
    schedule, real = schedule_of("linear"), torch.rand(3, 2, 4, 4) * 2 - 1
    time = torch.tensor([1.0, 500.0, 999.0])

    def bits(x0, spread, discrete=False, time=time):
        return bound(schedule, real, x0, time, torch.full_like(real, spread), discrete)

    assert torch.allclose(bits(real, 0.0), torch.zeros(3), atol=1e-5)
    ratio = (posterior(schedule.level(500.0), schedule.level(499.0)).small) / schedule.betas[500]
    expected = (ratio - 1 - ratio.log()) / 2 / math.log(2)
    assert bits(real, 1.0)[1].item() == pytest.approx(expected.item(), abs=1e-5)
    step = posterior(schedule.level(500.0), schedule.level(499.0))
    shifted = (step.at_x0 * 0.1) ** 2 / (2 * step.small) / math.log(2)
    assert bits(real + 0.1, 0.0)[1].item() == pytest.approx(shifted, rel=1e-3)


def test_the_last_step_costs_the_bits_of_the_data():
    schedule, zero = schedule_of("linear"), torch.zeros(1)
    values = torch.linspace(-1, 1, 256).view(1, 256)
    mean = torch.full_like(values, values[0, 100].item())
    log_variance = torch.full_like(values, -8.0)
    mass = (-discrete_nll(values, mean, log_variance)).exp()
    assert mass.sum().item() == pytest.approx(1, abs=1e-5)
    discrete = bound(schedule, values, values, zero, torch.zeros_like(values), True)
    assert 0 < discrete.item() < 1.5
    std = smallest(schedule, zero).sqrt()
    density = bound(schedule, values, values, zero, torch.zeros_like(values), False)
    assert density.item() == pytest.approx(
        (std.log() + math.log(2 * math.pi) / 2).item() / math.log(2), rel=1e-4
    )
