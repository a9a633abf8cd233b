"""Fine-tuning with the first blocks of a network fixed: model.freeze.ROLE=N."""

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan_cli.games.freezing import blocks_of
from gan_cli.training.run import Run
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.freezing import trainable
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, composed, tensors_of, trained

WIDTHS = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")


@pytest.fixture(autouse=True)
def workshop(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def config(name: str, *overrides: str):
    folder = Path("outputs") / name
    return validate(composed(*SMALL, *WIDTHS, "every.checkpoint=2", *overrides), lambda _: folder)


def play(name: str, *overrides: str) -> Run:
    """A run in outputs/, resumed if it is there."""
    return trained(config(name, *overrides), Path("outputs") / name)


def block_state(run: Run, role: str, block: int) -> list[Tensor]:
    """The weights and statistics of a block, as they are now."""
    modules = blocks_of(run.game.networks[role])[block]
    return [value.clone() for module in modules for value in module.state_dict().values()]


def equal(first: list[Tensor], second: list[Tensor]) -> bool:
    return len(first) == len(second) and all(map(torch.equal, first, second))


@pytest.mark.parametrize(
    "words",
    [
        ("model=dcgan",),
        ("model=dcgan", "loss=hinge"),  # spectral norm
        ("model=dcgan", "loss=wgan"),  # clips weights
        ("model=dcgan", "optimizer=adamw", "optimizer.weight_decay=0.5"),
        ("model=dcgan", "optimizer=sgd", "optimizer.momentum=0.9"),
        ("model=dcgan", "loss=wgan_gp", "accumulate=2"),
        ("model=dcgan", "augment=ada"),
        ("model=resnet", "loss=hinge"),
        ("model=r3gan", "loss=r3gan"),
        ("model=mlp",),
        ("model=cgan_projection", "loss=hinge"),
        ("model=unrolled", "model.game.unroll=1"),
        ("model=bigan",),
        ("model=bigan_resnet",),
    ],
)
def test_frozen_blocks_stay_as_they_were_lent(words):
    base = play("base", *words)
    fine = play("fine", *words, "pretrained=base", "model.freeze.discriminator=1", "steps=3")
    frozen, trained_one = (block_state(fine, "discriminator", i) for i in (0, 1))
    assert frozen
    assert equal(frozen, block_state(base, "discriminator", 0))
    assert not equal(trained_one, block_state(base, "discriminator", 1))


def test_all_blocks_can_be_frozen_and_the_head_is_trained():
    words = ("model=dcgan", "pretrained=base", "model.freeze.discriminator=3")
    base, fine = play("base", "model=dcgan"), play("fine", *words)
    for block in 0, 1, 2:
        states = (block_state(run, "discriminator", block) for run in (base, fine))
        assert equal(*states)
    heads = [run.game.networks["discriminator"].head.logit.weight for run in (base, fine)]
    assert not torch.equal(*heads)


def test_an_encoder_is_frozen_like_a_discriminator():
    base = play("base", "model=bigan")
    fine = play("fine", "model=bigan", "pretrained=base", "model.freeze.encoder=1")
    # the encoder starts from its moving average
    lent = base.ema.networks["encoder"].trunk.downs[0].weight
    assert torch.equal(fine.game.networks["encoder"].trunk.downs[0].weight, lent)
    assert torch.equal(fine.ema.networks["encoder"].trunk.downs[0].weight, lent)


def test_the_optimizer_does_not_know_frozen_weights():
    play("base", "model=dcgan")
    run = Run(
        config("fine", "model=dcgan", "pretrained=base", "model.freeze.discriminator=1"),
        Path("outputs/fine"),
    )
    critic, player = run.game.networks["discriminator"], run.players["discriminator"]
    assert next(name for name, _ in trainable(critic)).startswith("downs.1.")
    assert len(player.parameters) == len(list(critic.parameters())) - 1
    assert not any(p is critic.downs[0].weight for p in player.parameters)


def test_6_steps_are_2_and_4_with_frozen_blocks():
    words = ("model=dcgan", "loss=hinge", "pretrained=base", "model.freeze.discriminator=1")
    play("base", "model=dcgan", "loss=hinge")
    whole = play("whole", *words, "steps=6")
    play("parts", *words, "steps=2")
    parts = play("parts", *words, "steps=6")
    expected, found = tensors_of(whole), tensors_of(parts)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_other_numbers_of_frozen_blocks_are_another_run():
    words = ("model=dcgan", "pretrained=base", "steps=2")
    play("base", "model=dcgan")
    play("fine", *words, "model.freeze.discriminator=1")
    with pytest.raises(ConfigError, match=r"model\.freeze\.discriminator: 1 -> 2"):
        play("fine", *words, "model.freeze.discriminator=2")


def test_evaluation_leaves_frozen_blocks_in_eval_mode():
    play("base", "model=dcgan")
    words = ("pretrained=base", "model.freeze.discriminator=1", "every.preview=1", "health=true")
    run = play("fine", "model=dcgan", *words, "every.log=1")
    critic = run.game.networks["discriminator"]
    assert not critic.downs[0].training
    assert critic.training
    assert critic.downs[1].training


@pytest.mark.parametrize(
    ("word", "told"),
    [
        (
            "discriminator=4",
            r"discriminator: is 4, and 'dcgan_discriminator' has 3 blocks .* 1 to 3",
        ),
        ("discriminator=0", r"discriminator: must be at least 1, got 0"),
        ("discriminator=two", r"discriminator: expected a whole number, got 'two'"),
        ("generator=1", r"generator: 'dcgan_generator' does not name its first blocks"),
        ("critic=1", r"critic: unknown network of game 'gan' 'critic'; .*discriminator"),
        ("discriminato=1", r"discriminato: .*did you mean 'discriminator'\?"),
    ],
)
def test_a_wrong_number_or_name_says_what_there_is(word, told):
    with pytest.raises(ConfigError, match=told) as caught:
        play("fine", "model=dcgan", f"model.freeze.{word}")
    (line,) = caught.value.faults
    assert line.startswith(f"model.freeze.{word.partition('=')[0]}: ")
    assert not Path("outputs/fine").exists()


def test_random_layers_that_stay_fixed_are_warned_of(caplog):
    with caplog.at_level(logging.WARNING, "gan_cli"):
        play("fine", "model=dcgan", "model.freeze.discriminator=1")
    assert "model.freeze.discriminator: the network is not pretrained" in caplog.text


def test_blocks_are_those_of_the_network_from_its_input_on():
    run = Run(config("new", "model=resnet"), Path("outputs/new"))
    critic = run.game.networks["discriminator"]
    assert [block for block, _ in blocks_of(critic)] == list(critic.blocks)
    assert blocks_of(run.game.networks["generator"]) == []
