"""Gradient penalties against analytic gradients, autograd.grad and reduced precision."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_cli.config.schedules import Schedule
from gan_cli.losses import losses, penalties
from gan_cli.losses.gradient_penalties import interpolate, norm
from gan_cli.losses.objective import Objective
from gan_cli.losses.penalty import CriticTurn, Penalty, Sample, logits_and_gradient

# The penalties on critics of any samples; test_consistency.py has those that need more.
NAMES = tuple(n for n, p in penalties.entries.items() if p.player == "critic" and not p.needs)


def build(name: str, **options: Any) -> Penalty:
    return penalties.build({"name": name, **options}, where=f"loss.penalties.{name}")


def play(penalty: Penalty, critic: Any, real: Sample, fake: Sample) -> Tensor:
    gradients = logits_and_gradient(critic, real)[1], logits_and_gradient(critic, fake)[1]
    return penalty(CriticTurn(critic, real, fake, *gradients))


def images(count: int = 8, seed: int = 0) -> tuple[Sample, Sample]:
    rng = torch.Generator().manual_seed(seed)
    real, fake = torch.randn(2, count, 3, 8, 8, generator=rng)
    return (real,), (fake,)


def conv_critic() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(8, 8, 4, 2, 1),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(32, 1),
    )


# ---- Analytic values


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("gradient_penalty", {}, (5 - 1) ** 2),
        ("gradient_penalty", {"target": 0.0}, 25.0),
        ("gradient_penalty", {"target": 7.0}, 4.0),  # two-sided
        ("dragan", {}, (5 - 1) ** 2),
        ("dragan", {"k": 2.0}, (5 - 2) ** 2),
        ("r1", {}, 25 / 2),
        ("r2", {}, 25 / 2),
    ],
)
def test_a_linear_critic_of_slope_five(name: str, options: dict, expected: float) -> None:
    real, fake = torch.randn(2, 6, 2)

    def critic(x: Tensor) -> Tensor:
        return x @ torch.tensor([3.0, -4.0])

    value = play(build(name, **options), critic, (real,), (fake,))
    assert float(value) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"), [("gradient_penalty", 16.0), ("dragan", 16.0), ("r1", 12.5), ("r2", 12.5)]
)
def test_the_norm_runs_over_all_parts_of_a_sample(name: str, expected: float) -> None:
    image, latent = torch.randn(6, 1, 2, 2), torch.randn(6, 3)

    def critic(x: Tensor, z: Tensor) -> Tensor:
        return 3 * x[:, 0, 0, 0] + 4 * z[:, 2]  # the two slopes make one of 5

    value = play(build(name), critic, (image, latent), (image + 1, latent - 1))
    assert float(value) == pytest.approx(expected, rel=1e-5)


def test_r1_and_r2_of_a_quadratic_critic() -> None:
    real, fake, matrix = torch.randn(9, 4), torch.randn(9, 4), torch.randn(4, 4)
    symmetric = matrix + matrix.T

    def critic(x: Tensor) -> Tensor:
        return (x @ symmetric * x).sum(1) / 2  # its gradient is S x

    for name, x in ("r1", real), ("r2", fake):
        expected = (x @ symmetric).square().sum() / 9 / 2
        torch.testing.assert_close(play(build(name), critic, (real,), (fake,)), expected)


def test_lazy_gradients_are_only_asked_of_the_side_that_pays() -> None:
    assert build("r1").differentiates == {"real"}
    assert build("r2").differentiates == {"fake"}
    assert not build("gradient_penalty").differentiates | build("dragan").differentiates


# ---- Where the gradient is taken


def test_interpolation_draws_one_coin_per_sample() -> None:
    torch.manual_seed(0)
    start = torch.zeros(5000, 1, 2, 2), torch.zeros(5000, 3)
    image, latent = interpolate(start, (torch.ones(5000, 1, 2, 2), torch.ones(5000, 3)))
    coin = image[:, 0, 0, 0]
    assert (image == coin.view(-1, 1, 1, 1)).all()
    assert (latent == coin.view(-1, 1)).all()
    assert coin.unique().numel() > 4900
    quantiles = coin.quantile(torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]))
    torch.testing.assert_close(quantiles, torch.linspace(0, 1, 5), atol=0.03, rtol=0)


def test_dragan_looks_around_the_real_data_only() -> None:
    torch.manual_seed(0)
    seen: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.sum(1)

    real = 10 + 2 * torch.randn(4000, 3)
    penalty = build("dragan", noise=0.5)
    penalty(CriticTurn(critic, (real,), (real - 1000,), tuple, tuple))
    offset = seen[-1] - real
    assert offset.min() >= 0
    assert offset.max() <= 0.5 * real.std() + 1e-4
    assert offset.mean() == pytest.approx(0.25 * 0.5 * 2, rel=0.05)  # E[coin] E[U] = 1/4


# ---- Second derivatives


@pytest.mark.parametrize("name", NAMES)
def test_a_zero_gradient_leaves_a_zero_double_backward(name: str) -> None:
    """Through sqrt(sum of squares) it would be 0 * inf, a NaN in every weight."""
    weight = torch.zeros(3, requires_grad=True)
    dead = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    nn.init.constant_(dead[0].bias, -100.0)  # type: ignore[arg-type]
    for critic, parameter in (lambda x: x @ weight, weight), (dead, dead[2].weight):
        value = play(build(name), critic, (torch.randn(4, 3),), (torch.randn(4, 3),))
        (slope,) = torch.autograd.grad(value, parameter)  # type: ignore[arg-type]
        assert float(value.detach()) == (1.0 if name in ("gradient_penalty", "dragan") else 0.0)
        assert (slope == 0).all()


def test_the_norm_has_subgradient_zero_at_zero() -> None:
    gradient = torch.zeros(2, 3, requires_grad=True)
    (slope,) = torch.autograd.grad(norm((gradient,)).sum(), gradient, create_graph=True)
    assert (slope == 0).all()
    (bend,) = torch.autograd.grad(slope.sum(), gradient)
    assert (bend == 0).all()


def test_the_norm_is_that_of_vectors_bit_for_bit() -> None:
    image, latent = torch.randn(5, 2, 3), torch.randn(5, 4)
    image[2], latent[2] = 0, 0
    whole = torch.cat([image.flatten(1), latent], 1)
    expected = torch.linalg.vector_norm(whole, dim=1)
    assert torch.equal(norm((image, latent)), expected)
    weight = torch.randn(5)
    slopes = []
    for length in (lambda x: torch.linalg.vector_norm(x, dim=1), lambda x: norm((x,))):
        leaf = whole.clone().requires_grad_()
        slopes.append(torch.autograd.grad((weight * length(leaf)).sum(), leaf)[0])
    assert torch.equal(*slopes)


@pytest.mark.parametrize("name", NAMES)
def test_parameter_gradients_are_those_of_autograd_grad(name: str) -> None:
    critic, (real, fake), penalty = conv_critic(), images(), build(name)

    def by_autograd(_: Any, sample: Sample) -> tuple[Tensor, Any]:
        leaves = tuple(x.detach().requires_grad_() for x in sample)
        logits = critic(*leaves)
        return logits, lambda: torch.autograd.grad(logits.sum(), leaves, create_graph=True)

    def parameter_gradients(judging: Any) -> Sample:
        torch.manual_seed(1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gan_cli.losses.gradient_penalties.logits_and_gradient", judging)
            gradients = judging(critic, real)[1], judging(critic, fake)[1]
            value = penalty(CriticTurn(critic, real, fake, *gradients))
        return torch.autograd.grad(value, list(critic.parameters())[:-1])  # a bias has no slope

    ours, reference = parameter_gradients(logits_and_gradient), parameter_gradients(by_autograd)
    assert all(torch.equal(a, b) for a, b in zip(ours, reference, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_parameter_gradients_pass_finite_differences(name: str) -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(2, 3, 2, dtype=torch.float64)
    weight = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)

    def value(weight: Tensor) -> Tensor:
        torch.manual_seed(2)  # the same coins at each call
        return play(build(name), lambda x: (x @ weight).tanh().sum(1), (real,), (fake,))

    assert torch.autograd.gradcheck(value, weight)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NAMES)
def test_reduced_precision_stays_finite_and_close(name: str, dtype: torch.dtype) -> None:
    critic, (real, fake) = conv_critic(), images()
    objective = Objective(losses.build({"name": "wasserstein"}, where=""), {name: build(name)})
    due = objective.schedule(0)

    def gradients(enabled: bool) -> Sample:
        torch.manual_seed(3)
        with torch.autocast("cpu", dtype, enabled=enabled):
            terms = objective.critic_terms(critic, real, fake, due)
        total = torch.stack(list(terms.losses.values())).sum()
        assert total.dtype == torch.float32
        return torch.autograd.grad(total, list(critic.parameters()))

    reduced, exact = gradients(True), gradients(False)
    for ours, theirs in zip(reduced, exact, strict=True):
        assert ours.isfinite().all()
        scale = exact[0].abs().max()
        torch.testing.assert_close(ours / scale, theirs / scale, rtol=0.1, atol=0.1)


def test_input_gradients_are_float32_under_autocast() -> None:
    (real, _) = images()
    with torch.autocast("cpu", torch.bfloat16):
        logits, gradient = logits_and_gradient(conv_critic(), real)
    assert logits.dtype == torch.bfloat16
    assert gradient()[0].dtype == torch.float32


# ---- In the objective


def test_a_lazy_penalty_is_due_every_nth_step_n_times_as_strong() -> None:
    lazy = build("r1", weight=Schedule(3.0), every=4)
    objective = Objective(losses.build({"name": "nonsaturating"}, where=""), {"r1": lazy})
    assert [objective.schedule(step) for step in range(5)] == [("r1",), (), (), (), ("r1",)]
    real, fake = torch.randn(2, 6, 2)
    critic = nn.Linear(2, 1, bias=False)
    terms = objective.critic_terms(critic, (real,), (fake,), objective.schedule(0)).losses
    expected = 4 * 3.0 * critic.weight.square().sum() / 2
    torch.testing.assert_close(terms["r1"], expected)


def test_a_penalty_weight_follows_its_schedule() -> None:
    weight = {"start": 2.0, "end": 1.0, "over": 10}
    objective = Objective(
        losses.build({"name": "relativistic"}, where=""), {"r2": build("r2", weight=weight)}
    )
    for step, expected in (0, 2.0), (5, 1.5), (20, 1.0):
        objective.schedule(step)
        assert float(objective.strength["r2"]) == pytest.approx(expected)


def test_weight_clipping_bounds_every_parameter() -> None:
    critic = conv_critic()
    loss = losses.build({"name": "wasserstein"}, where="")
    Objective(loss, {}, weight_clip=0.01).constrain(critic)
    assert max(float(p.detach().abs().max()) for p in critic.parameters()) == pytest.approx(0.01)
