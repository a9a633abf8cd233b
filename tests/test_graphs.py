"""Turns recorded as CUDA graphs train like eager ones; on the CPU the graphs are pretended."""

import logging

import pytest
import torch

from gan_cli.augment import pipe
from gan_cli.checkpoints.resume import state_of
from gan_cli.config.schema import Config, Device
from gan_cli.losses.terms import Terms
from gan_cli.runtime.runtime import Runtime
from gan_cli.training.run import Run
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, composed, small, tensors_of, trained
from tests.pretended_graphs import pretend

STEPS = "steps=7"
WIDTHS = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
RAMP = "{start: 0.9, end: 0.5, over: 7}"
ADAPTED = "{interval: 1, speed: 100, initial: 0.5, filter: 1, noise: 1, cutout: 1}"
PAIRS = (
    *("dataset=paired", "dataset@dataset.images=synthetic", "dataset.images={count: 40, size: 16}"),
    *("degradation@dataset.degradation=noise", "model.networks.discriminator.layers=2"),
)
# Before instance norm, gradients of biases are nothing but rounding errors, which Adam enlarges.
BATCH_NORM = ("model.networks.generator.norm=batch", "model.networks.discriminator.norm=batch")
DOMAINS = (
    "dataset=pair",
    "dataset@dataset.source=synthetic",
    "dataset@dataset.target=synthetic",
    "dataset.source={count: 40, size: 16}",
    "dataset.target={count: 60, size: 16, channels: 1, seed: 1}",
    "model.networks.feature_extractor={width: 4, features: 32}",
    "model.game.adaptation={start: 0.0, end: 1.0, over: 7}",
)
UNPAIRED = (
    "dataset=unpaired",
    "dataset@dataset.source=synthetic",
    "dataset@dataset.target=synthetic",
    "dataset.source={count: 40, size: 16, classes: 0}",
    "dataset.target={count: 60, size: 16, channels: 1, classes: 0, seed: 1}",
    # The gradients of biases before instance norm are rounding errors, which Adam enlarges.
    "model.networks.to_target={width: 4, blocks: 1, norm: none}",
    "model.networks.discriminator_target={width: 4, layers: 1, norm: none}",
    "model.game.cycle={start: 10, end: 1, over: 7}",
    "model.game.pool=20",  # full in the third step
)
CUT = (
    "dataset=unpaired",
    "dataset@dataset.source=synthetic",
    "dataset@dataset.target=synthetic",
    "dataset.source={count: 40, size: 16, classes: 0}",
    "dataset.target={count: 60, size: 16, classes: 0, seed: 1}",
    "model.networks.generator={width: 4, blocks: 2, norm: none}",
    "model.networks.projector.units=8",
    "model.networks.discriminator={width: 4, layers: 1, norm: none}",
)
SETTINGS = {
    "gan": WIDTHS,
    "critic steps": ("loss=wgan_gp", *WIDTHS),
    "weight clipping": ("loss=wgan", "optimizer=sgd", *WIDTHS),
    "lazy": ("loss=r1", "loss.penalties.r1.every=2", *WIDTHS),
    "penalty schedule": ("loss=r3gan", f"loss.penalties.r1.weight={RAMP}", *WIDTHS),
    "lr schedule": ("optimizer.lr={start: 1e-3, end: 1e-5, over: 7}", *WIDTHS),
    "betas schedule": ("loss=r3gan", f"optimizer.betas=[0.5, {RAMP}]", *WIDTHS),
    "clipped, in parts": ("model=sngan", "clip_norm=0.1", "accumulate=2", *WIDTHS),
    "momentum": ("optimizer=sgd", "optimizer.momentum=0.5", "optimizer.lr=1e-3", *WIDTHS),
    "classes": ("model=acgan", *WIDTHS),
    "r3gan": ("model=r3gan", "loss=r3gan", "dataset.size=16"),
    "stylegan2": (
        "model=stylegan2",
        "loss.penalties.r1.every=2",
        "loss.penalties.path_length.every=2",
        *WIDTHS,
    ),
    "diffaugment": ("augment=diffaugment", *WIDTHS),
    "ada": ("augment=ada", "loss=r1", "augment.interval=1", "augment.speed=64", *WIDTHS),
    "scheduled augmentation": ("augment=r3gan", "loss=r3gan", *WIDTHS),
    "bigan": ("model=bigan", *WIDTHS),
    "unrolled": ("model=unrolled", "model.game.unroll=2", *WIDTHS),
    "adaptive augmentation": ("augment=ada", f"augment={ADAPTED}", *WIDTHS),
    "differentiable augmentation": ("augment=diffaugment", "loss=r1", *WIDTHS),
    "latent regressor": ("model=latent_regressor", *WIDTHS),
    "dann": ("model=dann", *DOMAINS),
    "pix2pix": ("model=pix2pix", "model.game.feature_matching=1", *PAIRS, *BATCH_NORM, *WIDTHS),
    "alternating dann": ("model=dann_alternating", *DOMAINS),
    "cyclegan": ("model=cyclegan", "loss=r1_lazy", *UNPAIRED),
    "cut": ("model=cut", *CUT),
}


def config_of(*settings: str) -> Config:
    """A small config; of other data if the settings choose them."""
    common = [word for word in SMALL if not word.startswith("dataset")]
    chosen = any(word.startswith("dataset=") for word in settings)
    own = () if chosen else ("dataset=synthetic", "dataset.count=64")
    return validate(composed(*common, *own, *settings))


def difference(one: Run, other: Run) -> float:
    """The largest relative difference of any tensor that training changes."""
    mine, theirs = tensors_of(one), tensors_of(other)
    assert mine.keys() == theirs.keys()
    return max(
        float((mine[key].double() - theirs[key].double()).norm())
        / max(float(theirs[key].double().norm()), 1e-3)
        for key in mine
    )


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_recorded_turns_train_like_eager_ones(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(pipe, "SELECTING", set())  # as on a GPU
    config = config_of(STEPS, *settings)
    eager = trained(config, tmp_path / "eager")
    pretend(monkeypatch)
    recorded = trained(config, tmp_path / "recorded")
    graphs = recorded.turns.graphs
    assert not graphs.eager
    assert {name for name, *_ in graphs.recordings} == set(recorded.players)
    assert all(recording.graph.replays >= 1 for recording in graphs.recordings.values())
    assert difference(recorded, eager) < 1e-4


def test_a_resumed_run_records_anew_and_continues_exactly(tmp_path, monkeypatch):
    settings = ("optimizer.lr={start: 1e-3, end: 1e-5, over: 12}", *WIDTHS)
    whole = trained(small("steps=12", *settings), tmp_path / "whole")
    pretend(monkeypatch)
    trained(small("steps=6", *settings), tmp_path / "parts")
    parts = trained(small("steps=12", *settings), tmp_path / "parts")
    assert difference(parts, whole) < 1e-4


def test_a_checkpoint_holds_numbers_and_goes_on_without_graphs(tmp_path, monkeypatch):
    whole = trained(small("steps=9", *WIDTHS), tmp_path / "whole")
    with monkeypatch.context() as patch:
        pretend(patch)
        first = trained(small("steps=5", *WIDTHS), tmp_path / "parts")
        groups = state_of(first)["optimizers"]["generator"]["param_groups"]
        assert groups[0]["lr"] == pytest.approx(2e-4)
    assert difference(trained(small("steps=9", *WIDTHS), tmp_path / "parts"), whole) < 1e-4


def test_a_turn_that_reads_a_value_stays_eager_and_says_so_once(tmp_path, monkeypatch, caplog):
    from gan_cli.games.gan import GAN

    original = GAN.generator_loss

    def reading(self, batch, due=()):
        terms = original(self, batch, due)
        return Terms(
            {k: v * (1 if float(v.detach()) > -1e9 else 2) for k, v in terms.losses.items()}
        )

    monkeypatch.setattr(GAN, "generator_loss", reading)
    eager = trained(small(STEPS, *WIDTHS), tmp_path / "eager")
    pretend(monkeypatch)
    with caplog.at_level(logging.INFO, "gan_cli"):
        mixed = trained(small(STEPS, *WIDTHS), tmp_path / "mixed")
    assert [name for name, *_ in mixed.turns.graphs.eager] == ["generator"]
    told = [r.getMessage() for r in caplog.records if "device.graphs" in r.getMessage()]
    assert told == [
        "device.graphs: the turn of the generator is not recorded: a recorded computation reads a "
        "value"
    ]
    assert difference(mixed, eager) < 1e-4


def test_what_was_recorded_is_forgotten_after_a_rollback(tmp_path, monkeypatch):
    pretend(monkeypatch)
    settings = ("every.checkpoint=2", "on_nonfinite=rollback", *WIDTHS)
    run = trained(small("steps=6", *settings), tmp_path)
    assert run.turns.graphs.recordings
    from gan_cli.utils.errors import NonFiniteError

    run.roll_back(NonFiniteError("the loss is nan"))
    assert not run.turns.graphs.recordings


def test_a_game_has_to_allow_graphs_in_its_own_class(tmp_path, monkeypatch, caplog):
    from gan_cli.games.gan import GAN

    class KeepsFakes(GAN):
        """Might keep Python state: it does not say that it does not."""

    pretend(monkeypatch)
    monkeypatch.setattr("gan_cli.games.build.games.find", lambda *_: KeepsFakes)
    monkeypatch.setattr(
        "gan_cli.games.build.games.build", lambda node, nets, goal, where: KeepsFakes(nets, goal)
    )
    with caplog.at_level(logging.INFO, "gan_cli"):
        run = trained(small("steps=1", *WIDTHS), tmp_path)
    assert run.turns.graphs is None
    assert "does not allow them" in caplog.text


def test_graphs_that_have_to_be_and_cannot_are_refused():
    with pytest.raises(
        ConfigError, match=r"device.graphs: the device is cpu, not cuda; use .*auto"
    ):
        Runtime(Device(accelerator="cpu", graphs=True))
    assert Runtime(Device(accelerator="cpu")).graphs is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_cuda_graphs_train_like_eager_turns(settings, tmp_path):
    common = (STEPS, "device=cuda", "device.tf32=false", "device.deterministic=true", *settings)
    eager = trained(config_of(*common, "device.graphs=false"), tmp_path / "eager")
    recorded = trained(config_of(*common), tmp_path / "recorded")
    assert not recorded.turns.graphs.eager
    assert recorded.turns.graphs.recordings
    assert difference(recorded, eager) < 1e-4
