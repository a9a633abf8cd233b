"""gan-fid: sides of every kind, cards and their comparison, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_cli.data.files import survey
from gan_cli.data.sets.folder import Folder
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.evaluation.compare import compared
from gan_cli.evaluation.options import checked_options
from gan_cli.evaluation.score import score
from gan_cli.fid import card_of, full
from gan_cli.metrics.features.untrained import Random, RandomFeatures
from gan_cli.metrics.frechet import Moments, frechet_distance
from gan_cli.sampling import options as sampling_options
from gan_cli.sampling.perform import perform
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import save_png
from tests.helpers import small, trained


def fid(cwd: Path, run: str | None = None, **keys: object) -> dict:
    """The card that gan-fid writes for these keys."""
    metrics = {"compute": {"fd": {}}, "features": "random", "count": None, "real_count": None}
    metrics |= keys.pop("metrics", {})  # type: ignore[arg-type]
    output = cwd / f"card-{len(list(cwd.glob('card-*')))}.json"
    options = checked_options({"run": run, "output": str(output), **keys, "metrics": metrics})
    score(options, None if run is None else Path(run))
    return json.loads(output.read_text()) | {"path": output}


def faults(*args: object, **keys: object) -> str:
    with pytest.raises(ConfigError) as error:
        fid(*args, **keys)  # type: ignore[arg-type]
    return "\n".join(error.value.faults)


def pictures(count: int, seed: int, size: int = 12) -> np.ndarray:
    """Smooth gray blobs as (N, H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 3, 3, 1))
    return coarse.repeat(size // 3, 1).repeat(size // 3, 2).repeat(3, 3).astype(np.uint8)


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """real/ and fake/ as folders, fake.npz and real.npz of images."""
    root = tmp_path_factory.mktemp("sources")
    for seed, name in enumerate(("real", "fake")):
        images = pictures(150, seed)
        np.savez(root / f"{name}.npz", images=images)
        for i, image in enumerate(images):
            save_png(root / name / f"{i:03d}.png", image)
    return root


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def in_home(home, monkeypatch) -> None:
    """The data set of a run is opened for runs in ./outputs alone."""
    monkeypatch.chdir(home)


@pytest.fixture(scope="module")
def run(home):
    """A short run with an evaluation of 40 samples at its end."""
    folder = home / "outputs" / "mine"
    config = small(
        *("steps=3", "every={log: 1, preview: 0, evaluate: 3, checkpoint: 3}"),
        *("metrics=fd_random", "metrics.count=40", "metrics.real_count=50"),
        *("dataset.size=16", "model=cgan"),
    )
    return trained(config, folder)


def test_folders_archives_and_arrays_agree(sources, tmp_path) -> None:
    cards = [
        fid(tmp_path, real=str(sources / real), fake=str(sources / fake))
        for real, fake in (("real", "fake"), ("real.npz", "fake"), ("real", "fake.npz"))
    ]
    values = [card["values"]["fd_random"] for card in cards]
    assert values[0] > 0
    assert values[1:] == values[:1] * 2
    assert cards[0]["protocol"]["real"] == cards[1]["protocol"]["real"]
    assert cards[0]["protocol"]["real"]["count"] == 150


def test_saved_statistics_on_either_side(sources, tmp_path) -> None:
    real, fake, saved = str(sources / "real"), str(sources / "fake"), str(tmp_path / "s.npz")
    direct = fid(tmp_path, real=real, fake=fake, save=saved)["values"]["fd_random"]
    assert fid(tmp_path, real=saved, fake=fake)["values"]["fd_random"] == pytest.approx(direct)
    assert fid(tmp_path, real=fake, fake=saved)["values"]["fd_random"] == pytest.approx(direct)
    assert fid(tmp_path, real=saved, fake=saved)["values"]["fd_random"] == pytest.approx(
        0, abs=1e-6
    )
    told = faults(tmp_path, real=saved, fake=fake, metrics={"features": "pixels"})
    assert "the saved statistics are of name random" in told
    told = faults(tmp_path, real=saved, fake=fake, metrics={"compute": {"fd": {}, "prdc": {}}})
    assert "real: saved statistics are enough for fd alone, and prdc needs features" in told
    assert "save: " in faults(tmp_path, real=real, fake=fake, save=saved)  # is there already


def test_a_run_is_scored_against_saved_statistics(run, tmp_path) -> None:
    """And against images without labels: under all classes alike."""
    images, saved = str(tmp_path / "real.npz"), str(tmp_path / "s.npz")
    np.savez(images, images=run.dataset.tensors()["real"].permute(0, 2, 3, 1).numpy())
    metrics = {"count": 40}
    direct = fid(tmp_path, str(run.folder), real=images, metrics=metrics, save=saved)
    again = fid(tmp_path, str(run.folder), real=saved, metrics=metrics)
    assert again["values"]["fd_random"] == pytest.approx(direct["values"]["fd_random"])
    assert again["protocol"] == direct["protocol"]
    assert again["protocol"]["fake"]["labels"] == "all classes alike"
    told = faults(tmp_path, str(run.folder), real=saved, metrics={"features": "classifier"})
    assert "features: 'classifier' learns" in told
    assert "no labels" in told
    told = faults(tmp_path, str(run.folder), real=saved, metrics={"features": "identity"})
    assert "'identity' does not take samples of kind image" in told


def test_statistics_of_pytorch_fid(tmp_path) -> None:
    """mu and sigma alone: |3|^2 + 2 (2 - 1)^2 for N(0, I) and N((3, 0), 4 I)."""
    for name, mu, scale in (("a", [0.0, 0.0], 1.0), ("b", [3.0, 0.0], 4.0)):
        np.savez(tmp_path / f"{name}.npz", mu=np.array(mu), sigma=scale * np.eye(2))
    card = fid(tmp_path, real=str(tmp_path / "a.npz"), fake=str(tmp_path / "b.npz"))
    assert card["values"]["fd_random"] == pytest.approx(9 + 2)
    assert "count" not in card["protocol"]["real"]


def test_a_run_scores_as_it_did_in_training(run, tmp_path) -> None:
    metrics = {"count": 40, "real_count": 50}
    card = fid(tmp_path, str(run.folder), metrics=metrics)
    value, step = run.scores.last["fd_random"]
    assert card["values"]["fd_random"] == pytest.approx(value, rel=1e-9)
    assert card["subject"]["step"] == step == 3
    assert card["protocol"]["fake"]["weights"] == "average"
    last = json.loads((run.folder / "cards" / "last.json").read_text())
    assert compared([card["path"], run.folder / "cards" / "last.json"])
    assert last["protocol"]["real"] == card["protocol"]["real"]
    assert (run.folder / "cards" / "best.json").exists()


@pytest.mark.parametrize(("draw", "seeds"), [(0, "0-39"), (1, f"{2**32}-{2**32 + 39}")])
def test_what_is_scored_are_the_samples_of_gan_sample(
    draw, seeds, run, tmp_path, monkeypatch
) -> None:
    """Bit for bit, under the labels that the data lends; draw k begins at seed k * 2^32."""
    embedded: list[torch.Tensor] = []
    plain = Random.__call__
    monkeypatch.setattr(
        Random, "__call__", lambda self, x: embedded.append(x.clone()) or plain(self, x)
    )
    card = fid(tmp_path, str(run.folder), metrics={"count": 40}, seeds=str(draw))
    scored = torch.cat(embedded)[-40:].permute(0, 2, 3, 1).numpy()

    rng = torch.Generator().manual_seed(draw)
    labels = run.dataset.labels()[torch.randint(64, (40,), generator=rng)].tolist()
    keys = {"run": "x", "seeds": seeds, "label": labels, "format": "npz"}
    keys |= {"output": str(tmp_path / "drawn"), "device": {"accelerator": "cpu"}}
    perform(sampling_options.checked_options(keys), run.folder)
    with np.load(tmp_path / "drawn" / "samples.npz") as arrays:
        assert arrays["labels"].tolist() == labels
        assert np.array_equal(arrays["images"], scored)
    fake, data = str(tmp_path / "drawn" / "samples.npz"), dict(run.config.dataset)
    again = fid(tmp_path, fake=fake, dataset=data)
    assert again["values"]["fd_random"] == pytest.approx(card["values"]["fd_random"], rel=1e-6)


def test_what_shapes_a_value_is_in_the_card(run, tmp_path) -> None:
    metrics = {"count": 40, "compute": {"kd": {"subset_size": 20, "subsets": 3}}}
    card = fid(tmp_path, str(run.folder), metrics=metrics, truncation=0.5, weights="live")
    assert card["protocol"]["fake"] == {
        "count": 40, "weights": "live", "truncation": 0.5, "truncation_cutoff": None,
        "labels": "of the data",
    }  # fmt: skip
    assert card["metrics"]["kd"] == {"name": "kd", "subset_size": 20, "subsets": 3, "seed": 2020}
    assert card["protocol"]["features"] == {"name": "random", "version": 1}
    assert card["protocol"]["rounding"] == "rounded to uint8"
    assert card["protocol"]["real"]["content"]
    assert card["subject"]["real"]["name"] == "synthetic"
    assert card["versions"]["torch"] == torch.__version__.partition("+")[0]


def test_several_seeds(run, tmp_path) -> None:
    card = fid(tmp_path, str(run.folder), metrics={"count": 40}, seeds="0-2")
    values = [card["by_seed"][str(seed)]["fd_random"] for seed in range(3)]
    assert len(set(values)) == 3
    assert card["values"]["fd_random"] == pytest.approx(np.mean(values))
    assert card["spread"]["fd_random"] == pytest.approx(np.std(values, ddof=1))


def test_class_conditional_scores_and_other_data(run, tmp_path) -> None:
    metrics = {"count": 60, "compute": {"class_fd": {}}}
    card = fid(tmp_path, str(run.folder), metrics=metrics, dataset={"seed": 7})
    assert card["values"]["class_fd_random"] > 0
    assert card["subject"]["real"]["seed"] == 7  # the training's data set, with one key changed


def test_cards_of_unequal_protocol_are_refused_by_name(run, tmp_path) -> None:
    forty, fifty, live = (
        fid(tmp_path, str(run.folder), metrics={"count": n}, weights=weights)["path"]
        for n, weights in ((40, "average"), (50, "average"), (40, "live"))
    )
    table = compared([forty, forty])
    assert table.splitlines()[0].split() == ["fd_random"]
    with pytest.raises(ConfigError) as error:
        compared([forty, fifty])
    assert error.value.faults[0].startswith("compare: fake.count differs: ")
    with pytest.raises(ConfigError, match=r"fake\.weights differs"):
        compared([forty, live])
    nothing = tmp_path / "other.json"
    nothing.write_text("{}")
    with pytest.raises(ConfigError, match="not a metric card"):
        compared([nothing])
    with pytest.raises(ConfigError, match="neither a metric card nor a run"):
        card_of("nowhere")


def test_transport_of_plane_data_is_drawn(tmp_path) -> None:
    rng = np.random.default_rng(0)
    for name, shift in (("a", 0.0), ("b", 1.5)):
        samples = rng.standard_normal((100, 2)) + shift
        np.savez(tmp_path / f"{name}.npz", samples=samples.astype(np.float32))
    metrics = {"features": "identity", "compute": {"transport": {"count": 100}}}
    card = fid(
        tmp_path, real=str(tmp_path / "a.npz"), fake=str(tmp_path / "b.npz"), metrics=metrics
    )
    assert card["values"]["w1_identity"] == pytest.approx(1.5 * 2**0.5, rel=0.15)
    assert card["path"].with_suffix(".png").exists()


def tones(pitch: float) -> np.ndarray:
    """Sine waves of about this frequency, (60, 1, 600) int16 at 8 kHz."""
    hertz = pitch * np.random.default_rng(0).uniform(0.9, 1.1, (60, 1, 1))
    return (20_000 * np.sin(2 * np.pi * hertz / 8000 * np.arange(600))).astype(np.int16)


def words(letters: int) -> np.ndarray:
    return np.random.default_rng(letters).integers(0, letters, (60, 9))


@pytest.mark.parametrize(
    ("features", "real", "near", "far", "rounding"),
    [
        ("spectrum", tones(500), tones(520), tones(2000), "rounded to int16"),
        ("ngrams", words(5), words(6), words(40), "none"),
    ],
)
def test_files_of_sound_and_of_text(features, real, near, far, rounding, tmp_path) -> None:
    values = []
    np.savez(tmp_path / "real.npz", samples=real)
    for i, samples in enumerate((real, near, far)):
        np.savez(tmp_path / f"{i}.npz", samples=samples)
        files = {"real": str(tmp_path / "real.npz"), "fake": str(tmp_path / f"{i}.npz")}
        card = fid(tmp_path, **files, metrics={"features": features})
        assert card["protocol"]["rounding"] == rounding
        values.append(card["values"][f"fd_{features}"])
    assert values[0] == pytest.approx(0, abs=1e-4)
    assert values[0] < values[1] < values[2] / 2
    told = faults(tmp_path, **files, metrics={"features": "random"})
    assert f"use metrics.features={features}" in told


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({}, "run: has no value; type run=NAME or checkpoint=PATH or, for files, real=PATH"),
        ({"fake": "."}, "real: has no value; type real=PATH, or dataset=NAME"),
        ({"fake": ".", "real": ".", "seeds": "0-3"}, "seeds: is for samples of a model"),
        ({"fake": ".", "real": ".", "dataset": {"name": "mnist_5k"}}, "real: excludes dataset"),
        ({"real": "/no/where", "fake": "."}, "real: no file or folder /no/where"),
        ({"real": ".", "fake": ".", "save": "x.txt"}, "save: is a .npz file; type save=x.npz"),
        ({"real": ".", "fake": ".", "conut": 3}, "conut: unknown key"),
    ],
)
def test_what_is_refused_before_anything_is_opened(keys, told) -> None:
    with pytest.raises(ConfigError) as error:
        checked_options({"metrics": {}, **keys})
    assert told in "\n".join(error.value.faults)


def test_unreadable_sides(sources, tmp_path) -> None:
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK no archive")
    odd = tmp_path / "odd.npz"
    np.savez(odd, images=np.zeros((3, 4, 4, 3)))
    strange = tmp_path / "strange.npz"
    np.savez(strange, weights=np.zeros(3))
    (tmp_path / "empty").mkdir()
    fake = str(sources / "fake")
    assert "not an intact npz file" in faults(tmp_path, real=str(broken), fake=fake)
    assert "must be uint8 (N, H, W, C)" in faults(tmp_path, real=str(odd), fake=fake)
    assert "holds weights; expected mu and sigma" in faults(tmp_path, real=str(strange), fake=fake)
    assert "real: no images in" in faults(tmp_path, real=str(tmp_path / "empty"), fake=fake)


def test_shapes_and_counts_must_fit(sources, tmp_path) -> None:
    large = tmp_path / "large.npz"
    np.savez(large, images=pictures(20, 0, size=24))
    assert "needs equal ones" in faults(tmp_path, real=str(large), fake=str(sources / "fake"))
    told = faults(
        tmp_path, real=str(sources / "real"), fake=str(sources / "fake"),
        metrics={"compute": {"kd": {}}},
    )  # fmt: skip
    assert "needs 1000 samples a side, and there are 150 real ones" in told


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("count=500", "metrics.count=500"),
        ("features=random", "metrics.features=random"),
        ("metrics=[fid,kid]", "metrics.compute=[fid,kid]"),
        ("metrics=fid,kid", "metrics.compute=[fid,kid]"),
        ("seeds=3,7", "seeds=[3,7]"),
        ("run=a,b", "run=a,b"),
        ("--cfg", "--cfg"),
    ],
)
def test_short_words(word, meant) -> None:
    assert full(word) == meant


def test_saved_moments_are_those_of_the_images(sources, tmp_path) -> None:
    """The npz as pytorch-fid reads it: mu and an unbiased sigma of the features."""
    saved = tmp_path / "s.npz"
    fid(tmp_path, real=str(sources / "real"), fake=str(sources / "fake"), save=str(saved))
    images = torch.from_numpy(pictures(150, 0)).permute(0, 3, 1, 2)
    features = RandomFeatures(3)(images).double().numpy()
    with np.load(saved) as file:
        np.testing.assert_allclose(file["mu"], features.mean(0), atol=1e-6)
        np.testing.assert_allclose(file["sigma"], np.cov(features, rowvar=False), atol=1e-6)
        assert (
            frechet_distance(Moments.from_state(file), Moments.of(torch.from_numpy(features)))
            < 1e-6
        )
    assert InMemory({"real": images}).modes() is None


def test_images_are_decoded_once_for_all_that_a_score_needs(sources, tmp_path, monkeypatch) -> None:
    """Their hash, features and pixels; and not at all if an earlier score has seen the files."""
    decoded: list[str] = []
    original = Folder.decode
    monkeypatch.setattr(
        Folder,
        "decode",
        lambda self, i: decoded.append(self.archive.where(self.names[i])) or original(self, i),
    )
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / "cache"))
    real, fake = str(sources / "real"), str(sources / "fake")
    expected = fid(tmp_path, real=real, fake=fake, metrics={"compute": {"fd": {}, "sliced": {}}})
    assert not decoded  # they are in memory
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr(survey, "KEPT_BYTES", 0)
    streamed = fid(tmp_path, real=real, fake=fake, metrics={"compute": {"fd": {}, "sliced": {}}})
    assert len(decoded) == len(set(decoded)) == 300
    assert streamed["values"] == expected["values"]
    assert streamed["protocol"] == expected["protocol"]
    decoded.clear()
    again = fid(tmp_path, real=real, fake=fake, metrics={"compute": {"fd": {}, "sliced": {}}})
    assert (again["values"], decoded) == (expected["values"], [])
    limited = fid(tmp_path, real=real, fake=fake, metrics={"real_count": 50})
    assert sum("/real/" in name for name in decoded) == 50
    assert limited["protocol"]["real"]["content"] != expected["protocol"]["real"]["content"]
