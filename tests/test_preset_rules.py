"""The rules of presets, and that what is typed wins over them."""

from collections import Counter

import pytest
import torch

from gan_cli.config.compose import composed_with_start
from gan_cli.config.schedules import Schedule
from gan_cli.presets import rules
from gan_cli.presets.facts import Facts, Machine
from gan_cli.presets.levels import LEVELS
from gan_cli.presets.measure import fit_of
from gan_cli.presets.plan import Plan, decides
from gan_cli.presets.settle import choose_all
from gan_cli.training.demand import Demand
from gan_cli.validation.validate import validate

CPU, GPU = Machine("cpu", bfloat16=False), Machine("cuda", bfloat16=True)


def plan_of(*words: str, preset: str = "auto") -> Plan:
    words = ("dataset=folder", "dataset.path=photos", f"preset={preset}", *words)
    return Plan(*composed_with_start("train", words))


def chosen(facts: Facts, *words: str, preset: str = "auto", shown: int = 10**7) -> dict:
    plan = plan_of(*words, preset=preset)
    choose_all(plan, LEVELS[preset], facts)
    rules.choose_augment(plan, facts, shown)
    return {key: setting.value for key, setting in plan.chosen.items()}


def facts(machine: Machine = CPU, side: int = 64, count: int = 5000, labelled=False) -> Facts:
    return Facts(machine, side, side, count, labelled)


# ---- Rules


@pytest.mark.parametrize("preset", LEVELS)
@pytest.mark.parametrize("machine", [CPU, GPU, Machine("mps", bfloat16=False)])
@pytest.mark.parametrize("labelled", [False, True])
def test_all_choices_make_a_valid_config(preset, machine, labelled):
    words = ("dataset.labels=folders",) if labelled else ()
    for side, count in ((32, 60), (64, 5000), (256, 100_000)):
        plan, found = plan_of(*words, preset=preset), facts(machine, side, count, labelled)
        choose_all(plan, LEVELS[preset], found)
        rules.choose_augment(plan, found, 10**7)
        rules.choose_lengths(plan, LEVELS[preset], found, 3.0)
        validate(plan.applied()[0])


def test_networks_and_penalties_follow_from_device_and_size():
    assert chosen(facts())["model"] == "dcgan"
    assert chosen(facts(labelled=True))["model"] == "cgan"
    for side, gamma in ((32, 2.5), (64, 10.0), (128, 40.0), (256, 160.0)):
        found = chosen(facts(GPU, side))
        assert (found["model"], found["loss.penalties.r1.weight"]) == ("r3gan", gamma)
        found = chosen(facts(CPU, side))
        assert (found["loss"], found["loss.penalties.r1.weight"]) == ("r1", 0.5)
        assert found["loss.penalties.r1.every"] == 16
    widths = [chosen(facts(GPU, side))["model.networks.generator.width"] for side in (64, 128, 256)]
    assert widths == [64, 32, 16]  # the maps of equal size are equally wide


def test_precision_follows_from_the_units_of_the_device():
    assert chosen(facts(CPU))["device.precision"] == "float32"
    assert chosen(facts(Machine("cpu", bfloat16=True)))["device.precision"] == "bfloat16"


@pytest.mark.parametrize(
    ("machine", "count", "shown", "augment"),
    [
        (GPU, 100, 10**6, "diffaugment"),
        (GPU, 5000, 10**6, "ada"),
        (GPU, 50_000, 10**7, "none"),
        (GPU, 5000, 100_000, "none"),  # 20 times each
        (CPU, 800, 100_000, "diffaugment"),
    ],
)
def test_augmentation_follows_from_how_often_images_return(machine, count, shown, augment):
    assert chosen(facts(machine, count=count), shown=shown)["augment"] == augment


def test_steps_follow_from_speed_and_the_number_of_images():
    plan = plan_of()
    plan.choose("batch_size", 32, "")
    rules.choose_lengths(plan, LEVELS["auto"], facts(count=800), 2.0)
    assert plan.value("steps") == 2400  # 20 minutes
    rules.choose_lengths(plan, LEVELS["auto"], facts(count=800), 1e6)
    assert plan.value("steps") == 50_000  # 1.6 million images
    assert plan.value("ema.half_life") == 80_000


def test_files_decide_the_size():
    plan = plan_of()
    rules.choose_size(plan, LEVELS["auto"], Counter({(300, 200): 95, (50, 90): 5}), gpu=False)
    assert (plan.value("dataset.size"), plan.value("dataset.resize")) == (64, "crop")
    plan = plan_of()
    rules.choose_size(plan, LEVELS["auto"], Counter({(300, 200): 90, (50, 90): 10}), gpu=False)
    assert plan.value("dataset.size") == 32
    plan = plan_of()
    rules.choose_size(plan, LEVELS["auto"], Counter({(48, 48): 9}), gpu=False)
    assert not plan.chosen  # one size that networks can halve
    rules.choose_size(plan, LEVELS["auto"], Counter({(50, 50): 9}), gpu=False)
    assert plan.value("dataset.size") == 32


class FakeTrial:
    """A trial whose steps take as much memory as a test says."""

    def __init__(self, packing: int = 1) -> None:
        self.game = type("Game", (), {"packing": packing})
        self.runtime = type("Runtime", (), {"device": torch.device("cpu")})


@pytest.mark.parametrize(
    ("free", "batch", "parts"), [(10_000, 32, 1), (3200, 32, 4), (1000, 32, 8), (80, 16, 8)]
)
def test_a_batch_is_split_until_half_of_the_free_memory_holds_it(free, batch, parts, monkeypatch):
    demand = Demand(sample=1.0, turns=((0.0, 100.0),))
    monkeypatch.setattr("gan_cli.presets.measure.measured", lambda trial, batch: demand)
    monkeypatch.setattr("gan_cli.presets.measure.free_memory", lambda device: free)
    if free == 80:
        demand = Demand(sample=1.0, turns=((0.0, 10.0),))
    fit = fit_of(FakeTrial(), 32)
    assert (fit.batch, fit.parts) == (batch, parts)
    assert demand.of(fit.batch, fit.parts) <= free / 2


# ---- What is typed wins


def test_a_word_decides_its_key_and_those_in_its_mapping():
    assert decides("++ema.half_life=3", "ema.half_life")
    assert decides("++ema={half_life: 3}", "ema.half_life")
    assert not decides("++ema={warmup: 0.1}", "ema.half_life")
    assert not decides("dataset=folder", "dataset.size")


def test_every_chosen_key_can_be_typed():
    free = chosen(facts(GPU))
    plan = plan_of()
    choose_all(plan, LEVELS["auto"], facts(GPU))
    typed = {
        "loss.penalties.r1.weight": 3.0,
        "model.networks.generator.width": 24,
        "batch_size": 12,
        "augment": "none",
        "ema.half_life": 77.0,
        "device.precision": "float32",
    }
    words = [f"{key}={value}" for key, value in typed.items()]
    left = chosen(facts(GPU), *words)
    assert left.keys() & typed.keys() == set()
    assert {"loss.penalties.r2.weight", "model.networks.discriminator.width"} <= left.keys()
    plan = plan_of(*words)
    choose_all(plan, LEVELS["auto"], facts(GPU))
    config = validate(plan.applied()[0])
    assert config.loss.penalties["r1"]["weight"] == Schedule(3.0)
    gamma = Schedule(free["loss.penalties.r2.weight"])
    assert config.loss.penalties["r2"]["weight"] == gamma
    assert config.model.networks["generator"]["width"] == 24
    assert (config.batch_size, config.augment["name"]) == (12, "none")


def test_a_typed_loss_or_model_keeps_its_own_options():
    assert not [key for key in chosen(facts(GPU), "loss=hinge") if key.startswith("loss")]
    found = chosen(facts(GPU), "model=sngan")
    assert not [key for key in found if key.startswith(("loss", "model"))]


@pytest.mark.parametrize("words", [("model=stylegan2",), ("loss=stylegan2",)])
def test_r1_of_stylegan2_follows_from_pixels_and_batch(words):
    def gamma(found: Facts, *more: str) -> object:
        return chosen(found, *words, *more).get("loss.penalties.r1.weight")

    assert gamma(facts(GPU, 256), "batch_size=64") == 0.205  # published at this size: 1, by hand
    assert gamma(facts(side=32), "batch_size=64") == pytest.approx(0.0032)
    assert gamma(Facts(CPU, 32, 64, 5000, labelled=False)) == pytest.approx(0.0128)  # batch: 32
    assert gamma(facts(), "loss.penalties.r1.weight=3") is None
