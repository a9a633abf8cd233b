"""Health in a run: findings on runs made to fail, silence on sound ones."""

import json
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gan_cli.checkpoints.files import load, save
from gan_cli.data.sets import datasets
from gan_cli.networks import networks
from gan_cli.training.run import Run
from gan_cli.utils.errors import StorageError
from gan_cli.utils.images import save_png
from gan_cli.validation.validate import validate
from tests.helpers import composed, small, tensors_of, trained

# ---- In a run

TINY = ("health=true", "dataset.size=8", "dataset.channels=1", "model=mlp", "batch_size=8")
WIDTHS = ("model.networks.generator.width=32", "model.networks.discriminator.width=32")


def logged(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_logs_the_signals(tmp_path):
    line = logged(trained(small(*TINY, *WIDTHS), tmp_path).folder)[0]
    for name in (
        *("pair_accuracy", "real_accuracy", "fake_accuracy", "logit_gap", "gradient_ratio"),
        *("update_ratio/generator", "update_ratio/discriminator"),
        *("diversity_pixels", "diversity_random", "duplicates", "novelty", "separability"),
    ):
        assert f"health/{name}" in line


def test_the_update_ratio_is_that_of_one_update(tmp_path):
    """Adam's first update moves every weight by the learning rate."""
    settings = (*TINY, *WIDTHS, "steps=1", "optimizer.lr=1e-3")
    before = Run(small(*settings), tmp_path / "before")
    line = logged(trained(small(*settings), tmp_path / "run").folder)[0]
    for role, network in before.game.networks.items():
        weights = torch.cat([p.detach().flatten() for p in network.parameters()])
        expected = 1e-3 * math.sqrt(len(weights)) / weights.norm().item()
        assert line[f"health/update_ratio/{role}"] == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("model", ["mlp", "cgan"])
def test_readings_leave_no_trace_in_the_training(model, tmp_path):
    settings = ("health=true", f"model={model}", "loss=nonsaturating", "steps=6")
    settings += ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
    quiet = tensors_of(trained(small(*settings, "health=false"), tmp_path / "quiet"))
    watched = tensors_of(trained(small(*settings), tmp_path / "watched"))
    assert all(torch.equal(quiet[name], watched[name]) for name in quiet)
    assert not any(key.startswith("health/") for key in logged(tmp_path / "quiet")[0])


def test_a_resumed_run_takes_up_its_readings(tmp_path):
    settings = (*TINY, *WIDTHS, "every.checkpoint=4")
    straight = trained(small(*settings, "steps=8"), tmp_path / "straight")
    trained(small(*settings, "steps=4"), tmp_path / "parts")
    resumed = trained(small(*settings, "steps=8"), tmp_path / "parts")
    assert resumed.health.tracker.state_dict() == straight.health.tracker.state_dict()


def test_a_checkpoint_without_readings_is_none_of_this_format(tmp_path):
    run = trained(small(*TINY, *WIDTHS, "every.checkpoint=2"), tmp_path)
    path = run.checkpoints.path(2)
    save(path, {key: value for key, value in load(path).items() if key != "health"})
    with pytest.raises(StorageError, match=r"does not fit the run \('health'\)"):
        Run(run.config, tmp_path).resume()


# ---- Runs made to fail


@networks.register("one_image")
class OneImage(nn.Module):
    """A generator deaf to its latent."""

    latent_dim, prior = 2, "normal"

    def __init__(self, spec):
        super().__init__()
        self.image = nn.Parameter(0.1 * torch.randn(spec.shape))

    def forward(self, latent, label=None):
        return self.image.tanh().expand(len(latent), *self.image.shape)


def findings(folder: Path, *overrides: str) -> dict[str, dict]:
    """Of a run on tiny images: from its run.json, which says what the run found."""
    run = trained(small(*TINY, *WIDTHS, "every.log=20", *overrides), folder)
    card = folder / "run.json"
    told = json.loads(card.read_text())["findings"] if card.exists() else []
    assert [f["name"] for f in told] == [f["name"] for f in run.health.findings()]
    return {finding["name"]: finding for finding in told}


def test_a_sound_run_is_silent(tmp_path):
    assert findings(tmp_path, "steps=400") == {}


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["minimax", "nonsaturating"])
def test_a_far_stronger_discriminator(loss, tmp_path):
    stronger = ("discriminator.lr=3e-3", "generator.lr=2e-5")
    wider = ("discriminator.width=128", "generator.width=16")
    found = findings(
        tmp_path,
        f"loss={loss}",
        "steps=600",
        *(f"optimizer.players.{setting}" for setting in stronger),
        *(f"model.networks.{setting}" for setting in wider),
    )
    assert list(found) == ["discriminator_won"]
    assert found["discriminator_won"]["active"]


@pytest.mark.slow
def test_a_discriminator_that_hardly_learns(tmp_path):
    slow = "optimizer.players.discriminator.lr=1e-7"
    assert list(findings(tmp_path, slow, "steps=300")) == ["discriminator_too_weak"]


@pytest.mark.slow
def test_a_generator_of_one_image(tmp_path):
    one = ("~model.networks.generator", "+model.networks.generator={name: one_image}")
    run = trained(small(*TINY, WIDTHS[1], "every.log=50", *one, "steps=1200"), tmp_path)
    (finding,) = run.health.findings()
    assert finding["name"] == "generator_collapsed"
    assert finding["numbers"]["diversity_pixels"] == 0


@pytest.mark.slow
def test_a_learning_rate_a_hundred_times_too_large(tmp_path):
    """On an MLP, whose weights grow with it, it would soon be none."""
    narrow = [f"model.networks.{role}.width=8" for role in ("generator", "discriminator")]
    settings = ("health=true", "model=dcgan", "dataset.size=16", "optimizer.lr=2e-2", "steps=300")
    found = findings(tmp_path, *settings, *narrow)
    assert found["diverging"]["numbers"]["update_ratio/generator"] > 0.02


@pytest.mark.slow
def test_a_critic_without_bound(tmp_path):
    unbounded = ("loss=wgan", "loss.weight_clip=null", "loss.critic_steps=1")
    found = findings(tmp_path, *unbounded, "optimizer.lr=1e-3", "steps=900")
    assert found.keys() >= {"oscillating", "diverging"}


@pytest.mark.slow
def test_a_dozen_images_are_learnt_by_heart(tmp_path):
    """Digits: the made-up stripes lie on a curve, where a distance of zero is nothing special."""
    digits = datasets.build({"name": "mnist_5k", "size": None}, where="dataset")
    for i in range(12):
        image = F.adaptive_avg_pool2d(digits[400 * i]["real"].float(), 14)
        save_png(tmp_path / "images" / f"{i}.png", image.byte().permute(1, 2, 0).numpy())
    config = composed(
        *("run=test", "dataset=folder", f"dataset.path={tmp_path}/images", "dataset.channels=1"),
        *("model=mlp", "batch_size=16", "optimizer.lr=1e-3", "steps=1300", "metrics=none"),
        "every={log: 50, preview: 0, evaluate: 0, checkpoint: 0}",
        *(f"model.networks.{role}.width=64" for role in ("generator", "discriminator")),
        "device=cpu",
    )
    run = trained(validate(config), tmp_path / "run")
    assert [finding["name"] for finding in run.health.findings()] == ["memorising"]
