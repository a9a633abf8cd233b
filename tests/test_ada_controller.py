"""The controller of ADA, and what a run keeps of it, logs of it and refuses."""

import json
import math
import shutil

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_cli.augment import augments
from gan_cli.augment.ada import ADA
from gan_cli.augment.strength import mean_sign
from gan_cli.losses import losses
from gan_cli.losses.objective import Objective
from gan_cli.training.run import Run
from gan_cli.utils.errors import ConfigError
from tests.helpers import built, small, tensors_of, trained
from tests.ranks import train_together

NARROW = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")


# ---- The controller


def accuracy(sign: float) -> dict[str, Tensor]:
    """What a turn observes whose mean sign of real logits is `sign`."""
    return {"real_accuracy": torch.tensor((sign + 1) / 2), "pair_accuracy": torch.tensor(0.9)}


def adaptive(**options: float) -> ADA:
    return augments.build({"name": "ada", "batch_size": 64, **options}, where="augment")


def test_a_critic_that_is_always_right_raises_p_by_one_step_an_interval():
    """64 * 4 / 500,000 every 4 turns: 0.000512."""
    ada = adaptive()
    found = []
    for _ in range(12):
        ada.after(accuracy(1.0))
        found.append(ada.observed()["augment_p"].item())
    assert found == pytest.approx([0.000512 * (turns // 4) for turns in range(1, 13)], abs=1e-7)


def test_p_follows_the_mean_sign_of_an_interval():
    ada = adaptive(speed=1000, interval=2, initial=0.5)  # steps of 0.128
    turns = [(1.0, 0.4), (0.5, 0.6), (0.9, 0.31), (-1.0, 1.0), (0.6, 0.7)]  # sums against 1.2
    expected, p = [], 0.5
    for pair in turns:
        p += 0.128 * np.sign(sum(pair) - 1.2)
        expected.append(p)
        for sign in pair:
            ada.after(accuracy(sign))
        assert ada.observed()["augment_p"].item() == pytest.approx(p, abs=1e-6)
    assert expected == pytest.approx([0.628, 0.5, 0.628, 0.5, 0.628])


@pytest.mark.parametrize(
    ("sign", "limit", "end"), [(1.0, 1.0, 1.0), (1.0, 0.7, 0.7), (0.0, 1.0, 0.0)]
)
def test_p_stays_between_0_and_the_limit(sign, limit, end):
    ada = adaptive(speed=256, interval=1, initial=0.4, limit=limit)
    for _ in range(20):
        ada.after(accuracy(sign))
    assert ada.observed()["augment_p"].item() == pytest.approx(end)


def test_a_diverged_turn_leaves_p_a_number():
    ada = adaptive(interval=1)
    ada.after({"pair_accuracy": torch.tensor(math.nan)})
    assert ada.observed()["augment_p"].item() == 0


def test_the_sign_is_counted_from_the_boundary_of_the_loss():
    """LSGAN's logits of real samples are around 1, fakes' around 0: above 1/2 they look real."""
    real, fake = torch.tensor([1.1, 0.6, 0.4, 0.9]), torch.tensor([0.1, 0.7, 0.2, 0.3])
    signs = {"least_squares": 0.5, "hinge": 1.0, "wasserstein": 0.5, "relativistic": 0.5}
    for name, expected in signs.items():
        objective = Objective(losses.build({"name": name}, where=""), {})
        found = mean_sign(objective.observe(real, fake))
        assert found.item() == pytest.approx(expected), name


def test_of_several_critics_it_is_the_mean():
    observed = {"a_real_accuracy": torch.tensor(0.5), "b_real_accuracy": torch.tensor(1.0)}
    assert mean_sign(observed).item() == 0.5
    assert mean_sign({**observed, "real_class_accuracy": torch.tensor(0.0)}).item() == 0.5


def test_state_is_changed_in_place():
    """A CUDA graph reads p where it was when the graph was recorded."""
    ada = adaptive(interval=1)
    p, state = ada.probability, dict(ada.controller.state)
    ada.after(accuracy(1.0))
    ada.load_state_dict(ada.state_dict())
    ada.after(accuracy(1.0))
    assert ada.probability is p
    assert all(ada.controller.state[name] is value for name, value in state.items())


# ---- Runs


def test_p_is_logged_and_follows_its_schedule(tmp_path):
    words = ("model=dcgan", *NARROW, "augment=r3gan", "steps=4")
    trained(small(*words), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    expected = [0.55 * (1 - math.cos(math.pi * step / 4)) / 2 for step in range(4)]
    assert [row["discriminator/augment_p"] for row in rows] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("loss", ["nonsaturating", "r3gan", "wgan_gp"])
def test_8_steps_are_4_and_4(loss, tmp_path):
    words = ("model=dcgan", *NARROW, "augment=ada", "augment.initial=0.5", "augment.speed=100")
    words = (*words, "augment.interval=3", f"loss={loss}", "loss.critic_steps=1")
    straight = trained(small(*words, "steps=8"), tmp_path / "straight")
    trained(small(*words, "steps=4", "every.checkpoint=4"), tmp_path / "parts")
    resumed = trained(small(*words, "steps=8"), tmp_path / "parts")
    left, right = tensors_of(straight), tensors_of(resumed)
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert straight.game.augment.state_dict() == resumed.game.augment.state_dict()
    assert straight.game.augment.state_dict()["turns"] == 8 % 3


def test_p_of_a_checkpoint_is_that_of_the_run(tmp_path):
    words = ("model=dcgan", *NARROW, "augment=ada", "augment.interval=1", "augment.speed=80")
    words = (*words, "augment.target=-1", "every.checkpoint=2")
    trained(small(*words), tmp_path)
    run = Run(small(*words, "steps=4"), tmp_path)
    run.resume()
    assert run.game.augment.probability.item() == pytest.approx(2 * 8 / 80)
    run.feed.close()


def test_a_run_may_go_on_with_augmentation(tmp_path):
    words = ("model=dcgan", *NARROW, "every.checkpoint=2")
    trained(small(*words), tmp_path)
    changed = ("augment=ada", "augment.initial=0.3", "allow_changes=true", "steps=4")
    run = trained(small(*words, *changed), tmp_path)
    assert run.game.augment.probability.item() == pytest.approx(0.3)


@pytest.mark.parametrize("p", [math.nan, -0.1, 1.5])
def test_a_state_without_a_probability_is_refused(p):
    ada = adaptive()
    with pytest.raises(ValueError, match="is no probability"):
        ada.load_state_dict({**ada.state_dict(), "p": torch.tensor(p)})


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler")
def test_compiled_turns_leave_it_out(tmp_path):
    words = ("model=dcgan", *NARROW, "augment=ada", "augment.initial=0.5", "loss=r3gan")
    run = trained(small(*words, "device.compile=true"), tmp_path)
    assert len(run.turns.compiled) == 2
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())


# ---- Refusals

ADAPTED = ("augment=ada",)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("augment=ada", "augment.p=1.5"), "augment.p: must be between 0 and 1, got 1.5"),
        ((*ADAPTED, "augment.p=0.2", "augment.target=0.5"), "augment.target: nothing is adapted"),
        (("augment.name=ada",), "augment.batch_size: has no value"),
        (("augment=ada", "augment.hue=2"), "augment.hue: must be between 0 and 1"),
        ((*ADAPTED, "augment.initial=0.9", "augment.limit=0.8"), "augment.initial: 0.9 is above"),
        (("augment=diffaugment", "augment.policy=[]"), "augment.policy: is empty"),
        (("augment=diffaugment", "augment.policy=[color,colour]"), "did you mean 'color'"),
        (("augment=diffaugment", "augment.policy=[color,color]"), "policy: has 'color' twice"),
        (("augment=ada", "model=mlp", "dataset=ring"), "does not transform samples of kind vector"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused(words, told):
    with pytest.raises(ConfigError) as caught:
        built(small(*words))
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


# ---- Several processes

UNEQUAL = """
import json
from gan_cli.losses.objective import Objective
import torch
accuracy = Objective.accuracy

def unequal(self, real, fake):
    return {**accuracy(self, real, fake), "real_accuracy": torch.tensor([0.9, 0.3][rank])}

Objective.accuracy = unequal

def finished(run):
    with open(f"p-{rank}.json", "w") as file:
        json.dump(float(run.game.augment.probability), file)
"""


@pytest.mark.parametrize(("target", "direction"), [(0.1, 1), (0.3, -1)])
def test_all_processes_adapt_to_the_mean_of_their_signs(target, direction, tmp_path):
    """Signs of 0.8 and -0.4 have a mean of 0.2. Each process alone would go its own way."""
    adapted = f"augment={{interval: 1, speed: 160, initial: 0.5, target: {target}}}"
    ended = train_together(tmp_path, "augment=ada", adapted, "steps=3", code=UNEQUAL)
    assert ended.statuses == [0, 0]
    found = [json.loads((tmp_path / f"p-{rank}.json").read_text()) for rank in (0, 1)]
    assert found == pytest.approx([0.5 + direction * 3 * 8 / 160] * 2)
