"""Scores against the truncation of latents, on a generator whose scores are known."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from torch import nn

from gan_cli.checkpoints.choice import run_folder
from gan_cli.data.spec import Spec, vector_spec
from gan_cli.evaluation.options import checked_options
from gan_cli.evaluation.truncation import print_curve, truncation_curve
from gan_cli.networks import networks
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.lists import as_list
from tests import checkpoint_files
from tests.checkpoint_files import Deaf


class Same(nn.Module):
    """x = z."""

    latent_dim = 2

    def __init__(self, spec: Spec, *, prior: str = "normal") -> None:
        super().__init__()
        self.prior, self.weight = prior, nn.Parameter(torch.ones(()))

    def forward(self, latent, label=None):
        return self.weight * latent


@pytest.fixture(autouse=True)
def workshop(monkeypatch, tmp_path):
    monkeypatch.setitem(networks.entries, "same", Same)
    monkeypatch.setitem(networks.entries, "deaf", Deaf)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savez("real.npz", samples=rng.standard_normal((4000, 2)).astype(np.float32))


def curve_of(prior="normal", **keys):
    nodes = {"generator": {"name": "same", "prior": prior}, "discriminator": {"name": "deaf"}}
    checkpoint_files.write(checkpoint_files.state_of(nodes, vector_spec(2)))
    metrics = {"compute": {"fd": {}, "prdc": {}}, "features": {"name": "identity"}, "count": 4000}
    device = {"accelerator": "cpu"}
    keys = {"run": "x", "real": "real.npz", "metrics": metrics, "device": device, **keys}
    return truncation_curve(checked_options(keys), run_folder("x"))


def test_the_distance_of_a_truncated_normal_law_follows_its_deviation(capsys):
    bounds = [2.0, 0.5, 1.0]
    curve, (table, picture) = curve_of(truncations=bounds)
    assert curve.bounds == [0.5, 1.0, 2.0, None]
    deviations = [stats.truncnorm(-b, b).std() for b in (0.5, 1.0, 2.0)]
    expected = [2 * (1 - deviation) ** 2 for deviation in deviations]
    assert curve.values["fd_identity"][:3] == pytest.approx(expected, abs=0.03)
    assert curve.values["fd_identity"][3] == pytest.approx(0, abs=0.01)
    recall = curve.values["recall_identity"]
    assert recall == sorted(recall)
    assert recall[0] < 0.2 < 0.8 < recall[3]
    with table.open() as file:
        header, *rows = csv.reader(file)
    assert header == ["truncation", *curve.values]
    assert [row[0] for row in rows] == ["0.5", "1", "2", "none"]
    assert [float(row[1]) for row in rows] == pytest.approx(curve.values[header[1]], rel=1e-5)
    assert Image.open(picture).size == (512, 200 * len(curve.values))
    print_curve(curve, [table, picture])
    assert "none" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("truncations=0.5,1", "truncations=[0.5,1]"),
        ("truncations=0.5", "truncations=[0.5]"),
        ("truncations=[0.5]", "truncations=[0.5]"),
        ("truncations=null", "truncations=null"),
        ("truncations=", "truncations="),
        ("seeds=5", "seeds=5"),
    ],
)
def test_bounds_are_typed_without_brackets(typed, meant):
    assert as_list(typed) == meant


def test_each_bound_has_a_card_of_its_own():
    curve, _ = curve_of(truncations=[0.5])
    cards = [json.loads(path.read_text()) for path in Path("outputs/x/cards").glob("*.json")]
    truncations = {card["protocol"]["fake"]["truncation"] for card in cards}
    assert truncations == {0.5, None}
    assert {card["values"]["fd_identity"] for card in cards} == set(curve.values["fd_identity"])


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"truncations": []}, "truncations: lists none; type truncations=0.5"),
        ({"truncations": [0.5, 0]}, "truncation: must be above 0, got 0"),
        ({"truncations": [0.5], "truncation": 0.7}, "truncation: is one of truncations"),
        ({"truncations": [0.5], "output": "card.json"}, "output: is one file"),
        ({"truncations": [0.5], "save": "real-2.npz"}, "save: is one file"),
        ({"truncations": [0.5], "run": None, "fake": "real.npz"}, "truncations: is for samples"),
        ({"truncations": [0.5], "prior": "uniform"}, "the uniform prior has no tails"),
    ],
)
def test_what_has_no_curve_is_refused(keys, told):
    with pytest.raises(ConfigError, match=told):
        curve_of(**keys)
    assert not list(Path("outputs").glob("*/cards/*"))
