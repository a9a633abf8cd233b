"""Formats of sound and text, and formats and tasks that a user's module adds to gan-sample."""

import csv
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from gan_cli.data.spec import Field, image_spec, sample_spec, vector_spec
from gan_cli.networks import networks
from gan_cli.sampling.exports import DrawnSamples, exports, fitting
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.sampling.task import tasks
from gan_cli.utils.errors import ConfigError
from tests import checkpoint_files
from tests.checkpoint_files import Deaf
from tests.test_sample import gan_sample
from tests.toys import audio, tokens  # noqa: F401  (registration)

STEREO = Field("audio", (2, 400), sample_rate=11_025)
VECTORS = vector_spec(3, 2)


@pytest.fixture(autouse=True)
def workshop(monkeypatch, tmp_path):
    monkeypatch.setitem(networks.entries, "deaf", Deaf)
    monkeypatch.chdir(tmp_path)


def saved(node, spec, game="gan", critic="deaf"):
    nodes = {"generator": node, "discriminator": {"name": critic}}
    return checkpoint_files.write(checkpoint_files.state_of(nodes, spec, game=game))


def sample(**keys) -> tuple[dict[str, Path], str]:
    """Files by name, and what is told."""
    output = keys.setdefault("output", f"out-{len(list(Path().iterdir()))}")
    options = checked_options({"run": "x", "device": {"accelerator": "cpu"}, **keys})
    told = perform(options, Path("outputs/x"))
    return {path.name: path for path in Path(output).iterdir()}, told


def written(name: str, drawing: DrawnSamples) -> dict[str, Path]:
    files = exports.entries[name].write(Path(), drawing)
    return {path.name: path for path in files}


def read_wav(path: Path) -> tuple[np.ndarray, int]:
    """(C, T) int16 and the sample rate, by the standard library."""
    with wave.open(str(path), "rb") as reader:
        assert (reader.getsampwidth(), reader.getcomptype()) == (2, "NONE")
        raw = reader.readframes(reader.getnframes())
        sound = np.frombuffer(raw, "<i2").reshape(-1, reader.getnchannels()).T
        return sound, reader.getframerate()


# ---- Sound


@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_file_holds_the_very_samples(channels):
    rng = torch.Generator().manual_seed(0)
    sounds = torch.randint(-32768, 32768, (3, channels, 400), generator=rng).to(torch.int16)
    field = Field("audio", (channels, 400), sample_rate=11_025)
    labels = {"labels": [0, 1, 0], "label_names": ["drum", "hi hat/open", "drum"]}
    files = written("wav", DrawnSamples(sounds, field, (7, 8, 123_456), **labels))
    assert list(files) == [
        "seed-00007-label-drum.wav",
        "seed-00008-label-hi_hat_open.wav",
        "seed-123456-label-drum.wav",
    ]
    for path, sound in zip(files.values(), sounds, strict=True):
        found, rate = read_wav(path)
        assert rate == 11_025
        assert np.array_equal(found, sound.numpy())


def test_sound_is_drawn_into_wav_files_and_the_same_into_an_npz():
    saved({"name": "toy_synthesizer"}, sample_spec(Field("audio", (1, 512), sample_rate=8000)))
    files, told = sample(seeds="3,5")  # wav is the default
    assert sorted(files) == ["seed-00003.wav", "seed-00005.wav"]
    assert "seeds: 3, 5" in told
    both, _ = sample(seeds="3,5", format="wav,flac,png,npz,plot")
    with np.load(both["samples.npz"]) as arrays:
        assert arrays["samples"].dtype == np.int16
        for seed, sound in zip((3, 5), arrays["samples"], strict=True):
            found, rate = read_wav(files[f"seed-{seed:05d}.wav"])
            assert rate == 8000
            assert np.array_equal(found, sound)
            lossless, _ = soundfile.read(both[f"seed-{seed:05d}.flac"], dtype="int16")
            assert np.array_equal(lossless[None], sound)
    assert {"plot.png", "seed-00003.png", "seed-00005.png"} <= both.keys()
    with pytest.raises(ConfigError, match=r"does not show .* type format=png or npz or plot or"):
        sample(format="grid")
    with pytest.raises(ConfigError, match=r"columns: samples of kind audio .* make no grid"):
        sample(columns=3)


def test_an_interpolation_is_one_sound():
    saved({"name": "toy_synthesizer"}, sample_spec(Field("audio", (1, 512), sample_rate=8000)))
    ends, _ = sample(seeds="3,5")
    files, _ = sample(seeds="3,5", interpolate=2)
    assert list(files) == ["walk.wav"]
    sound, rate = read_wav(files["walk.wav"])
    assert (rate, sound.shape) == (8000, (1, 4 * 512))
    for seed, part in ((3, sound[:, :512]), (5, sound[:, -512:])):
        assert np.array_equal(part, read_wav(ends[f"seed-{seed:05d}.wav"])[0])
    loop, _ = sample(seeds="3,5", interpolate=2, loop=True, format="flac")
    assert soundfile.info(loop["walk.flac"]).frames == 6 * 512  # it ends before its first sound
    with pytest.raises(ConfigError, match="'png' shows one sample per seed"):
        sample(seeds="3,5", interpolate=2, format="png")


# ---- Text


def test_a_text_file_has_a_line_for_each_sample():
    field = Field("tokens", (4,), vocabulary=("a", "\u00e9", " ", "\n"))
    rows = torch.tensor([[0, 1, 2, 0], [0, 3, 1, 3], [2, 2, 2, 2]])
    (path,) = written("txt", DrawnSamples(rows, field, (0, 1, 2), None, None)).values()
    text = path.read_bytes().decode("utf-8")
    assert text == "a\u00e9 a\na\u21b5\u00e9\u21b5\n    \n"
    words = Field("tokens", (2,), vocabulary=("one", "two"))
    drawing = DrawnSamples(torch.tensor([[1, 0]]), words, (0,), None, None)
    assert written("txt", drawing)["samples.txt"].read_text() == "two one\n"


def test_text_is_drawn_line_by_line_and_the_same_tokens_into_an_npz():
    spec = sample_spec(Field("tokens", (tokens.LENGTH,), vocabulary=tokens.LETTERS))
    saved({"name": "toy_writer"}, spec, "toy_seqgan", "toy_reader")
    files, _ = sample(count=9)  # txt is the default
    assert list(files) == ["samples.txt"]
    lines = files["samples.txt"].read_text().splitlines()
    arrays = np.load(sample(count=9, format=["npz", "txt"])[0]["samples.npz"])
    assert arrays["samples"].dtype == np.int64
    assert lines == ["".join(tokens.LETTERS[i] for i in row) for row in arrays["samples"]]


def test_every_kind_has_formats():
    assert set(fitting(VECTORS.fields["real"], walk=False)) == {"npz"}
    assert set(fitting(Field("vector", (2,)), walk=False)) == {"npz", "plot"}
    assert set(fitting(STEREO, walk=False)) == {"npz", "plot", "wav", "flac", "png"}
    assert set(fitting(Field("tokens", (4,)), walk=False)) == {"npz", "txt", "jsonl"}
    assert set(fitting(Field("image", (3, 4, 4)), walk=False)) == {"npz", "grid", "png"}
    assert set(fitting(Field("image", (5, 4, 4)), walk=False)) == {"npz"}
    assert set(fitting(Field("image", (1, 4, 4)), walk=True)) == {"strip", "gif", "mp4"}
    assert set(fitting(STEREO, walk=True)) == {"wav", "flac"}
    assert fitting(VECTORS.fields["real"], walk=True) == []


# ---- A user's own

OWN = '''
import csv

from gan_cli.sampling.exports import export
from gan_cli.sampling.task import task


@export("own_table", kinds=["vector"])
def write_table(folder, drawing):
    """table.csv, a row for each sample."""
    with open(folder / "table.csv", "w", newline="") as file:
        rows = csv.writer(file)
        for seed, label, row in zip(drawing.seeds, drawing.label_names, drawing.samples.tolist()):
            rows.writerow([seed, label, *row])
    return [folder / "table.csv"]


@task("own_means", needs=["model"], keys=["seeds", "label"])
def means(job):
    """means.txt: of the samples of these seeds."""
    from gan_cli.games.request import Request

    seeds = job.options.all_seeds(16)
    labels = job.model.labels(None, seeds)
    mean = job.model.draw(Request(seeds, labels)).mean(0)
    (job.folder / "means.txt").write_text(" ".join(f"{x:.4f}" for x in mean))
    return [f"of {len(seeds)} samples: {job.folder / 'means.txt'}"]
'''


@pytest.fixture
def own(monkeypatch):
    """The module own_means.py in the working folder; forgotten afterwards."""
    Path("own_means.py").write_text(OWN)
    monkeypatch.setattr(sys, "path", [*sys.path])
    saved({"name": "mlp_generator", "width": 8, "conditioning": "concat"}, VECTORS)
    yield
    sys.modules.pop("own_means", None)
    exports.entries.pop("own_table", None)
    tasks.entries.pop("own_means", None)


def test_a_users_format_is_one_among_the_others(own):
    keys = {"imports": ["own_means"], "seeds": "2,5"}
    files, told = sample(**keys, format=["npz", "own_table"])
    assert "table.csv" in told
    with open(files["table.csv"]) as file:
        rows = list(csv.reader(file))
    arrays = np.load(files["samples.npz"])
    assert [row[:2] for row in rows] == [["2", "0"], ["5", "1"]]
    assert np.array_equal(np.array([row[2:] for row in rows], np.float32), arrays["samples"])
    checkpoint_files.write(
        checkpoint_files.state_of(
            {"generator": {"name": "mlp_generator"}, "discriminator": {"name": "deaf"}},
            image_spec((1, 4, 4)),
            step=8,
        )
    )
    with pytest.raises(ConfigError, match=r"'own_table' does not show .* type format=.*grid"):
        sample(**keys, format="own_table")


def test_a_users_task_is_one_among_the_others(own):
    files, told = sample(task="own_means", imports=["own_means"], seeds="0-3")
    arrays = np.load(sample(seeds="0-3", format="npz")[0]["samples.npz"])
    expected = " ".join(f"{x:.4f}" for x in arrays["samples"].mean(0))
    assert files["means.txt"].read_text() == expected
    assert "step 7, average weights\nof 4 samples: " in told


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"count": 3}, "count: does nothing with task=own_means; leave it out"),
        (
            {"format": "grid", "columns": 2, "batch_size": 9},
            "batch_size: .*\ncolumns: .*\nformat: does nothing with task=own_means; leave it out",
        ),
        ({"input": "."}, "input: does nothing with task=own_means; leave it out"),
        ({"task": "own_mean"}, "task: unknown task 'own_mean'; did you mean 'own_means'"),
        ({"format": "own_tabel"}, "format: unknown format 'own_tabel'; did you mean 'own_table'"),
    ],
)
def test_what_a_users_task_does_not_read_is_refused(own, keys, told):
    with pytest.raises(ConfigError, match=told):
        sample(**{"task": "own_means", "imports": ["own_means"], **keys})
    assert list(Path().glob("out-*")) == []


def test_without_the_module_its_names_are_unknown(own):
    with pytest.raises(ConfigError, match="unknown format 'own_table'"):
        checked_options({"run": "x", "format": "own_table"})
    with pytest.raises(ConfigError, match="unknown task 'own_means'"):
        checked_options({"run": "x", "task": "own_means"})
    with pytest.raises(ConfigError, match=r"imports: cannot import 'own_medians'"):
        checked_options({"run": "x", "task": "own_means", "imports": ["own_medians"]})


@pytest.mark.slow
def test_a_users_module_from_the_command_line(tmp_path):
    (tmp_path / "own_means.py").write_text(OWN)
    saved({"name": "mlp_generator", "width": 8, "conditioning": "concat"}, VECTORS)
    words = ("checkpoint=outputs/x/checkpoints/step-0000007.pt", "imports=[own_means]")
    spec = {"generator": "mlp_generator", "discriminator": "mlp_discriminator"}
    nodes = {role: {"name": name, "width": 8} for role, name in spec.items()}
    nodes["generator"]["conditioning"] = "concat"
    checkpoint_files.write(checkpoint_files.state_of(nodes, VECTORS))
    done = gan_sample(tmp_path, *words, "format=own_table,npz", "count=3", "output=a")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "a/table.csv").read_text().splitlines()) == 3
    done = gan_sample(tmp_path, *words, "task=own_means", "output=b")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "b/means.txt").exists()
    done = gan_sample(tmp_path, *words, "task=own_means", "truncation=1", "output=c")
    assert done.returncode == 2
    assert done.stderr == "gan_cli: truncation: does nothing with task=own_means; leave it out\n"
