"""gan-fid direction=: which samples of a model that translates both ways are scored."""

import numpy as np
import pytest

from gan_cli.evaluation.options import checked_options
from gan_cli.evaluation.score import score
from gan_cli.utils.errors import ConfigError
from tests.helpers import small, trained
from tests.test_cyclegan import config_of


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run of two steps with scores, and the run."""
    folder = tmp_path_factory.mktemp("runs") / "outputs" / "both"
    words = ("metrics=paired", "metrics.count=16", "ema.half_life=0")
    config = config_of(*words, "every={log: 1, preview: 0, evaluate: 2, checkpoint: 2}")
    return folder, trained(config, folder)


def scored(folder, compute=("fd", "paired"), **options):
    tree = {"run": "x", "device": {"accelerator": "cpu"}, **options}
    settings = {"features": "random", "count": 16, "compute": [*compute]}
    return score(checked_options({**tree, "metrics": settings}), folder)[0]


def test_both_directions_are_scored_as_in_training(finished, monkeypatch):
    folder, run = finished
    monkeypatch.chdir(folder.parent.parent)
    cards = {way: scored(folder, direction=way) for way in ("forward", "backward", None)}
    assert cards["forward"]["values"] == cards[None]["values"]
    assert cards["forward"]["protocol"]["fake"] == cards[None]["protocol"]["fake"]
    assert cards["backward"]["protocol"]["fake"]["direction"] == "backward"
    found = {**cards["forward"]["values"], **cards["backward"]["values"]}
    assert set(cards["backward"]["values"]) == {
        *("fd_random_source", "paired_l1_source", "paired_psnr_source"),
    }
    for name, value in found.items():
        assert value == pytest.approx(run.scores.last[name][0], rel=1e-4), name


def test_the_way_back_is_compared_with_sources_given_as_files(finished, tmp_path, monkeypatch):
    folder, run = finished
    monkeypatch.chdir(folder.parent.parent)
    images = run.dataset.held_out()["target"].permute(0, 2, 3, 1).numpy()
    np.savez(tmp_path / "wrong.npz", images=images)
    with pytest.raises(ConfigError) as caught:
        scored(folder, direction="backward", real=str(tmp_path / "wrong.npz"))
    assert "shape (1, 16, 16), the real ones (3, 16, 16)" in str(caught.value)


@pytest.mark.parametrize(("way", "side"), [("forward", "target"), ("backward", "source")])
def test_files_are_compared_with_what_becomes_of_the_runs_own_data(
    finished, tmp_path, monkeypatch, way, side
):
    folder, run = finished
    monkeypatch.chdir(folder.parent.parent)
    part = next(part for part in run.dataset.parts() if side in part.spec.fields)
    images = part.tensors()[side].permute(0, 2, 3, 1).numpy()
    np.savez(tmp_path / "same.npz", images=images)
    given = scored(folder, compute=["fd"], direction=way, real=str(tmp_path / "same.npz"))
    own = scored(folder, compute=["fd"], direction=way)
    assert given["values"] == pytest.approx(own["values"], rel=1e-6)
    assert given["protocol"]["fake"]["inputs"] == run.dataset.fingerprint()
    assert "inputs" not in own["protocol"]["fake"]


def test_there_is_no_direction_of_one_way_models(tmp_path):
    words = ("model.networks.generator.width=4", "model.networks.discriminator.width=4")
    trained(small("every.checkpoint=1", "steps=1", *words), tmp_path / "run")
    with pytest.raises(ConfigError, match="direction: the model does not translate both ways"):
        scored(tmp_path / "run", direction="backward")


def test_there_is_no_direction_of_files(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((2, 8, 8, 1), np.uint8))
    with pytest.raises(ConfigError, match="direction: is for samples of a model"):
        checked_options({"real": str(tmp_path / "a.npz"), "fake": str(tmp_path / "a.npz"),
                         "direction": "forward"})  # fmt: skip
