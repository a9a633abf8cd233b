"""LeCam regularization: its closed form, its moving averages, and what a run keeps of them."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan_cli.losses import losses, penalties
from gan_cli.losses.objective import Objective
from tests.helpers import small, tensors_of, trained

NARROW = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")


def objective_of(**options: float) -> Objective:
    penalty = penalties.build({"name": "lecam", **options}, where="")
    return Objective(losses.build({"name": "hinge"}, where=""), {"lecam": penalty})


def turn(objective: Objective, real: Tensor, fake: Tensor) -> Tensor:
    """Plays a turn of a critic that returns its samples; returns the weighted penalty."""
    terms = objective.critic_terms(lambda x: x, (real,), (fake,), objective.schedule(0))
    objective.after(terms.observed)
    return terms.losses["lecam"]


def test_logits_are_drawn_to_the_mean_of_the_others():
    objective = objective_of(weight=0.5)
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([-2.0, 0.0])
    assert turn(objective, real, fake) == 0  # nothing is known yet
    real.requires_grad_(), fake.requires_grad_()
    value = turn(objective, real, fake)  # the averages are 2 and -1
    assert value.item() == pytest.approx(0.5 * ((4 + 16) / 2 + (16 + 4) / 2))
    value.backward()
    assert real.grad.tolist() == pytest.approx([1.0, 2.0])  # 0.5 * 2 (D - a_F) / 2
    assert fake.grad.tolist() == pytest.approx([-2.0, -1.0])


def test_averages_are_means_that_forget():
    """The mean of the first 1 / (1 - decay) turns, then an exponential average."""
    objective, expected = objective_of(decay=0.75), 0.0
    series = np.random.default_rng(0).normal(size=12)
    for i, value in enumerate(series):
        turn(objective, torch.tensor([value]), torch.tensor([-value]))
        rate = max(1 / (i + 1), 0.25)
        expected += rate * (value - expected)
        state = objective.state_dict()["lecam"]
        assert state["real"].item() == pytest.approx(expected, abs=1e-5)
        assert state["fake"].item() == pytest.approx(-expected, abs=1e-5)
        if i < 4:
            assert expected == pytest.approx(series[: i + 1].mean())


def test_state_is_changed_in_place():
    objective = objective_of()
    before = dict(objective.penalties["lecam"].state)
    turn(objective, torch.ones(2), torch.zeros(2))
    objective.load_state_dict(objective.state_dict())
    assert all(objective.penalties["lecam"].state[name] is value for name, value in before.items())


def test_the_critic_is_asked_once():
    calls = []

    def critic(x):
        calls.append(x)
        return x.sum(1)

    objective = objective_of()
    objective.critic_terms(critic, (torch.ones(2, 3),), (torch.ones(2, 3),), objective.schedule(0))
    assert len(calls) == 2


def test_it_draws_the_logits_of_a_critic_together():
    """A critic of two separate points under the hinge loss: without it, logits reach 1 and -1."""
    ends = {}
    for weight in (0.0, 0.5):
        torch.manual_seed(0)
        objective, net = objective_of(weight=weight), nn.Linear(1, 1)
        optimizer = torch.optim.SGD(net.parameters(), 0.05)
        for _ in range(300):
            due = objective.schedule(0)
            terms = objective.critic_terms(net, (torch.ones(4, 1),), (-torch.ones(4, 1),), due)
            optimizer.zero_grad()
            terms.total().backward()
            optimizer.step()
            objective.after(terms.observed)
        ends[weight] = 2 * net.weight.item()
    assert ends[0.0] == pytest.approx(2, abs=0.1)
    assert ends[0.5] < 0.75 * ends[0.0]


def test_8_steps_are_4_and_4(tmp_path):
    words = ("model=sngan", *NARROW, "loss=lecam")
    straight = trained(small(*words, "steps=8"), tmp_path / "straight")
    trained(small(*words, "steps=4", "every.checkpoint=4"), tmp_path / "parts")
    resumed = trained(small(*words, "steps=8"), tmp_path / "parts")
    left, right = tensors_of(straight), tensors_of(resumed)
    assert all(torch.equal(left[name], right[name]) for name in left)
    state = resumed.game.state_dict()["penalties"]["lecam"]
    assert state == straight.game.state_dict()["penalties"]["lecam"]
    assert state["turns"] == 8


@pytest.mark.parametrize("words", [("model=bigan", "loss=lecam"), ("model=unrolled", "loss=lecam")])
def test_other_games_play_with_it(words, tmp_path):
    widths = (*NARROW, "model.networks.encoder.width=8") if "bigan" in words[0] else NARROW
    run = trained(small(*words, *widths), tmp_path)
    assert run.game.objective.state_dict()["lecam"]["turns"] == 2
