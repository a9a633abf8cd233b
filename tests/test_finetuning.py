"""Fine-tuning: networks that start from the weights of another run and are trained further."""

import logging
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from gan_cli.checkpoints.changes import differences
from gan_cli.checkpoints.choice import find
from gan_cli.checkpoints.fit import fitting, misfits, summary
from gan_cli.training.run import Run
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, composed, tensors_of, trained

OLD = Path(__file__).parent / "data" / "format1"
WIDTHS = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
BOTH = ("model.pretrained.generator=base", "model.pretrained.discriminator=base")
CONDITIONAL = ("model=cgan", *WIDTHS)
LOOSE = "model.pretrained_strict=false"


@pytest.fixture(autouse=True)
def workshop(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def config(name: str, *overrides: str):
    folder = Path("outputs") / name
    return validate(composed(*SMALL, *WIDTHS, "every.checkpoint=2", *overrides), lambda _: folder)


def play(name: str, *overrides: str) -> Run:
    """A run in outputs/, resumed if it is there."""
    return trained(config(name, *overrides), Path("outputs") / name)


def built(name: str, *overrides: str) -> Run:
    """The run before its first step."""
    return Run(config(name, *overrides), Path("outputs") / name)


def base(*overrides: str) -> Run:
    return play("base", "model=dcgan", *overrides)


# ---- What is loaded


def test_it_starts_from_the_averages_and_a_new_optimizer():
    origin, run = base("steps=4"), built("fine", "model=dcgan", "dataset.seed=3", *BOTH)
    average = origin.ema.networks["generator"].state_dict()
    live = origin.game.networks["discriminator"].state_dict()
    for expected, network in (
        (average, run.game.networks["generator"]),
        (average, run.ema.networks["generator"]),  # EMA equality at step 0
        (live, run.game.networks["discriminator"]),
    ):
        assert expected.keys() == network.state_dict().keys()
        assert all(torch.equal(expected[k], v) for k, v in network.state_dict().items())
    assert run.step == 0
    assert all(not player.optimizer.state for player in run.players.values())


def test_one_network_alone():
    origin = base()
    run = built("fine", "model=dcgan", BOTH[0])
    fresh = built("fresh", "model=dcgan")
    for role, expected in (
        ("generator", origin.ema.networks["generator"]),
        ("discriminator", fresh.game.networks["discriminator"]),
    ):
        for name, value in run.game.networks[role].state_dict().items():
            assert torch.equal(value, expected.state_dict()[name]), (role, name)


def test_the_networks_are_trained():
    base()
    run = play("fine", "model=dcgan", "steps=3", *BOTH)
    before = find("base").weights("generator", averaged=True)
    assert any(
        not torch.equal(before[name], value)
        for name, value in run.game.networks["generator"].state_dict().items()
    )


def test_a_clipped_critic_is_clipped_before_the_first_step():
    base()
    run = built("fine", "model=dcgan", "loss=wgan", *BOTH)
    clip = run.config.loss.weight_clip
    parameters = run.game.networks["discriminator"].parameters()
    assert max(parameter.abs().max() for parameter in parameters) <= clip


# ---- Other data


def other_classes(*overrides: str) -> tuple[str, ...]:
    """Five classes instead of four."""
    return (*CONDITIONAL, "dataset=synthetic", "dataset.count=64", "dataset.classes=5", *overrides)


def test_other_classes_are_refused_with_both_shapes():
    play("base", *CONDITIONAL)
    with pytest.raises(ConfigError) as caught:
        built("fine", *other_classes(*BOTH))
    first, second = caught.value.faults
    assert first.startswith("model.pretrained.generator: the weights of base do not fit")
    assert second.startswith("model.pretrained.discriminator: ")
    assert "embedding.weight is (4, " in first
    assert ", and the network's is (5, " in first
    assert "it was trained on a number of classes of 4, and the data set has 5" in first
    assert LOOSE in first


def test_other_classes_train_if_asked_for(caplog):
    origin = play("base", *CONDITIONAL)
    with caplog.at_level(logging.WARNING):
        run = built("fine", *other_classes(*BOTH, LOOSE))
    lines = [line for line in caplog.messages if line.startswith("model.pretrained.")]
    assert len(lines) == 2
    assert lines[0].startswith("model.pretrained.generator: loads base, except: ")
    fresh = built("fresh", *other_classes())
    theirs = origin.ema.networks["generator"].state_dict()
    for name, value in run.game.networks["generator"].state_dict().items():
        kept = theirs[name].shape != value.shape
        expected = fresh.game.networks["generator"].state_dict() if kept else theirs
        assert torch.equal(value, expected[name]), name
        assert kept == (f"{name} is " in lines[0])
    assert play("fine", *other_classes(*BOTH, LOOSE)).step == 2


def test_another_channel_count():
    base()
    grey = ("model=dcgan", "dataset.channels=1", *BOTH)
    with pytest.raises(ConfigError, match=r"of shape \(3, 32, 32\), and the data set has \(1, 32"):
        built("fine", *grey)
    assert play("fine", *grey, LOOSE).step == 2


def test_spectral_norm_keeps_its_vectors_with_their_matrix():
    def network(inputs: int) -> nn.Module:
        torch.manual_seed(inputs)
        layers = nn.Linear(inputs, 4), nn.Linear(4, 4)
        return nn.Sequential(*(nn.utils.parametrizations.spectral_norm(layer) for layer in layers))

    other, own = network(3), network(5)
    usable, wrong = fitting(own, other.state_dict()), misfits(own, other.state_dict())
    assert {name for name in other.state_dict() if name.startswith("1.")} | {"0.bias"} == {*usable}
    assert summary(wrong).startswith("0.parametrizations.weight.original is (4, 3), and the net")
    own.load_state_dict(usable, strict=False)


def test_missing_and_unexpected_tensors_are_named():
    own, weights = nn.Linear(2, 3), nn.Linear(2, 3, bias=False).state_dict()
    assert summary(misfits(own, weights)) == "bias (3,) is missing"
    assert summary(misfits(own, {**own.state_dict(), "x": torch.ones(1)})) == (
        "x (1,) has no counterpart in the network"
    )
    assert summary(misfits(own, {"weight": 5, "bias": torch.ones(3)})) == (
        "weight is int, and the network's is (3, 2)"
    )
    many = {str(i): torch.ones(1) for i in range(9)}
    assert summary(misfits(nn.Identity(), many)).endswith("; and 5 more")


# ---- Another architecture


def test_options_that_differ_are_to_be_typed():
    base()
    wide = (
        "model=dcgan",
        "model.networks.generator.width=16",
        "model.networks.generator.norm=none",
    )
    with pytest.raises(ConfigError, match=r"options of base are .*generator\.width=8 .*norm=batch"):
        built("fine", "model=dcgan", *wide, BOTH[0])


def test_a_network_of_which_nothing_fits_is_refused():
    base()
    mlp = ("model=mlp", "model.networks.generator.latent_dim=7", BOTH[0])
    with pytest.raises(ConfigError, match=r"not one weight matrix fits; .*\.name=dcgan_gen"):
        built("fine", *mlp, LOOSE)


# ---- Resume


def test_6_steps_are_2_and_4_without_the_lender():
    base()
    settings = ("model=dcgan", "batch_size=4", *BOTH)
    straight = play("straight", *settings, "steps=6", "every.checkpoint=0")
    play("parts", *settings, "steps=2")
    shutil.rmtree("outputs/base")
    left, right = tensors_of(straight), tensors_of(play("parts", *settings, "steps=6"))
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_another_lender_is_another_run():
    base()
    play("fine", "model=dcgan", *BOTH)
    with pytest.raises(ConfigError, match=r"fine.* was trained with base; type that, or take"):
        config("fine", "model=dcgan", "model.pretrained.generator=other")
    play("plain", "model=dcgan")
    with pytest.raises(ConfigError, match=r"plain.* was trained without it; leave it out, or take"):
        config("plain", "model=dcgan", *BOTH)


def test_frozen_and_trained_networks_side_by_side():
    """An encoder that goes on learning beside the frozen generator of the same run."""
    base()
    encoder = ("model=inversion", "model.networks.encoder.width=8")
    frozen = "model.pretrained.generator=base"

    def inversion(name: str, *overrides: str) -> Run:
        folder = Path("outputs") / name
        tree = composed(*SMALL, *encoder, "every.checkpoint=2", *overrides)
        return trained(validate(tree, lambda _: folder), folder)

    first = inversion("inverse", frozen)
    shared = ("model.pretrained.generator=inverse", "model.pretrained.encoder=inverse")
    second = inversion("second", *shared, "steps=4")
    third = inversion("second", *shared, "steps=4")
    for run in second, third:
        generator = run.game.networks["generator"].state_dict()
        frozen_one = first.game.networks["generator"].state_dict()
        assert all(torch.equal(generator[name], frozen_one[name]) for name in generator)
    with pytest.raises(ConfigError, match=r"pretrained_strict: is for networks that are trained"):
        inversion("third", frozen, LOOSE)


# ---- Refusals before anything is built


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("model.pretrained.generatr=base", r"network of game 'gan' 'generatr'; did you mean 'gene"),
        ("model.pretrained.generator=baes", r"unknown run 'baes'; did you mean 'base'\?"),
        ("model.pretrained.generator=null", r"has no value; type .* Newest runs: base"),
        ("model.pretrained=base", "expected keys and values, got 'base'"),
        ("model.pretrained_strict=maybe", r"model\.pretrained_strict: expected true or false"),
        (LOOSE, r"model\.pretrained_strict: is for networks .* leave it out"),
        (f"model.pretrained.generator={OLD / 'dann.pt'}", r"holds no network 'generator', only fe"),
    ],
)
def test_what_cannot_work_is_refused_before_the_data_are_opened(override, told):
    base()
    with pytest.raises(ConfigError, match=told):
        config("fine", "model=dcgan", override)


# ---- Checkpoints of earlier versions


def test_format_1_lends_its_weights_and_is_not_resumed():
    data = ("dataset=ring", "dataset.count=64", "model=mlp")
    sizes = [f"model.networks.{role}.depth=1" for role in ("generator", "discriminator")]
    settings = (*data, *sizes, "model.networks.generator.latent_dim=4")
    folder = Path("outputs/old/checkpoints")
    folder.mkdir(parents=True)
    shutil.copy(OLD / "gan.pt", folder / "step-0000002.pt")
    with pytest.raises(ConfigError) as caught:
        play("old", *settings)
    advice = "type run=NAME model.pretrained.generator=outputs/old model.pretrained.discriminator="
    assert "earlier version of gan_cli (checkpoint format 1)" in str(caught.value)
    assert advice in str(caught.value)
    _, _, typed = str(caught.value).partition("run=NAME ")
    run = play("new", *settings, *typed.split())
    assert run.step == 2
    assert differences(find("new").config, find("new").config) == []
