"""Three toy games, each added by one file: translation, tokens and audio work like any other."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import gan_cli
from gan_cli.config.schema import Config
from gan_cli.games.draw import draw_all
from gan_cli.games.request import Request
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.training.run import Run
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, composed, tensors_of, trained
from tests.test_commands import gan_train
from tests.toys import audio, tokens, translation

ROOT = Path(__file__).resolve().parent.parent
TOYS = {
    "translation": {
        "dataset": {"name": "toy_unpaired"},
        "game": {"name": "toy_translation"},
        "networks": {
            "to_source": {"name": "toy_translator", "to": "source"},
            "to_target": {"name": "toy_translator", "to": "target"},
            "critic_source": {"name": "toy_patch_critic", "of": "source"},
            "critic_target": {"name": "toy_patch_critic", "of": "target"},
        },
    },
    "tokens": {
        "dataset": {"name": "toy_words"},
        "game": {"name": "toy_seqgan"},
        "networks": {
            "generator": {"name": "toy_writer"},
            "discriminator": {"name": "toy_reader"},
        },
    },
    "audio": {
        "dataset": {"name": "toy_tones"},
        "game": {"name": "toy_wavegan"},
        "networks": {
            "generator": {"name": "toy_synthesizer"},
            "discriminator": {"name": "toy_listener"},
        },
    },
}
FEATURES = {"translation": "random", "tokens": "ngrams", "audio": "spectrum"}
PICTURES = {
    "translation": {"real", "real_source", "samples", "samples_source", "cycles"},
    "tokens": {"real", "samples"},
    "audio": {"real", "samples"},
}
EVERY_STEP = "every={log: 1, preview: 1, evaluate: 2, checkpoint: 2, keep: 0}"


def toy(name: str, *overrides: str) -> Config:
    loss = "loss=lsgan" if name == "translation" else "loss=nonsaturating"
    tree = composed(*SMALL, loss, f"imports=[tests.toys.{name}]", EVERY_STEP, *overrides)
    nodes = TOYS[name]
    tree["dataset"] = nodes["dataset"]
    tree["model"] = {"game": nodes["game"], "networks": nodes["networks"]}
    return validate(tree)


def metrics(name: str) -> list[str]:
    return ["metrics=fd_random", f"metrics.features={FEATURES[name]}", "metrics.count=32"]


@pytest.fixture(params=list(TOYS))
def name(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    return request.param


def test_trains_previews_and_is_watched(name, tmp_path):
    run = trained(toy(name, "steps=4", "health=true", *metrics(name)), tmp_path / "run")
    taken = {path.stem.rsplit("-", 1)[0] for path in (tmp_path / "run" / "samples").iterdir()}
    assert taken == PICTURES[name]
    value = run.scores.last[f"fd_{FEATURES[name]}"][0]
    assert np.isfinite(value)
    assert value > 0
    readings = run.health.tracker.readings
    assert readings[-1][f"diversity_{run.health.comparison.first}"] > 0


def test_learns_something(name, tmp_path):
    """After some hundred steps the fakes are nearer to the data than at the start."""
    faster = {
        "translation": ["optimizer.lr=0.003"],
        "tokens": ["optimizer.lr=0.01", "steps=450"],
        "audio": ["optimizer.lr=0.001", "loss.penalties.r1.weight=1", "steps=300"],
    }
    calm = ["every={log: 100, preview: 0, evaluate: 1000, checkpoint: 0, keep: 0}", "batch_size=32"]
    first = trained(toy(name, *calm, "steps=1", *metrics(name)), tmp_path / "first")
    words = [*calm, "steps=150", *faster[name], *metrics(name)]
    last = trained(toy(name, *words), tmp_path / "last")
    if name == "audio":
        assert purity(first) < 0.1
        assert purity(last) > 0.8
        return
    key = f"fd_{FEATURES[name]}"
    assert last.scores.last[key][0] < 0.9 * first.scores.last[key][0]


def purity(run: Run) -> float:
    """Share of the energy of generated sounds that lies at the 500 Hz of the data."""
    power = torch.fft.rfft(draw_all(run.ema.game, Request(range(64)))).abs().square().sum((0, 1))
    hertz = torch.fft.rfftfreq(512, 1 / 8000)
    return (power[(hertz - 500).abs() < 40].sum() / power.sum()).item()


def test_resumes_bit_for_bit(name, tmp_path):
    whole = trained(toy(name, "steps=6"), tmp_path / "whole")
    trained(toy(name, "steps=4"), tmp_path / "parts")
    parts = trained(toy(name, "steps=6"), tmp_path / "parts")
    expected, found = tensors_of(whole), tensors_of(parts)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    for key, pool in getattr(whole.game, "pool", {}).items():
        assert torch.equal(pool, parts.game.pool[key])


def sampled(tmp_path: Path, **options: object) -> dict[str, np.ndarray]:
    """The arrays that gan-sample writes for the run in tmp_path/run."""
    output = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
    tree = {"run": "x", "output": str(output), "format": "npz", **options}
    perform(checked_options({**tree, "device": {"accelerator": "cpu"}}), tmp_path / "run")
    with np.load(output / "samples.npz") as file:
        return dict(file)


def test_gan_sample_draws_from_seeds(name, tmp_path):
    trained(toy(name, "steps=2"), tmp_path / "run")
    if name == "translation":
        with pytest.raises(ConfigError, match="needs samples; type input=FOLDER"):
            sampled(tmp_path, count=2)
        return
    alone, many = sampled(tmp_path, seeds=7), sampled(tmp_path, count=64)
    np.testing.assert_array_equal(alone["samples"][0], many["samples"][7])
    assert many["samples"].dtype == (np.int64 if name == "tokens" else np.int16)
    files = {path.name for path in (tmp_path).glob("**/samples.txt")}
    options = {"run": "x", "count": 3, "output": str(tmp_path / "usual")}
    perform(checked_options({**options, "device": {"accelerator": "cpu"}}), tmp_path / "run")
    files = {path.name for path in (tmp_path / "usual").iterdir()}
    waves = {f"seed-0000{i}.wav" for i in range(3)}
    assert files == ({"samples.txt"} if name == "tokens" else waves)


def test_translation_is_sampled_from_inputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = trained(toy("translation", "steps=2"), tmp_path / "run")
    gray = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), np.uint8)
    np.savez(tmp_path / "gray.npz", images=gray)
    color = sampled(tmp_path, input=str(tmp_path / "gray.npz"))["images"]
    assert color.shape == (3, 8, 8, 3)
    source = torch.from_numpy(gray).permute(0, 3, 1, 2) / 127.5 - 1
    expected = run.ema.networks["to_target"](source)
    error = (torch.from_numpy(color).permute(0, 3, 1, 2) / 127.5 - 1 - expected).abs()
    assert error.max() < 1 / 127
    back = sampled(tmp_path, target="source", dataset={"name": "toy_unpaired", "count": 5})
    assert back["images"].shape == (5, 8, 8, 1)
    with pytest.raises(
        ConfigError, match="input: has samples of kind image and shape \\(1, 8, 8\\)"
    ):
        sampled(tmp_path, input=str(tmp_path / "gray.npz"), target="source")
    with pytest.raises(
        ConfigError, match="target: unknown field to generate 'targt'; did you mean"
    ):
        sampled(tmp_path, input=str(tmp_path / "gray.npz"), target="targt")
    model = gan_cli.load(tmp_path / "run", device="cpu")
    assert model.sample(given=torch.from_numpy(gray).permute(0, 3, 1, 2)).shape == (3, 3, 8, 8)
    with pytest.raises(ConfigError, match="given: the model makes 'target' from source"):
        model.sample(4)


def test_gan_fid_scores_it(name, tmp_path):
    trained(toy(name, "steps=2"), tmp_path / "outputs" / "x")
    card = gan_cli.score(run="x", features=FEATURES[name], count=48, device="cpu")
    assert card["values"][f"fd_{FEATURES[name]}"] > 0
    rounding = {"translation": "uint8", "tokens": "none", "audio": "int16"}[name]
    assert rounding in card["protocol"]["rounding"]
    wrong = "identity" if name == "translation" else "random"
    with pytest.raises(ConfigError, match="does not take samples of kind"):
        gan_cli.score(run="x", features=wrong, count=48, device="cpu")


def test_penalties_by_gradient_are_refused_for_tokens(tmp_path):
    config = toy("tokens", "loss.penalties.r1.weight=1")
    with pytest.raises(ConfigError, match=r"loss\.penalties\.r1: differentiates the critic"):
        trained(config, tmp_path / "run")


@pytest.mark.slow
def test_from_the_command_line(name, tmp_path, monkeypatch):
    """One Python file and one YAML file are all that a new game needs."""
    nodes = TOYS[name]
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "dataset").mkdir()
    model = {"game": nodes["game"], "networks": nodes["networks"]}
    (tmp_path / "conf/model/toy.yaml").write_text(yaml.safe_dump(model))
    (tmp_path / "conf/dataset/toy.yaml").write_text(yaml.safe_dump(nodes["dataset"]))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = gan_train(tmp_path, "--config-dir", "conf", f"imports=[tests.toys.{name}]", "model=toy",
                     "dataset=toy", "run=x", "steps=2", "metrics=none", "batch_size=8")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "outputs/x/report.html").exists()


def test_toys_are_small():
    """The game itself: rules, turns, sampling."""
    for module in (translation, tokens, audio):
        lines = Path(module.__file__).read_text().split("@games.register")[-1].splitlines()
        assert len([line for line in lines if line.strip()]) <= 60, module.__name__
