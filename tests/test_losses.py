"""Adversarial losses against other formulations, the divergences they estimate, and training."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from scipy import stats
from scipy.spatial.distance import jensenshannon
from torch import Tensor, nn

from gan_cli.losses import losses, penalties
from gan_cli.losses.objective import AdversarialLoss, Objective
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import CONFIGS

FILES = sorted((CONFIGS / "loss").glob("*.yaml"))
every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
logits = st.lists(st.floats(-20, 20), min_size=4, max_size=4)


def build(name: str, **options: Any) -> AdversarialLoss:
    return losses.build({"name": name, **options}, where="loss.adversarial")


def double(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs.to(ours.dtype), rtol=1e-6, atol=1e-7)


# ---- Formulas

REAL, FAKE = torch.randn(2, 32, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_minimax_and_nonsaturating_are_cross_entropies() -> None:
    bce, ones, zeros = F.binary_cross_entropy, torch.ones_like(REAL), torch.zeros_like(REAL)
    on_real, on_fake = REAL.sigmoid(), FAKE.sigmoid()
    for name in "minimax", "nonsaturating":
        close(build(name).critic(REAL, FAKE), bce(on_real, ones) + bce(on_fake, zeros))
    close(build("minimax").generator(FAKE, None), -bce(on_fake, zeros))
    close(build("nonsaturating").generator(FAKE, None), bce(on_fake, ones))


def test_least_squares_are_mean_squared_errors() -> None:
    for a, b, c in (0.0, 1.0, 1.0), (-1.0, 1.0, 0.0):
        loss = build("least_squares", a=a, b=b, c=c)
        targets = [torch.full_like(REAL, target) for target in (a, b, c)]
        expected = (F.mse_loss(REAL, targets[1]) + F.mse_loss(FAKE, targets[0])) / 2
        close(loss.critic(REAL, FAKE), expected)
        close(loss.generator(FAKE, None), F.mse_loss(FAKE, targets[2]) / 2)


def test_hinge_is_a_sum_of_margins() -> None:
    zero = torch.zeros_like(REAL)  # margin_ranking_loss(a, b, 1) is mean max(0, margin - (a - b))
    margins = [
        F.margin_ranking_loss(s, zero, y, 1.0) for s, y in ((REAL, 1 + zero), (FAKE, zero - 1))
    ]
    close(build("hinge").critic(REAL, FAKE), margins[0] + margins[1])
    close(build("hinge").generator(FAKE, None), -FAKE.mean())


def test_relativistic_losses_compare_real_with_fake() -> None:
    paired, average = build("relativistic"), build("relativistic_average")
    assert paired.paired
    assert average.paired
    close(paired.critic(REAL, FAKE), -torch.log(torch.sigmoid(REAL - FAKE)).mean())
    close(paired.generator(FAKE, REAL), -torch.log(torch.sigmoid(FAKE - REAL)).mean())
    on_real, on_fake = (REAL - FAKE.mean()).sigmoid(), (FAKE - REAL.mean()).sigmoid()
    close(average.critic(REAL, FAKE), -on_real.log().mean() - (1 - on_fake).log().mean())
    close(average.generator(FAKE, REAL), -on_fake.log().mean() - (1 - on_real).log().mean())


@pytest.mark.parametrize("name", ["relativistic", "relativistic_average", "wasserstein"])
@given(real=logits, fake=logits, shift=st.floats(-50, 50))
def test_some_critics_are_free_up_to_a_constant(
    name: str, real: list[float], fake: list[float], shift: float
) -> None:
    loss, r, f = build(name), double(real), double(fake)
    assert float(loss.critic(r + shift, f + shift)) == pytest.approx(float(loss.critic(r, f)))


@pytest.mark.parametrize("name", sorted(losses.entries))
@pytest.mark.parametrize("size", [50.0, -50.0])
def test_confident_logits_leave_finite_losses_and_gradients(name: str, size: float) -> None:
    real = torch.full((4, 1), size, requires_grad=True)
    fake = torch.full((4, 1), -size, requires_grad=True)
    loss = build(name)
    for value in loss.critic(real, fake), loss.generator(fake, real):
        gradients = torch.autograd.grad(value, (real, fake), allow_unused=True)
        assert value.isfinite()
        assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)


@pytest.mark.parametrize("name", ["nonsaturating", "relativistic", "hinge", "wasserstein"])
def test_a_rejected_fake_still_teaches_the_generator(name: str) -> None:
    fake = torch.full((4, 1), -50.0, requires_grad=True)
    loss = build(name).generator(fake, torch.full((4, 1), 50.0))
    (gradient,) = torch.autograd.grad(loss, fake)
    torch.testing.assert_close(gradient, torch.full((4, 1), -0.25))


def test_equal_targets_are_refused_with_advice() -> None:
    with pytest.raises(ConfigError, match="a=0 b=1 c=1"):
        build("least_squares", a=1.0, b=1.0)


# ---- Estimates

P, Q = np.array([1, 2, 3, 4]), np.array([4, 3, 1, 2])  # counts of ten draws
p, q = P / 10, Q / 10
ESTIMATES = {  # loss: (quantity, its value on P and Q, the optimal critic)
    "minimax": ("js_divergence", jensenshannon(p, q) ** 2, np.log(p / q)),
    "nonsaturating": ("js_divergence", jensenshannon(p, q) ** 2, np.log(p / q)),
    "hinge": ("total_variation", np.abs(p - q).sum() / 2, np.sign(p - q)),
    "least_squares": ("triangular_discrimination", ((p - q) ** 2 / (p + q)).sum(), p / (p + q)),
}


def estimate(name: str, v: Any, **options: Any) -> dict[str, float]:
    """What a critic that gives the four values `v` estimates between P and Q."""
    real, fake = (double(v).repeat_interleave(torch.as_tensor(counts)) for counts in (P, Q))
    return {k: float(x) for k, x in build(name, **options).estimate(real, fake).items()}


@pytest.mark.parametrize("name", ESTIMATES)
def test_the_optimal_critic_estimates_the_divergence(name: str) -> None:
    quantity, exact, critic = ESTIMATES[name]
    assert estimate(name, critic) == {quantity: pytest.approx(exact)}


@pytest.mark.parametrize("name", ESTIMATES)
@given(v=logits)
def test_any_other_critic_estimates_less(name: str, v: list[float]) -> None:
    quantity, exact, _ = ESTIMATES[name]
    assert estimate(name, v)[quantity] <= exact + 1e-9


def test_least_squares_estimates_the_pearson_divergence_of_its_paper() -> None:
    """Equation 7: for b - c = 1, b - a = 2 it is E_P[(D - c)^2] + E_Q[(D - c)^2] at the best D."""
    critic = (p - q) / (p + q)
    options = {"a": -1.0, "b": 1.0, "c": 0.0}
    expected = (p * critic**2 + q * critic**2).sum()
    found = estimate("least_squares", critic, **options)
    assert found == {"triangular_discrimination": pytest.approx(expected)}


def test_wasserstein_estimates_the_distance_of_shifted_samples() -> None:
    real = np.random.default_rng(0).normal(size=500)
    fake = real + 3
    critic = double(-real), double(-fake)  # slope 1: optimal for a shift
    found = build("wasserstein").estimate(*critic)
    assert float(found["wasserstein"]) == pytest.approx(stats.wasserstein_distance(real, fake))


@pytest.mark.parametrize("name", ["minimax", "nonsaturating", "f_jensen_shannon", "f_gan"])
def test_a_blind_critic_sees_no_divergence_and_a_sure_one_log_two(name: str) -> None:
    for v, expected in (0.0, 0.0), (40.0, math.log(2)):
        found = build(name).estimate(double([v]), double([-v]))
        assert found == {"js_divergence": pytest.approx(expected, abs=1e-9)}


# ---- Configs


def read(path: Any) -> dict[str, Any]:
    return OmegaConf.to_container(OmegaConf.load(path))  # type: ignore[return-value]


@every_file
def test_a_config_is_complete_and_says_when_to_use_it(path: Any) -> None:
    config = read(path)
    first = path.read_text().splitlines()[0]
    assert first.startswith("# ")
    assert "arXiv:" in first
    assert first.count(":") >= 2  # paper: when to use it
    for key in "adversarial", "critic_steps", "critic_norm", "critic_spectral_norm", "betas":
        assert key in config, key
    assert all(isinstance(beta, float) for beta in config["betas"])  # Adam refuses an integer 0
    losses.check(config["adversarial"], "loss.adversarial")
    for name, options in config.get("penalties", {}).items():
        penalties.check({"name": name, **options}, f"loss.penalties.{name}")
        assert config["critic_norm"] == "none"


def test_every_loss_and_penalty_has_a_config() -> None:
    configs = [read(path) for path in FILES]
    assert {config["adversarial"]["name"] for config in configs} == set(losses.entries)
    ours = {name for config in configs for name in config.get("penalties", {})}
    # Those that go with any loss: loss.penalties.mode_seeking.weight=1.
    free = {"mode_seeking", "cr", "zcr", "zcr_generator", "orthogonal"}
    assert ours | free == set(penalties.entries)


# ---- A loss that runs is not yet a loss that trains


def objective_of(name: str) -> Objective:
    config = read(CONFIGS / "loss" / f"{name}.yaml")
    if name == "wgan_gp":  # the weight of WGAN-GP's own two-dimensional toys; at 10 it orbits
        config["penalties"]["gradient_penalty"]["weight"] = 0.1
    terms = {
        key: penalties.build({"name": key, **options}, where=f"loss.penalties.{key}")
        for key, options in config.get("penalties", {}).items()
    }
    loss = losses.build(config["adversarial"], where="loss.adversarial")
    return Objective(loss, terms, config["critic_steps"])


def fit_a_gaussian(objective: Objective, steps: int) -> Tensor:
    """(mu, sigma) of a generator mu + sigma z that plays against samples of N(2, 0.5)."""
    torch.manual_seed(0)
    critic = nn.Sequential(
        nn.Linear(1, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 1)
    )
    law = torch.tensor([1.0, 1.0], requires_grad=True)
    players = [torch.optim.Adam(critic.parameters(), 1e-2, (0.0, 0.9))]
    players.append(torch.optim.Adam([law], 5e-3, (0.0, 0.9)))
    path = []
    for step in range(steps):
        for turn in [0] * objective.critic_steps + [1]:
            real, fake = 2 + 0.5 * torch.randn(128, 1), law[0] + law[1] * torch.randn(128, 1)
            due = objective.schedule(step)
            terms = (
                objective.generator_terms(critic, (fake,), (real,))
                if turn
                else objective.critic_terms(critic, (real,), (fake,), due)
            )
            players[turn].zero_grad()
            torch.stack(list(terms.losses.values())).sum().backward()
            players[turn].step()
        path.append(law.detach().clone())
    return torch.stack(path[-steps // 4 :]).mean(0)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("nonsaturating", 300),
        ("f_pearson", 300),
        ("f_reverse_kl", 300),
        ("r3gan", 300),
        pytest.param("wgan_gp", 300, marks=pytest.mark.slow),
    ],
)
def test_a_gaussian_generator_finds_the_data(name: str, steps: int) -> None:
    mu, sigma = fit_a_gaussian(objective_of(name), steps).tolist()
    assert mu == pytest.approx(2.0, abs=0.15)
    assert abs(sigma) == pytest.approx(0.5, abs=0.15)
