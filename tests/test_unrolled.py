"""Unrolled GAN: its inner steps against torch.optim, its gradient against what really happens."""

import copy

import pytest
import torch
from torch import nn, optim

from gan_cli.games.unrolled import UnrolledGAN
from gan_cli.losses import losses, penalties
from gan_cli.losses.objective import Objective
from gan_cli.optim.differentiable import inner_step
from gan_cli.utils.errors import ConfigError
from tests.helpers import built, small, tensors_of, trained

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, 0.05, momentum=0.9, weight_decay=0.02),
    "plain_sgd": lambda p: optim.SGD(p, 0.05),
    "rmsprop": lambda p: optim.RMSprop(p, 0.02, alpha=0.9, momentum=0.5),
    "adam": lambda p: optim.Adam(p, 0.02, (0.5, 0.9), weight_decay=0.1),
    "adamw": lambda p: optim.AdamW(p, 0.02, (0.5, 0.9), weight_decay=0.1),
}
MLP = ("model=mlp", "model.game.name=unrolled_gan", "dataset=ring", "batch_size=8")
WIDTHS = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("before", [0, 3])
def test_inner_steps_are_those_of_torch_optim(name, before):
    torch.manual_seed(0)
    parameters = [torch.randn(4, 3, requires_grad=True), torch.randn(3, requires_grad=True)]
    optimizer = OPTIMIZERS[name](parameters)

    def step():
        for parameter, gradient in zip(parameters, draw(), strict=True):
            parameter.grad = gradient
        optimizer.step()

    def draw():
        return [torch.randn_like(p) for p in parameters]

    for _ in range(before):
        step()
    advance, weights = inner_step(optimizer), [p.detach().clone() for p in parameters]
    state = copy.deepcopy(optimizer.state_dict()["state"])
    torch.manual_seed(1)
    for _ in range(4):
        weights = advance(weights, draw())
    left = optimizer.state_dict()["state"]
    for index, held in state.items():  # nothing of the real optimizer has moved
        for key, value in held.items():
            assert value is None or torch.equal(torch.as_tensor(left[index][key]), value), key
    torch.manual_seed(1)
    for _ in range(4):
        step()
    for weight, parameter in zip(weights, parameters, strict=True):
        torch.testing.assert_close(weight, parameter.detach(), atol=1e-6, rtol=1e-5)


class Shift(nn.Module):
    """A generator of points: an affine map of the latent."""

    latent_dim, prior = 2, "normal"

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(2, 2)

    def forward(self, latent, label=None):
        return self.map(latent.double())


class Judge(nn.Module):
    auxiliary = False

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, x, label=None):
        return self.body(x).squeeze(1)


def played(loss: str, penalty: dict, optimizer: str, unroll: int, clip: float | None = None):
    torch.manual_seed(0)
    networks = nn.ModuleDict({"generator": Shift(), "discriminator": Judge()}).double()
    terms = {name: penalties.build({"name": name, **o}, where="") for name, o in penalty.items()}
    objective = Objective(losses.build({"name": loss}, where=""), terms, weight_clip=clip)
    game = UnrolledGAN(networks, objective, unroll=unroll)
    own = OPTIMIZERS[optimizer](networks["discriminator"].parameters())
    game.optimizers = {"discriminator": own}
    for parameter in networks["discriminator"].parameters():  # a warm optimizer
        parameter.grad = torch.randn_like(parameter)
    own.step()
    own.zero_grad()
    networks["discriminator"].requires_grad_(False)
    return game


def really(game: UnrolledGAN, real: torch.Tensor, unroll: int) -> float:
    """The generator's loss against a copy of the discriminator that torch.optim has moved."""
    twin = copy.deepcopy(game)
    critic, optimizer = twin.networks["discriminator"], twin.optimizers["discriminator"]
    critic.requires_grad_(True)
    due = twin.objective.schedule(0)
    torch.manual_seed(7)
    fake = twin.generate({"real": real})
    for _ in range(unroll):
        optimizer.zero_grad()
        terms = twin.objective.critic_terms(critic, (real,), (fake.detach(),), due)
        sum(terms.losses.values()).backward()
        optimizer.step()
        twin.constrain()
    return twin.objective.generator_terms(critic, (fake,), (real,)).losses["adversarial"].item()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    ("loss", "penalty", "clip"),
    [
        ("minimax", {}, None),
        ("relativistic", {"r1": {"weight": 0.5}, "r2": {"weight": 0.5, "every": 2}}, None),
        ("wasserstein", {}, 0.3),
    ],
)
def test_gradient_is_that_of_what_really_happens(optimizer, loss, penalty, clip, monkeypatch):
    """Directional derivative through 3 steps, against finite differences of a real training."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # differences want precision
    game = played(loss, penalty, optimizer, 3, clip)
    real = torch.randn(6, 2, dtype=torch.float64) + 1
    torch.manual_seed(7)
    terms = game.generator_loss({"real": real}, game.objective.schedule(0))
    terms.losses["adversarial"].backward()
    assert terms.losses["adversarial"].item() == pytest.approx(really(game, real, 3), rel=1e-6)
    parameters = list(game.networks["generator"].parameters())
    direction = [torch.randn_like(p) for p in parameters]
    slope = sum((p.grad * d).sum() for p, d in zip(parameters, direction, strict=True))
    ends = []
    for step in (1e-5, -2e-5):
        with torch.no_grad():
            torch._foreach_add_(parameters, direction, alpha=step)
        ends.append(really(game, real, 3))
    assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope.item(), rel=1e-4, abs=1e-7)


class Point(nn.Module):
    latent_dim, prior = 1, "normal"

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([[0.7]]))

    def forward(self, latent, label=None):
        return self.theta.expand(len(latent), 1)


def test_bilinear_game_in_closed_form():
    """D(x) = w x, data at mu, a fake at theta, Wasserstein. K steps of SGD take w to
    w + K lr (mu - theta), and -w theta has the slope K lr (2 theta - mu) - w."""
    judge = nn.Linear(1, 1, bias=False)
    networks = nn.ModuleDict({"generator": Point(), "discriminator": judge})
    w, theta, mu, lr, steps = judge.weight.item(), 0.7, 2.0, 0.1, 4
    judge.forward = lambda x, label=None: (x @ judge.weight.T).squeeze(1)
    game = UnrolledGAN(networks, Objective(losses.build({"name": "wasserstein"}, where=""), {}))
    game.unroll, game.optimizers = steps, {"discriminator": optim.SGD(judge.parameters(), lr)}
    judge.requires_grad_(False)
    game.generator_loss({"real": torch.full((3, 1), mu)}).losses["adversarial"].backward()
    slope = steps * lr * (2 * theta - mu) - w
    assert networks["generator"].theta.grad.item() == pytest.approx(slope, rel=1e-5)
    assert judge.weight.item() == w


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_unrolled_steps_leave_no_trace_in_the_discriminator(norm):
    from gan_cli.data.sets import datasets

    options = (f"model.networks.discriminator.norm={norm}",)
    config = small(*MLP, *WIDTHS, *options, "model.networks.discriminator.spectral_norm=true")
    data = datasets.build(config.dataset, where="dataset")
    game = built(config, data.spec)
    judge = game.networks["discriminator"].requires_grad_(False)
    game.optimizers = {"discriminator": optim.Adam(judge.parameters())}
    state = copy.deepcopy(judge.state_dict())
    before = judge(data.tensors()["real"][:8])  # the usual trace of a forward pass
    after = copy.deepcopy(judge.state_dict())
    judge.load_state_dict(state)
    game.generator_loss({"real": data.tensors()["real"][:8]})
    for key, value in judge.state_dict().items():
        assert torch.equal(value, state[key]), key
    assert before.shape == (8,)
    assert any(not torch.equal(after[key], state[key]) for key in state)


def test_resume_is_exact(tmp_path):
    settings = (*MLP, *WIDTHS, "model.game.packing=2", "loss.penalties.r1={weight: 1, every: 3}")
    straight = trained(small(*settings, "steps=10"), tmp_path / "straight")
    trained(small(*settings, "steps=5", "every.checkpoint=5"), tmp_path / "parts")
    resumed = tensors_of(trained(small(*settings, "steps=10"), tmp_path / "parts"))
    for name, value in tensors_of(straight).items():
        assert torch.equal(value, resumed[name]), name


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["model.game.unroll=0"], "0 is model.game.name=gan"),
        (["device.compile=true"], "set device.compile=false"),
        (["device.precision=float16"], "use bfloat16"),
        (
            ["dataset=synthetic", "model.networks.discriminator.conditioning=auxiliary"],
            "use conditioning=projection",
        ),
    ],
)
def test_refusals_say_what_to_type(overrides, told):
    with pytest.raises(ConfigError, match=told):
        small(*MLP, *overrides)
