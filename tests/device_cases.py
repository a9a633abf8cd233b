"""Every game on a pretended accelerator: its tensors never meet the CPU's, nor float64."""

from pathlib import Path
from typing import ClassVar

import pytest
import torch

import gan_cli
from gan_cli.config.schema import Device
from gan_cli.data.sets import datasets
from gan_cli.evaluation.options import checked_options as fid_options
from gan_cli.evaluation.score import score
from gan_cli.metrics import gaussian_fit
from gan_cli.metrics.features import classifier
from gan_cli.metrics.metric import Embedded, extractors
from gan_cli.runtime import runtime
from gan_cli.runtime.device import configure_torch
from gan_cli.runtime.numerics import exact_numerics
from gan_cli.runtime.random_state import fixed_random_state
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.training.run import Run
from gan_cli.utils.errors import ConfigError
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
        monkeypatch.setattr(runtime, "pick_device", lambda accelerator: strict)
        yield strict


def assert_on_device(run: Run) -> None:
    assert run.step == run.config.steps
    for role, network in run.game.networks.items():
        assert {p.device.type for p in network.parameters()} == {NAME}, role


@pytest.mark.parametrize("name", GAMES)
def test_games_of_samples(name, tmp_path, monkeypatch):
    words, scored = GAMES[name]
    # An integral on the CPU alone, whose many operations are slow under the eye of the device.
    monkeypatch.setattr(gaussian_fit, "closest_gaussian", lambda loss, profile: (0.0, 1.0))
    assert_on_device(trained(small(*words, *scored, *ALL), tmp_path))


@pytest.mark.parametrize("loss", names("loss"))
def test_losses_and_penalties(loss, tmp_path):
    assert_on_device(trained(small("model=mlp", f"loss={loss}", *tiny("mlp")), tmp_path))


@pytest.mark.parametrize("augment", names("augment"))
def test_augmentations(augment, tmp_path):
    words = ("loss=r3gan", f"augment={augment}", *ALL)
    if augment == "ada":
        words = (*words, "augment={initial: 0.5, interval: 1, filter: 1, noise: 1, cutout: 1}")
    assert_on_device(trained(small("model=dcgan", *tiny("dcgan"), *words), tmp_path))


@pytest.mark.parametrize("model", sorted(set(MODELS) - set(GAMES)))
def test_models(model, tmp_path):
    assert_on_device(trained(small(f"model={model}", *tiny(model), "steps=1", *ALL), tmp_path))


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


TASKS = (
    ("sample", {}),
    ("sample", {"interpolate": 2, "seeds": "0-2"}),
    ("sample", {"interpolate": 2, "seeds": "0-2", "way": "cubic", "loop": True}),
    ("directions", {"method": "sefa", "directions": 1}),
    ("directions", {"method": "ganspace", "directions": 1, "seeds": "0-1"}),
    ("directions", {"method": "jacobian", "directions": 1, "seeds": "0-1", "strength": 1}),
    ("encode", {"dataset": {"name": "synthetic", "count": 20}}),
    ("reconstruct", {"dataset": {"name": "synthetic", "count": 20}}),
    ("anomaly", {"dataset": {"name": "synthetic", "count": 20}, "anomalous": [0]}),
    ("invert", {"dataset": {"name": "synthetic", "count": 6}, "steps": 2}),
    ("evaluate", {"dataset": {"name": "synthetic", "count": 20}}),
)


def test_tasks_and_metrics_of_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    narrow = [f"model.networks.{role}.width=8" for role in ("generator", "discriminator")]
    words = ("model=bigan", *narrow, "model.networks.encoder.width=8", "every.checkpoint=2")
    trained(small(*words), Path("outputs") / "gan")
    for task, keys in TASKS:
        options = {"run": "gan", "task": task, "output": f"made-{task}-{len(keys)}", **keys}
        perform(checked_options(options), Path("outputs") / "gan")
    asked = {"compute": {name: {} for name in ("fd", "prdc", "sliced")}, "features": "random"}
    options = {"run": "gan", "metrics": {**asked, "count": 64}, "output": "card.json"}
    card, _ = score(fid_options(options), Path("outputs") / "gan")
    assert torch.tensor(list(card["values"].values())).isfinite().all()


def test_api_samples_on_the_device(tmp_path):
    run = trained(small("model=cgan", *tiny("cgan"), "every.checkpoint=2"), tmp_path / "gan")
    model = gan_cli.load(tmp_path / "gan")
    samples = model.sample(5, label=[0, 1])
    assert samples.device.type == "cpu"
    assert samples.dtype == torch.uint8
    assert model.interpolate([0, 1], between=2, label=0).shape == (4, *run.dataset.spec.shape)


# ---- The pretended accelerator itself


@pytest.mark.parametrize(
    "refused",
    [
        lambda x: torch.stack([x.sum(), torch.zeros(())]),  # what dann logged in earlier versions
        lambda x: x + torch.zeros(3),
        lambda x: torch.zeros(3).add_(x),
        lambda x: x.double(),
        lambda x: x.to("cpu", torch.float64),
        lambda x: torch.zeros(3, dtype=torch.float64).to(x.device),
        lambda x: torch.randn(3, device=x.device, generator=torch.Generator()),
        lambda x: x.numpy(),
    ],
)
def test_what_an_accelerator_cannot_do_is_refused(device, refused):
    with pytest.raises((StrictDeviceError, RuntimeError, TypeError)):
        refused(torch.ones(3, device=device))


def test_what_an_accelerator_can_do_is_computed(device):
    x = torch.arange(3.0).to(device).requires_grad_()
    (torch.tensor(2.0) * x.square()).sum().backward()  # a number of the CPU
    assert x.grad.device.type == NAME
    assert x.grad.cpu().tolist() == [0.0, 4.0, 8.0]
    assert x.detach()[torch.tensor([2, 0])].tolist() == [2.0, 0.0]  # indices of the CPU


def test_samples_are_drawn_with_the_same_state_of_the_device(device):
    """Noise that a network draws on the device starts from one seed, and leaves none behind."""
    torch.manual_seed(5)
    with fixed_random_state(device):
        first = torch.randn(3, device=device).tolist()
    after = torch.randn(3, device=device).tolist()
    torch.manual_seed(5)
    assert torch.randn(3, device=device).tolist() == after
    with fixed_random_state(device):
        assert torch.randn(3, device=device).tolist() == first != after


# ---- The numerics of evaluation


@extractors.register("watched")
class Watched:
    """Features that write down the settings under which they are computed."""

    name, kinds, classifies = "watched", frozenset({"image"}), False
    seen: ClassVar[list[dict]] = []

    def __init__(self, dataset, device) -> None:
        pass

    def __call__(self, samples):
        Watched.seen.append(numerics(samples.device))
        return Embedded(samples.float().flatten(1)[:, :4])

    def describe(self):
        return {}


def numerics(device: torch.device) -> dict:
    return {
        "matmul": torch.get_float32_matmul_precision(),
        "tf32": torch.backends.cudnn.allow_tf32,
        "deterministic": torch.backends.cudnn.deterministic,
        "autocast": torch.is_autocast_enabled(device.type),
    }


EXACT = {"matmul": "highest", "tf32": False, "deterministic": True, "autocast": False}


def test_features_are_computed_without_tf32_and_autocast(device, tmp_path, monkeypatch):
    monkeypatch.setattr(Watched, "seen", [])
    configure_torch(Device(tf32=True))
    before = numerics(device)
    assert before["matmul"] == "high"
    words = ("metrics.features=watched", "metrics.compute=[fd]", "metrics.count=16")
    trained(small(*words, *tiny("dcgan"), "every.evaluate=1", "device.tf32=true"), tmp_path)
    assert Watched.seen
    assert all(seen == EXACT for seen in Watched.seen)
    with torch.autocast(device.type, torch.bfloat16), exact_numerics(device):
        assert numerics(device) == EXACT
    assert numerics(device) == before


def test_classifier_of_metrics_is_trained_without_tf32(device, monkeypatch):
    seen = []
    monkeypatch.setattr(classifier, "train", lambda *given: seen.append(numerics(device)) or 0.5)
    configure_torch(Device(tf32=True))
    dataset = datasets.build({"name": "synthetic", "count": 30}, where="dataset")
    classifier.trained_classifier(dataset, device)
    assert seen == [EXACT]


def test_gan_fid_refuses_reduced_precision():
    options = {"real": ".", "fake": ".", "device": {"precision": "bfloat16"}}
    with pytest.raises(ConfigError, match=r"device\.precision: gan-fid computes in float32"):
        fid_options(options)
