"""Samplers of diffusion without a network: the scores of a ring of modes are known exactly.

A perfect sampler has a share of 0.989 within three deviations, and a deviation of 0.0493 among
these, 0.05 without the cut. Few steps miss that by discretization alone.
"""

import pytest
import torch

from gan_cli.diffusion import noise_schedules, samplers
from gan_cli.metrics.transport import wasserstein
from gan_cli.utils.errors import ConfigError
from tests.exact_diffusion import STD, OneStream, Ring, drawn, sampler_of, schedule_of

COUNT = 2000  # the standard error of the share is 0.0024


@pytest.mark.parametrize(
    ("variance", "share", "std"), [("small", 0.9984, 0.0366), ("large", 0.967, 0.053)]
)
def test_ancestral_sampling_shrinks_or_widens_modes_as_computed_independently(variance, share, std):
    """Of 100 timesteps; the small variance is right for a point, the large one for noise."""
    sampler = sampler_of("ancestral", steps=100, variance=variance)
    found = Ring().scores(drawn(sampler, schedule_of("linear", timesteps=100), COUNT))
    assert found == pytest.approx((share, std), abs=0.004)


# vp_steps has four times, between which its steps are learned: test_ddgan.py.
@pytest.mark.parametrize(
    "schedule", [name for name in noise_schedules.entries if name != "vp_steps"]
)
@pytest.mark.parametrize(
    ("name", "steps", "calls"),
    [("dpm_solver", 20, 20), ("heun", 18, 35), ("probability_flow", 20, 77), ("ddim", 100, 99)],
)
def test_deterministic_samplers_reach_the_law(name, steps, calls, schedule):
    options = {"spacing": "log_snr"} if name == "ddim" else {}
    sampler, noise = sampler_of(name, steps=steps, **options), schedule_of(schedule)
    assert sampler.deterministic
    assert sampler.calls(noise) == pytest.approx(calls, abs=calls // 4)
    share, std = Ring().scores(drawn(sampler, noise, COUNT))
    assert share > 0.974
    assert std == pytest.approx(0.048, abs=0.0035)


def test_few_steps_fail_by_discretization_and_better_methods_need_fewer():
    noise = schedule_of("linear")
    euler, multistep = (
        Ring().scores(drawn(sampler_of(name, steps=10), noise, COUNT))[0]
        for name in ("ddim", "dpm_solver")
    )
    assert euler < 0.4
    assert multistep > 0.94


def test_deterministic_samplers_agree_on_where_a_start_leads():
    noise = schedule_of("linear")
    ends = [
        drawn(sampler_of(name, steps=steps, **options), noise, 200)
        for name, steps, options in (
            ("ddim", 300, {"spacing": "log_snr"}),
            ("dpm_solver", 100, {}),
            ("heun", 60, {"spacing": "log_snr"}),
            ("probability_flow", 40, {}),
        )
    ]
    for end in ends[:-1]:
        assert (end - ends[-1]).norm(dim=1).quantile(0.9) < 0.01


def test_ddim_with_all_new_noise_is_ancestral_sampling_with_the_small_variance():
    noise = schedule_of("linear", timesteps=50)
    ancestral = drawn(sampler_of("ancestral", steps=50, variance="small"), noise, 50)
    ddim = sampler_of("ddim", steps=50, eta=1.0)
    assert not ddim.deterministic
    assert torch.allclose(drawn(ddim, noise, 50), ancestral, atol=1e-9)


def test_churn_adds_noise_and_keeps_the_law():
    sampler = sampler_of("heun", steps=40, churn=20.0)
    assert not sampler.deterministic
    share, std = Ring().scores(drawn(sampler, schedule_of("cosine"), COUNT))
    assert share > 0.977
    assert std == pytest.approx(0.051, abs=0.0025)


@pytest.mark.parametrize("schedule", ["vp", "sub_vp", "ve"])
def test_langevin_steps_correct_the_errors_of_few_steps(schedule):
    """The predictor's large variance leaves modes too wide, and its small one too narrow."""
    noise, law = schedule_of(schedule), Ring().draw(1000).float()
    options = {"steps": 60, "spacing": "log_snr"}
    alone, corrected = (sampler_of("predictor_corrector", corrections=n, **options) for n in (0, 1))
    assert corrected.calls(noise) == 2 * alone.calls(noise) - 1
    wide, found = (drawn(sampler, noise, COUNT) for sampler in (alone, corrected))
    share, std = Ring().scores(found)
    assert share > 0.97
    assert abs(std - 0.0493) < abs(Ring().scores(wide)[1] - 0.0493)
    assert wasserstein(found[:1000].float(), law, 1)[0] < 0.12
    mode = torch.cdist(found, Ring().means).argmin(1)
    assert (mode.bincount(minlength=8) / COUNT - 1 / 8).abs().max() < 0.03


def test_langevin_steps_alone_keep_the_law_of_a_level():
    """At any level and snr small enough, and so for the noise of the correction itself."""
    sampler, noise = sampler_of("predictor_corrector", snr=0.1), schedule_of("ve")
    level, stream = noise.level_at(0.0), OneStream(COUNT)
    x = Ring().draw(COUNT) + level.sigma * stream.normal(2)
    for _ in range(20):
        x = sampler.corrected(x, Ring(), level, 1.0, stream)
    variance = STD**2 + level.sigma**2 + 0.5  # of modes, noise and the places on the circle
    assert x.var(0).tolist() == pytest.approx([variance, variance], rel=0.08)


def test_samplers_start_from_all_the_noise_of_a_schedule():
    noise = schedule_of("ve", sigma_max=400.0)
    for name in ("dpm_solver", "heun"):
        sampler = sampler_of(name, steps=40)
        assert sampler.levels(noise)[0].sigma == pytest.approx(400)
        assert Ring().scores(drawn(sampler, noise, COUNT))[0] > 0.974


@pytest.mark.parametrize("name", samplers.entries)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_every_sampler_ends_without_noise_in_any_number_of_steps(name, steps):
    sampler, noise = sampler_of(name, steps=steps), schedule_of("linear")
    levels = sampler.levels(noise)
    assert [level.sigma for level in levels] == sorted((v.sigma for v in levels), reverse=True)
    assert levels[-1].sigma == 0
    assert drawn(sampler, noise, 4).isfinite().all()


@pytest.mark.parametrize("name", samplers.entries)
def test_more_steps_than_the_training_has_are_refused(name):
    with pytest.raises(ConfigError, match="steps: 60 are more than the 50 timesteps"):
        sampler_of(name, steps=60).check(schedule_of("linear", timesteps=50), True)
    sampler_of(name, steps=50).check(schedule_of("linear", timesteps=50), True)
