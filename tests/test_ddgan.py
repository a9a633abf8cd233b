"""Denoising diffusion GANs: their steps against closed forms, and whole runs."""

import pytest
import torch

from gan_cli.data.spec import Field, Spec
from gan_cli.diffusion import noise_schedules
from gan_cli.games.request import Request
from gan_cli.networks import networks
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import composed, small, tensors_of, trained

NARROW = [f"model.networks.{role}.width=16" for role in ("denoiser", "discriminator")]
VECTORS = ("model=ddgan_mlp", "dataset=ring", *NARROW)
UNET = "model.networks.denoiser={width: 8, multipliers: [1, 2], step_latent_dim: 8}"
CRITIC = "model.networks.discriminator={width: 8, multipliers: [1, 2], time_width: 8}"
IMAGES = ("model=ddgan", "dataset.size=16", UNET, CRITIC)


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    return trained(small(*VECTORS, "steps=2"), tmp_path_factory.mktemp("ddgan"))


def test_the_published_betas():
    schedule = noise_schedules.build({"name": "vp_steps", "timesteps": 4}, where="")
    expected = torch.tensor([0.478255, 0.849206, 0.956418, 0.987404], dtype=torch.float64)
    torch.testing.assert_close(schedule.betas, expected, atol=1e-6, rtol=0)


def test_the_published_number_of_parameters():
    """2 * 3 channels: x_s and x_t of CIFAR-10."""
    spec = Spec({"real": Field("image", (6, 32, 32))}, "real")
    options = {"name": "step_discriminator"}
    network = networks.build(options, spec, where="")
    assert sum(p.numel() for p in network.parameters()) == 12_741_633


def test_steps_have_the_moments_of_the_forward_process(ring):
    """For x_0 = 1 and each t: x_s and x_t have means alpha, variances sigma^2, and the covariance
    alpha_t / alpha_s sigma_s^2."""
    torch.manual_seed(0)
    game = ring.game
    step = game.step_of(torch.ones(80_000, 2))
    bars = [1.0, *torch.cumprod(1 - game.noise_schedule.betas, 0).tolist()]
    for t in range(4):
        rows = step.time == t
        after, before = step.after[rows].flatten(), step.before[rows].flatten()
        for x, bar in ((after, bars[t]), (before, bars[t + 1])):
            assert x.mean().item() == pytest.approx(bar**0.5, abs=0.02)
            assert x.var().item() == pytest.approx(1 - bar, abs=0.02)
        found = torch.cov(torch.stack([after, before]))[0, 1].item()
        assert found == pytest.approx((bars[t + 1] / bars[t]) ** 0.5 * (1 - bars[t]), abs=0.02)


def test_steps_undone_with_the_true_data_are_those_of_the_forward_process(ring, monkeypatch):
    """E and Var of x_s given x_0 follow if x_0 is known: the posterior over all x_t."""
    torch.manual_seed(0)
    monkeypatch.setattr(ring.game, "data", lambda before, *others: torch.ones_like(before))
    step = ring.game.step_of(torch.ones(80_000, 2))
    found = ring.game.undone(step)
    bars = [1.0, *torch.cumprod(1 - ring.game.noise_schedule.betas, 0).tolist()]
    for t in range(4):
        x = found[step.time == t].flatten()
        assert x.mean().item() == pytest.approx(bars[t] ** 0.5, abs=0.02)
        assert x.var().item() == pytest.approx(1 - bars[t], abs=0.02)


def test_the_discriminator_sees_the_noisier_end_and_the_time(ring):
    torch.manual_seed(0)
    game = ring.game
    step = game.step_of(torch.randn(16, 2))
    logits = game.judge(step)(step.after)
    for other in (
        step._replace(before=step.before + 1),
        step._replace(time=(step.time + 1) % 4),
    ):
        assert not torch.allclose(game.judge(other)(step.after), logits)


def test_samples_take_a_call_for_each_step_and_depend_on_their_seeds_alone(ring, monkeypatch):
    game, times = ring.game, []
    network = game.networks["denoiser"]
    monkeypatch.setattr(
        game, "data", lambda x, t, z: (times.append(t[0].item()), network(x, t, None, z))[1]
    )
    with torch.no_grad():
        both = game.sample(Request([5, 9]))
        assert times == [3, 2, 1, 0]
        torch.testing.assert_close(game.sample(Request([9])), both[1:])
    assert game.protocol(Request([5]))["network_calls"] == 4
    with pytest.raises(ConfigError, match="its own 4 steps"):
        game.check_request(Request([5], sampler={"name": "ddim", "steps": 4}))


@pytest.mark.parametrize(
    "words", [(*VECTORS, "loss=r3gan"), (*IMAGES, "augment=diffusion")], ids=["vectors", "images"]
)
def test_8_steps_are_4_and_4(words, tmp_path):
    whole = trained(small(*words, "steps=8"), tmp_path / "whole")
    trained(small(*words, "steps=4", "every.checkpoint=4"), tmp_path / "halves")
    halves = trained(small(*words, "steps=8"), tmp_path / "halves")
    left, right = tensors_of(whole), tensors_of(halves)
    assert left.keys() == right.keys()
    assert all(torch.equal(value, right[name]) for name, value in left.items())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.networks.denoiser.step_latent_dim=0"], "the steps need a latent"),
        (["model.game.schedule=vp"], "'vp' has no steps to be learned"),
        (["model.game.schedule={name: vp_steps, timesteps: 1}"], "must be at least 2, got 1"),
        (["model.networks.denoiser.predicts_variance=true"], "the variance of steps is known"),
        (["+loss.penalties.mode_seeking={name: mode_seeking}"], "has none; leave it out"),
    ],
)
def test_what_does_not_fit_is_refused(words, message):
    with pytest.raises(ConfigError, match=message):
        validate(composed("run=x", *VECTORS, "metrics=none", *words))
