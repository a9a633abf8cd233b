"""The loggers of a training: what reaches each of them, resuming, and how they fail."""

import csv
import json
import sys
from html import unescape

import numpy as np
import pytest
import torch
import yaml

from gan_cli.config.compose import composed as composed_config
from gan_cli.config.python_values import typed
from gan_cli.training.logger import Logger
from gan_cli.training.loggers import Backend, LoggedRun, backend, loggers
from gan_cli.training.loggers.active import ActiveLoggers, parse_loggers
from gan_cli.training.loggers.memory import Memory
from gan_cli.training.loggers.tables import Table
from gan_cli.training.run import Run
from gan_cli.training.session import end_message, run_training
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.wav import read_mono, wav_bytes
from tests import wandb_files
from tests.helpers import small, tensors_of

WORDS = (
    *("steps=4", "every={log: 1, preview: 2, evaluate: 2, checkpoint: 2}", "health=true"),
    *("metrics=fd_random", "metrics.count=32", "model.networks.generator.width=8"),
    "model.networks.discriminator.width=8",
)
OFFLINE = "logger.wandb.mode=offline"


def train(folder, *words):
    return run_training(small(*WORDS, *words), folder, 0.0)


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def logged_lines(folder):
    """The values of metrics.jsonl by step."""
    steps = {}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        steps.setdefault(row["step"], {}).update(row)
    return steps


# ---- CSV


def test_the_tables_hold_what_the_run_folder_holds(tmp_path):
    run = train(tmp_path, "logger=csv")
    rows, lines = table(tmp_path / "csv/metrics.csv"), logged_lines(tmp_path)
    assert [int(row["step"]) for row in rows] == list(lines) == [1, 2, 3, 4]
    for row in rows:
        kept = {name: float(value) for name, value in row.items() if value}
        expected = lines[int(row["step"])]
        assert kept == {name: expected[name] for name in kept}
        assert kept.keys() | {"time"} == expected.keys()
    pictures = {row["file"] for row in table(tmp_path / "csv/pictures.csv")}
    assert pictures == {f"samples/{path.name}" for path in (tmp_path / "samples").iterdir()}
    last = json.loads((tmp_path / "cards/last.json").read_text())
    card = [row for row in table(tmp_path / "csv/cards.csv") if row["card"] == "last"][-1]
    assert (card["step"], float(card["value"])) == ("4", last["values"]["fd_random"])
    assert card["better"] == "lower"
    settings = {row["key"]: row["value"] for row in table(tmp_path / "csv/settings.csv")}
    assert settings["model.networks.generator.width"] == "8"
    config = yaml.safe_load((tmp_path / "csv/config.yaml").read_text())
    assert config["steps"] == run.config.steps == 4


def test_a_resumed_run_continues_its_tables(tmp_path):
    train(tmp_path / "whole", "logger=csv", "steps=6")
    train(tmp_path / "parts", "logger=csv", "steps=4")
    for path in (tmp_path / "parts/checkpoints").glob("step-0000004.pt"):
        path.unlink()  # as if the run had been killed behind step 2
    train(tmp_path / "parts", "logger=csv", "steps=6")
    for name in ("metrics", "pictures", "cards"):
        whole, parts = (table(tmp_path / run / f"csv/{name}.csv") for run in ("whole", "parts"))
        rates = [row.pop("images_per_second", None) for row in (*whole, *parts)]
        assert whole == parts, name
        assert len(rates) == 2 * len(whole)


def test_new_columns_are_added_and_steps_merged(tmp_path):
    metrics = Table(tmp_path / "t.csv", 0, merged=True)
    metrics.add({"step": 1, "a": 0.5})
    metrics.add({"step": 2, "a": 0.25})
    metrics.add({"step": 2, "b": "x,y"})
    metrics.add({"step": 3, "b": "z\nz"})
    metrics.add({"step": 3, "a": 1.0})
    rows = [tuple(row.values()) for row in table(tmp_path / "t.csv")]
    assert rows == [("1", "0.5", ""), ("2", "0.25", "x,y"), ("3", "1.0", "z\nz")]


def test_a_rollback_replaces_the_steps_that_it_repeats(tmp_path):
    metrics = Table(tmp_path / "t.csv", 0, merged=True)
    for step, value in ((1, "a"), (2, "b"), (3, "c"), (2, "d"), (3, "e")):
        metrics.add({"step": step, "v": value})
    rows = [tuple(row.values()) for row in table(tmp_path / "t.csv")]
    assert rows == [("1", "a"), ("2", "d"), ("3", "e")]


@pytest.mark.parametrize("tail", [b"", b"3,0.1", b'3,"0.1', b"4,1,2,3\n", b"x,1\n"])
def test_a_torn_table_keeps_the_rows_that_can_be_read(tail, tmp_path):
    (tmp_path / "t.csv").write_bytes(b"step,a\r\n1,0.5\r\n2,0.25\r\n" + tail)
    metrics = Table(tmp_path / "t.csv", 2)
    metrics.add({"step": 3, "a": 1})
    assert [tuple(r.values()) for r in table(tmp_path / "t.csv")] == [
        ("1", "0.5"),
        ("2", "0.25"),
        ("3", "1"),
    ]


# ---- TensorBoard


def events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0, "images": 0})
    return found.Reload()


def test_tensorboard_has_scalars_pictures_texts_and_settings(tmp_path):
    train(tmp_path)
    found, lines = events(tmp_path), logged_lines(tmp_path)
    points = [(e.step, e.value) for e in found.Scalars("fd_random")]
    assert points == [(s, pytest.approx(lines[s]["fd_random"])) for s in (2, 4)]
    assert [e.step for e in found.Images("samples")] == [2, 4]
    assert "width: 8" in found.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert [e.step for e in found.Tensors("cards/last/text_summary")] == [2, 4]
    plugin = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.plugin_name
    assert plugin == "hparams"


def test_tensorboard_is_imported_by_the_first_entry(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # importing it fails
    logger = Logger(tmp_path, 0, ActiveLoggers().open(LoggedRun(tmp_path, {}), {"tensorboard": {}}))
    assert logger.others.backends
    logger.close()
    assert not list(tmp_path.iterdir())


# ---- MLflow


def client(folder):
    tracking = pytest.importorskip("mlflow.tracking")
    return tracking.MlflowClient((folder / "mlruns").as_uri())


def only_run(found):
    experiment = found.get_experiment_by_name("trials")
    (run,) = found.search_runs([experiment.experiment_id])
    return run


def test_mlflow_continues_its_run_without_repeating_steps(tmp_path):
    pytest.importorskip("mlflow")
    words = ("logger=mlflow", "logger.mlflow.experiment=trials", "logger.mlflow.tags={who: me}")
    train(tmp_path, *words)
    first = only_run(client(tmp_path))
    assert first.info.status == "FINISHED"
    (tmp_path / "checkpoints/step-0000004.pt").unlink()
    train(tmp_path, *words, "steps=6")
    found = client(tmp_path)
    run, lines = only_run(found), logged_lines(tmp_path)
    assert run.info.run_id == first.info.run_id
    assert run.data.tags["who"] == "me"
    assert run.data.params["model.networks.generator.width"] == "8"
    for name in ("generator/adversarial", "fd_random"):
        points = [(m.step, m.value) for m in found.get_metric_history(run.info.run_id, name)]
        assert points == [(s, pytest.approx(lines[s][name])) for s in lines if name in lines[s]]
    files = {file.path for file in found.list_artifacts(run.info.run_id, "samples")}
    assert files == {f"samples/{path.name}" for path in (tmp_path / "samples").iterdir()}
    kept = {file.path for file in found.list_artifacts(run.info.run_id)}
    assert kept >= {"config.yaml", "cards", "samples"}


# ---- Weights & Biases


def test_wandb_continues_its_run_without_repeating_steps(tmp_path):
    pytest.importorskip("wandb")
    train(tmp_path, "logger=wandb", OFFLINE)
    (tmp_path / "checkpoints/step-0000004.pt").unlink()
    train(tmp_path, "logger=wandb", OFFLINE, "steps=6")
    rows, lines = wandb_files.history(tmp_path / "wandb"), logged_lines(tmp_path)
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 2
    assert len(wandb_files.run_ids(tmp_path / "wandb")) == 1
    assert [row["_step"] for row in rows if row["_step"]] == list(lines) == [1, 2, 3, 4, 5, 6]
    assert [row["fd_random"] for row in rows if "fd_random" in row] == [
        pytest.approx(lines[step]["fd_random"]) for step in (2, 4, 6)
    ]
    assert [row["_step"] for row in rows if "samples._type" in row] == [2, 4, 6]
    config = wandb_files.settings(tmp_path / "wandb")
    assert config["model"]["networks"]["generator"]["width"] == 8
    card = wandb_files.summary(tmp_path / "wandb")["cards/last"]
    assert card["values"]["fd_random"] == pytest.approx(lines[6]["fd_random"])


def test_nobody_who_is_logged_in_is_said_before_the_training(monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setattr(wandb, "login", lambda **_: False)
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=r"^logger.wandb.mode: nobody is logged in; type wandb"):
        small("logger=wandb")
    small("logger=wandb", OFFLINE)
    monkeypatch.setenv("WANDB_MODE", "offline")
    small("logger=wandb")


# ---- Sounds and texts


def pages(folder):
    return [path.read_text() for path in folder.glob("wandb/offline-run-*/files/media/html/*")]


TOLD = {  # whether the logger has a sound of 8 samples at 8 kHz, and two lines of text
    "csv": lambda folder: (
        [row["file"] for row in table(folder / "csv/pictures.csv")]
        == ["samples/samples-0000003.wav", "samples/samples-0000003.txt"]
    ),
    "tensorboard": lambda folder: (
        events(folder).Audio("samples")[0].sample_rate == 8000
        and events(folder).Audio("samples")[0].length_frames == 8
        and b"    one <b>\n    two\n"
        in events(folder).Tensors("samples/text_summary")[0].tensor_proto.string_val[0]
    ),
    "mlflow": lambda folder: (
        {path.name for path in folder.glob("mlruns/*/*/artifacts/samples/*")}
        == {"samples-0000003.wav", "samples-0000003.txt"}
    ),
    "wandb": lambda folder: (
        any(folder.glob("wandb/offline-run-*/files/media/audio/*.wav"))
        and any("one &lt;b&gt;\ntwo" in page for page in pages(folder))
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_sounds_and_texts_of_samples_reach_the_logger(name, tmp_path):
    if not all(map(backend.installed, loggers.entries[name].modules)):
        pytest.skip(f"needs {name}")
    chosen = parse_loggers({name: {"mode": "offline"} if name == "wandb" else {}}, [])
    run = LoggedRun(tmp_path, {})
    logger = Logger(tmp_path, 0, ActiveLoggers().open(run, chosen))
    logger.recording(3, "samples", wav_bytes(np.arange(8, dtype=np.int16)[None], 8000))
    logger.writing(3, "samples", "one <b>\ntwo\n")
    assert name in logger.others.backends
    logger.close()
    assert (tmp_path / "samples/samples-0000003.txt").read_text() == "one <b>\ntwo\n"
    assert TOLD[name](tmp_path)


def test_sound_of_two_channels_is_logged_as_their_mean(tmp_path):
    sound = np.array([[0, 16384, -32768], [0, 0, 16384]], np.int16)
    (tmp_path / "x.wav").write_bytes(wav_bytes(sound, 16000))
    found, rate = read_mono(tmp_path / "x.wav")
    assert rate == 16000
    assert found.tolist() == [[0, 0.25, -0.25]]


# ---- Findings


FINDING = "step 40: generator collapsed: diversity 0.1 < 0.3 & falling\ntry loss=r3gan"
TEXTS = {
    "csv": lambda folder: table(folder / "csv/texts.csv")[0]["text"],
    "tensorboard": lambda folder: (
        events(folder).Tensors("health/text_summary")[0].tensor_proto.string_val[0].decode()
    ),
    "mlflow": lambda folder: next(
        folder.glob("mlruns/*/*/artifacts/texts/health-*.txt")
    ).read_text(),
    "wandb": lambda folder: unescape(
        next(folder.glob("wandb/offline-run-*/files/media/html/health_*.html")).read_text()
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_finding_of_health_reaches_the_logger(name, tmp_path):
    if not all(map(backend.installed, loggers.entries[name].modules)):
        pytest.skip(f"{name} is not installed")
    chosen = parse_loggers({name: {"mode": "offline"} if name == "wandb" else {}}, [])
    opened = ActiveLoggers().open(LoggedRun(tmp_path, {"steps": 40}), chosen)
    logger = Logger(tmp_path, 0, opened)
    logger.text(40, "health", FINDING)
    logger.close()
    assert opened.backends  # none has failed
    assert FINDING in TEXTS[name](tmp_path)


# ---- Choosing


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), ["tensorboard"]),
        (("logger=csv",), ["csv"]),
        (("logger=[csv,tensorboard]",), ["csv", "tensorboard"]),
        (("logger=none",), []),
        (("logger=[]",), []),
        (("~logger",), []),
        (("logger=none", "logger.csv={}"), ["csv"]),
    ],
)
def test_several_loggers_can_be_chosen(words, names):
    assert sorted(small(*words).logger) == names


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("logger=[csv,tensorbord]", "logger: unknown logger 'tensorbord'; did you mean"),
        ("logger=[[csv]]", "logger: is one choice"),
        ("logger=csv,tensorboard", "type 'logger=[csv,tensorboard]'|'logger=.csv,tensorboard.'"),
        ("logger.cvs={}", "logger.cvs: unknown logger 'cvs'; did you mean 'csv'"),
        ("logger.csv=true", "logger.csv: expected keys and values, got True; type logger=csv"),
        ("logger.csv.folder=x", "logger.csv.folder: unknown key 'folder'"),
        ("loss=[hinge,lsgan]", "loss: is one choice"),
    ],
)
def test_wrong_choices_are_refused_in_words(word, told):
    with pytest.raises(ConfigError, match=told):
        small(word)


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_package_is_named_with_the_extra(name, monkeypatch, tmp_path):
    monkeypatch.setattr(backend, "find_spec", lambda module: None)
    with pytest.raises(ConfigError) as raised:
        small(f"logger=[csv,{name}]")
    assert str(raised.value) == (
        f"logger.{name}: needs {name}; pip install 'gan-cli[{name}]', or leave it out of logger="
    )


def test_a_folder_named_like_a_package_is_no_package(monkeypatch, tmp_path):
    (tmp_path / "no_such_package_but_a_folder").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not backend.installed("no_such_package_but_a_folder")
    assert backend.installed("yaml")


def test_the_python_api_takes_a_name_or_a_list_of_names():
    assert typed({"logger": "csv"}) == ["logger=csv"]
    assert typed({"logger": ["csv", "tensorboard"]}) == ["logger=[csv,tensorboard]"]
    assert list(composed_config("train", typed({"logger": ("csv",)})).logger) == ["csv"]
    with pytest.raises(ConfigError, match="logger: unknown logger 'cvs'; did you mean 'csv'"):
        composed_config("train", typed({"logger": ["cvs"]}))
    with pytest.raises(ConfigError, match="loss: is a group of which one is chosen"):
        typed({"loss": ["hinge"]})


@pytest.mark.parametrize(("logger", "shown"), [("tensorboard", True), ("none", False)])
def test_the_last_line_names_the_command_of_tensorboard_if_it_has_logged(logger, shown, tmp_path):
    run = Run(small(f"logger={logger}"), tmp_path)
    last = end_message(run).splitlines()[-1]
    run.feed.close()
    assert ("tensorboard --logdir" in last) is shown
    assert last.startswith("next: gan-sample")


def test_the_command_line_of_a_sweep_may_vary_the_logger():
    config = composed_config("train", ["logger=[csv,tensorboard]"])
    assert list(config.logger) == ["csv", "tensorboard"]


# ---- Failing, looking, several processes


class Failing(Backend):
    """A logger whose network is gone behind the first step."""

    calls = 0

    def __init__(self, run, *, at_start: bool = False):
        if at_start:
            raise ConnectionError("no route\nto host")

    def scalars(self, step, values):
        Failing.calls += 1
        if step > 1:
            raise TimeoutError("the service does not answer\nand more lines")

    def close(self, finished):
        raise SystemExit("closed")


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(loggers.entries, "failing", Failing)
    Failing.calls = 0


@pytest.mark.parametrize("at_start", ["true", "false"])
def test_a_failing_logger_is_off_behind_one_warning(at_start, registered, tmp_path, caplog):
    run = train(tmp_path, "logger=csv", f"logger.failing.at_start={at_start}")
    assert run.step == 4
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "finished"
    assert len(table(tmp_path / "csv/metrics.csv")) == 4
    warnings = [r.getMessage() for r in caplog.records if "logger.failing" in r.getMessage()]
    assert len(warnings) == 1
    assert "\n" not in warnings[0]
    assert Failing.calls == (0 if at_start == "true" else 2)


def test_a_logger_that_cannot_write_does_not_end_the_run(tmp_path, caplog):
    (tmp_path / "csv").write_text("a file where the folder should be")
    assert train(tmp_path, "logger=csv").step == 4
    assert caplog.text.count("logger.csv: is off from here on") == 1
    assert len(logged_lines(tmp_path)) == 4


def test_logging_changes_no_weight(tmp_path):
    chosen = ["csv", "tensorboard"]
    for name in ("wandb", "mlflow"):
        if backend.installed(name):
            chosen += [name]
    offline = (OFFLINE,) if "wandb" in chosen else ()
    watched = train(tmp_path / "watched", f"logger=[{','.join(chosen)}]", *offline)
    quiet = train(tmp_path / "quiet", "logger=none")
    left, right = tensors_of(watched), tensors_of(quiet)
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert not list((tmp_path / "quiet").glob("events*"))


def test_other_processes_log_nothing(tmp_path, monkeypatch):
    logger = Logger(None)
    logger.scalars(1, {"a": 1.0})
    logger.picture(1, "a", np.zeros((2, 2, 3), np.uint8))
    logger.text(1, "a", "b")
    logger.card(1, "last", {})
    logger.close()
    assert not list(tmp_path.iterdir())


# ---- What is remembered of services


def test_steps_are_new_once(tmp_path):
    run = LoggedRun(tmp_path, {}, resumed_at=10)
    first = Memory(LoggedRun(tmp_path, {}), "service")
    assert (first.id, first.is_new(0, "a")) == (None, True)
    first.id = "x"
    first.save(12, ["a"])
    again = Memory(run, "service")
    assert again.id == "x"
    told = [again.is_new(step, name) for step, name in ((11, "a"), (12, "a"), (12, "b"), (13, "a"))]
    assert told == [False, False, True, True]
    assert not again.is_new(12, "b")  # behind a rollback
    assert Memory(LoggedRun(tmp_path, {}, 0), "service").id is None  # a run from its first step
    assert Memory(run, "other").id is None


@pytest.mark.parametrize("content", ["", "[1]", '{"service": 3}', '{"service": {"id": 3}}', "{"])
def test_a_damaged_memory_begins_a_new_run_at_the_service(content, tmp_path):
    (tmp_path / "loggers.json").write_text(content)
    memory = Memory(LoggedRun(tmp_path, {}, 5), "service")
    assert (memory.id, memory.is_new(6, "a")) == (None, True)
    memory.id = "new"
    memory.save(6)
    assert Memory(LoggedRun(tmp_path, {}, 6), "service").id == "new"
