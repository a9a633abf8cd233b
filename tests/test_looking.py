"""Looking at a run never changes it: previews, metrics, logs and health leave no trace in it."""

from pathlib import Path

import pytest
import torch

from gan_cli.config.schema import Config
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, composed, tensors_of, trained
from tests.test_dann import PAIR
from tests.test_toys import TOYS, metrics, toy

LOOKING = ("every={log: 1, preview: 1, evaluate: 1, checkpoint: 0}", "health=true")
NOT = ("every={log: 0, preview: 0, evaluate: 0, checkpoint: 0}", "health=false", "metrics=none")
SCORED = ("metrics=fd_random", "metrics.count=64")
RING = ("dataset=ring", "dataset.count=64", "model=mlp")
RING_SCORED = ("metrics.compute=[modes]", "metrics.count=64")
NARROW = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
ENCODER = (*NARROW, "model.networks.encoder.width=8")
SPECTRAL = "model.networks.discriminator.spectral_norm=true"

# words of the run, words of its metrics
GAMES = {
    "hinge_on_the_ring": ((*RING, *NARROW, "loss=hinge", SPECTRAL), RING_SCORED),
    "unrolled_on_the_ring": (
        (*RING, *NARROW, "model.game.name=unrolled_gan", SPECTRAL),
        RING_SCORED,
    ),
    "bigan_on_the_ring": (("dataset=ring", "model=bigan_mlp", *ENCODER, SPECTRAL), RING_SCORED),
    "gaussian": (
        ("dataset=mixture1d", "model=affine", "loss=f_kl", NARROW[1]),
        ("metrics=gaussian_fit", "metrics.count=64"),
    ),
    "dcgan": (("model=dcgan", *NARROW), SCORED),
    "packs": (("model=dcgan", *NARROW, "model.game.packing=2"), SCORED),
    "minibatch": (
        ("model=dcgan", *NARROW, "model.networks.discriminator.minibatch=discrimination"),
        SCORED,
    ),
    "cgan_projection": (("model=cgan_projection", *NARROW, SPECTRAL), SCORED),
    "acgan": (("model=acgan", *NARROW, "loss=wgan_gp"), SCORED),
    "unrolled": (("model=unrolled", *NARROW, "model.game.unroll=2"), SCORED),
    "bigan": (
        (
            *("model=bigan", *ENCODER, "model.game.lambda_x=1"),
            "model.networks.encoder.stochastic=true",
        ),
        SCORED,
    ),
    "latent_regressor": (("model=latent_regressor", *ENCODER, "loss=r1"), SCORED),
}


def assert_equal_runs(looking: Config, alone: Config, folder: Path) -> None:
    """Live weights, buffers, averages and optimizers of both are the same bits."""
    watched, quiet = trained(looking, folder / "looking"), trained(alone, folder / "alone")
    left, right = tensors_of(watched), tensors_of(quiet)
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert torch.equal(value, right[name]), name
    assert watched.step == quiet.step == 4
    assert watched.health.tracker.readings
    assert not quiet.health.tracker.readings
    assert list((folder / "looking").glob("samples/*-0000004.png"))
    assert not (folder / "alone/samples").exists()


@pytest.mark.parametrize("name", GAMES)
def test_games_of_samples(name, tmp_path):
    words, scored = GAMES[name]
    configs = [
        validate(composed(*SMALL, *words, "steps=4", *others))
        for others in ((*scored, *LOOKING), NOT)
    ]
    assert_equal_runs(*configs, tmp_path)


@pytest.mark.parametrize("model", ["dann", "dann_alternating"])
def test_games_of_domains(model, tmp_path):
    spectral = "model.networks.domain_discriminator.spectral_norm=true"
    words = (*PAIR, f"model={model}", "loss=hinge", spectral, "steps=4")
    # Schedules over the steps are part of the config: the same in both.
    configs = [validate(composed(*words, *others)) for others in (LOOKING, NOT)]
    assert_equal_runs(*configs, tmp_path)


def test_encoders_of_frozen_generators(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained(validate(composed(*SMALL, *NARROW, "every.checkpoint=2")), tmp_path / "outputs" / "gan")
    words = (
        *(*SMALL, "model=f_anogan", "model.networks.encoder.width=8", "steps=4"),
        *("model.pretrained.generator=gan", "model.pretrained.discriminator=gan"),
    )
    configs = [validate(composed(*words, *others)) for others in (LOOKING, NOT)]
    assert_equal_runs(*configs, tmp_path)


@pytest.mark.parametrize("name", TOYS)
def test_games_of_other_kinds(name, tmp_path):
    configs = [toy(name, "steps=4", *others) for others in ((*metrics(name), *LOOKING), NOT)]
    assert_equal_runs(*configs, tmp_path)
