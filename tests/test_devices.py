"""Every game on a pretended accelerator: its tensors never meet the CPU's, nor float64."""

from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from gan_cli.config.schema import Config
from gan_cli.runtime import runtime
from gan_cli.training.run import Run
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, composed, names, small, trained
from tests.strict_device import NAME, StrictDeviceError, strict_device
from tests.test_dann import PAIR
from tests.test_looking import GAMES, LOOKING
from tests.test_matrix import MODELS, tiny
from tests.test_toys import TOYS, metrics, toy

ALL = (*LOOKING, "every.checkpoint=1")


@pytest.fixture(autouse=True)
def device(monkeypatch):
    """The pretended accelerator, which every run and command of the test chooses."""
    with strict_device() as strict:
        monkeypatch.setattr(runtime, "pick_device", lambda accelerator: strict)  # noqa: ARG005
        yield strict


def assert_on_device(run: Run) -> None:
    assert run.step == run.config.steps
    for role, network in run.game.networks.items():
        assert {p.device.type for p in network.parameters()} == {NAME}, role


@pytest.mark.parametrize("name", GAMES)
def test_games_of_samples(name, tmp_path):
    words, scored = GAMES[name]
    assert_on_device(trained(small(*words, *scored, *ALL), tmp_path))


@pytest.mark.parametrize("loss", names("loss"))
@pytest.mark.parametrize("model", ["mlp", "bigan_mlp"])
def test_losses_and_penalties(model, loss, tmp_path):
    words = (f"model={model}", f"loss={loss}", *tiny(model))
    assert_on_device(trained(small(*words, *ALL), tmp_path))


@pytest.mark.parametrize("model", MODELS)
def test_models(model, tmp_path):
    assert_on_device(trained(small(f"model={model}", *tiny(model), *ALL), tmp_path))


@pytest.mark.parametrize("model", ["dann", "dann_alternating"])
def test_games_of_domains(model, tmp_path):
    assert_on_device(trained(validate(composed(*PAIR, f"model={model}", *ALL)), tmp_path))


@pytest.mark.parametrize("model", ["inversion", "f_anogan"])
def test_encoders_of_frozen_generators(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    narrow = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
    trained(small(*narrow, "every.checkpoint=2"), Path("outputs") / "gan")
    words = [f"model={model}", "model.networks.encoder.width=8", "model.pretrained.generator=gan"]
    if model == "f_anogan":
        words.append("model.pretrained.discriminator=gan")
    assert_on_device(trained(validate(composed(*SMALL, *words, *ALL)), tmp_path / "encoder"))


@pytest.mark.parametrize("name", TOYS)
def test_games_of_other_kinds(name, tmp_path):
    assert_on_device(trained(toy(name, *metrics(name), *ALL), tmp_path))
