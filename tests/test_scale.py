"""The scale of distances: the data against themselves, and an untrained generator."""

import json

import pytest
import torch

from gan_cli.config.schema import Metrics
from gan_cli.data.sets import datasets
from gan_cli.evaluation.evaluation import Evaluation
from gan_cli.evaluation.scale import data_side, halves, scale_of
from gan_cli.report.run_report import write_report
from gan_cli.training import scoring
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, built, composed, small, tensors_of, trained
from tests.test_dann import PAIR
from tests.test_toys import metrics, toy

CPU = torch.device("cpu")
SHOWN = "every={log: 1, preview: 0, evaluate: 1, checkpoint: 1}"
NARROW = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
SCORED = ("metrics=fd_random", "metrics.count=24", SHOWN, *NARROW)


def evaluation(count: int = 40, data: int = 200, real_count: int | None = 10_000) -> Evaluation:
    dataset = datasets.build({"name": "synthetic", "count": data}, where="dataset")
    compute = {"fd": {"name": "fd"}, "prdc": {"name": "prdc"}}
    return Evaluation(Metrics(count, real_count, compute, {"name": "pixels"}), dataset, CPU)


def scale_in(folder) -> dict:
    return json.loads((folder / "run.json").read_text())["scale"]


@pytest.mark.parametrize(
    ("count", "data", "real_count", "expected"),
    [
        (40, 200, 10_000, (100, 40)),
        (40, 200, None, (100, 40)),
        (40, 200, 60, (60, 40)),
        (40, 61, None, (30, 30)),
        (10, 200, None, (30, 10)),  # of three evaluations, at most
    ],
)
def test_halves_share_no_sample_and_have_the_counts_of_a_score(count, data, real_count, expected):
    first, second = halves(evaluation(count, data, real_count))
    assert (len(first), len(second)) == expected
    assert not set(first.tolist()) & set(second.tolist())
    assert all(0 <= i < data for i in [*first.tolist(), *second.tolist()])


def test_halves_of_sorted_data_have_all_of_it():
    first, second = halves(evaluation(100, 200))
    for half in (first, second):
        assert 60 < half.float().mean() < 140


def test_floor_is_the_distance_of_the_halves_and_ceiling_that_of_initial_weights():
    measured = evaluation()
    game = built(small("model=dcgan", *NARROW))
    found = scale_of(measured, game)
    sides = [data_side(measured, index) for index in halves(measured)]
    real = measured.dataset.tensors()["real"]
    for side, index in zip(sides, halves(measured), strict=True):
        expected = measured.metrics.features(real[index]).features
        assert torch.allclose(side.moments.mean, expected.double().mean(0))
    assert found["floor"]["fd_pixels"] == measured.metrics.score(*sides).values["fd_pixels"]
    assert found["ceiling"]["fd_pixels"] == measured.evaluate(game).values["fd_pixels"]
    assert found["floor"]["fd_pixels"] < found["ceiling"]["fd_pixels"]
    assert found["counts"] == {"real": 100, "fake": 40}
    assert set(found["floor"]) == set(found["ceiling"]) == {"fd_pixels"}  # precision is no distance


def test_a_run_has_the_scale_of_its_first_weights(tmp_path):
    config = small("model=dcgan", *SCORED)
    run = trained(config, tmp_path)
    found = scale_in(tmp_path)
    initial = Evaluation(config.metrics, run.dataset, CPU).evaluate(built(config)).values
    assert found["ceiling"] == initial
    assert 0 < found["floor"]["fd_random"] < found["ceiling"]["fd_random"]
    assert "floor" in run.scores.summary()
    assert "ceiling" in run.scores.summary()
    assert found == run.scores.scale


def test_a_resumed_run_keeps_its_scale(tmp_path, monkeypatch):
    trained(small("model=dcgan", *SCORED), tmp_path)
    before = scale_in(tmp_path)
    with monkeypatch.context() as context:
        context.setattr(scoring, "scale_of", None)  # not called
        again = trained(small("model=dcgan", *SCORED, "steps=3"), tmp_path)
    assert again.scores.scale == before == scale_in(tmp_path)
    trained(small("model=dcgan", *SCORED, "steps=4", "metrics.count=32"), tmp_path)
    assert scale_in(tmp_path)["counts"] == {"real": 32, "fake": 32}


def test_the_scale_does_not_change_a_training(tmp_path):
    words = ("model=cgan", *SCORED)
    with_scale = trained(small(*words), tmp_path / "with")
    without = trained(small(*words, "score_scale=false"), tmp_path / "without")
    found, expected = tensors_of(with_scale), tensors_of(without)
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert with_scale.scores.last == without.scores.last
    assert "scale" not in json.loads((tmp_path / "without/run.json").read_text())
    assert "floor" not in without.scores.summary()


def test_the_report_has_floor_and_ceiling(tmp_path):
    trained(small("model=dcgan", *SCORED), tmp_path)
    text = write_report(tmp_path).read_text()
    assert "<th>floor</th><th>ceiling</th>" in text
    found = scale_in(tmp_path)
    for end in ("floor", "ceiling"):
        assert f"<td>{found[end]['fd_random']:.4g}</td>" in text
    assert "one half of the data against the other (24 against 32)" in text


@pytest.mark.parametrize("name", ["translation", "audio", "tokens"])
def test_games_of_other_kinds_have_a_scale(name, tmp_path):
    trained(toy(name, *metrics(name), SHOWN), tmp_path)
    found = scale_in(tmp_path)
    assert found["floor"].keys() == found["ceiling"].keys()
    assert len(found["floor"]) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("dataset=mixture1d", "model=affine", "loss=f_kl", "metrics=gaussian_fit", NARROW[1]),
        (
            *("dataset=ring", "model=mlp", *NARROW, "metrics.compute=[modes, transport, kd]"),
            "metrics.features=identity",
            *("metrics.compute.kd.subset_size=20", "metrics.compute.transport.count=20"),
        ),
        ("model=cgan", "metrics=classes", "metrics.features=pixels", *NARROW),
    ],
    ids=["gaussian_fit", "points", "classes"],
)
def test_metrics_with_other_needs_have_a_scale_or_none(words, tmp_path):
    config = validate(composed(*SMALL, *words, "metrics.count=64", SHOWN))
    run = trained(config, tmp_path)
    found = run.scores.scale
    assert found is not None
    for end in ("floor", "ceiling"):
        assert all(run.scores.lower_is_better[name] for name in found[end])
    assert found["ceiling"]


def test_games_without_samples_have_no_scale(tmp_path):
    run = trained(validate(composed(*PAIR, "model=dann", "metrics=none", SHOWN)), tmp_path)
    assert run.scores.scale == {}
    assert run.scores.last
