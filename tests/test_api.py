"""The Python API: the same checks and the same results as those of the commands."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from PIL import Image

import gan_cli
from gan_cli.config import compose
from gan_cli.config.command_line import hydra_arguments
from gan_cli.config.python_values import hydra_value, typed
from gan_cli.runtime.restored_settings import torch_settings_kept
from gan_cli.utils.errors import ConfigError, StorageError
from gan_cli.utils.images import grid
from tests import helpers
from tests.test_commands import environment
from tests.test_docs import called
from tests.test_toys import toy, trained

ROOT = Path(__file__).resolve().parent.parent
QUICK = {
    "batch_size": 8,
    "every": {"log": 1, "preview": 0, "evaluate": 0, "checkpoint": 2, "keep": 1},
    "metrics": "none",
    "health": False,
    "device": "cpu",
}
CLASSES = {"model": "cgan", "steps": 4, "metrics": "fd_random", "every.evaluate": 2}
NARROW = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
DATA = ("dataset.count=64", "dataset.size=8")


def quick(*overrides: str, **settings: object) -> gan_cli.TrainedRun:
    words = (*DATA, *NARROW, *overrides)
    return gan_cli.train(*words, **{"dataset": "synthetic", **QUICK, **settings})


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the runs `plain` and `classes`, as working folder."""
    folder, before = tmp_path_factory.mktemp("home"), Path.cwd()
    os.chdir(folder)
    quick(run="plain", steps=2)
    quick(run="classes", **CLASSES)
    yield folder
    os.chdir(before)


@pytest.fixture
def plain(home):
    return gan_cli.load("plain", device="cpu")


@pytest.fixture
def classes(home):
    return gan_cli.load("classes", device="cpu")


def gan_sample(*words: str) -> Path:
    """The output folder of a gan-sample in this process."""
    output = Path(f"drawn-{len(list(Path().glob('drawn-*')))}")
    called("gan-sample", "device=cpu", f"output={output}", *words)
    return output


def npz(*words: str) -> np.ndarray:
    """Images (N, C, H, W) as gan-sample writes them."""
    with np.load(gan_sample("format=npz", *words) / "samples.npz") as file:
        return file["images"].transpose(0, 3, 1, 2)


# Importing


def test_importing_it_imports_neither_torch_nor_hydra():
    code = (
        "import sys, gan_cli; dir(gan_cli); "
        "sys.exit(bool({'torch', 'hydra', 'omegaconf'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_names_what_it_has():
    assert {"LoadedModel", "TrainedRun", "load", "score", "train"} <= set(dir(gan_cli))
    assert all(hasattr(gan_cli, name) for name in gan_cli.__all__)
    with pytest.raises(AttributeError, match="no attribute 'smaple'"):
        gan_cli.smaple  # noqa: B018


def test_the_function_train_outlives_the_import_of_the_command(tmp_path):
    code = (
        "import sys, gan_cli; from gan_cli.train import main; from gan_cli import train\n"
        "words = 'check=true dataset=ring model=mlp metrics=none'\n"
        "sys.argv = ['gan-train', *words.split()]; main()\n"
        "for call in (gan_cli.train, train):\n"
        "    try: call(stepz=1)\n"
        "    except gan_cli.api.ConfigError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("did you mean 'steps'?") == 2


# Composing


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"run": "a b", "steps": 7}, ["run='a b'", "steps=7"]),
        ({"run": "it's \\ here"}, [r"run='it\'s \ here'"]),
        ({"clip_norm": None, "health": False}, ["clip_norm=null", "health=false"]),
        ({"every": {"log": 5, "keep": 2}}, ["every={log: 5, keep: 2}"]),
        ({"imports": ["os", "json"]}, ["imports=[os,json]"]),
        ({"model": "resnet", "loss": "r3gan"}, ["model=resnet", "loss=r3gan"]),
        ({"experiment": "ring8_r3gan", "steps": 3}, ["experiment=ring8_r3gan", "steps=3"]),
        ({"optimizer.lr": 1e-05}, ["optimizer.lr=1e-5"]),
        ({"loss.betas": (0, 0.9)}, ["loss.betas=[0, 0.9]"]),
        ({"metrics.compute": ["fd", "prdc"]}, ["metrics.compute=[fd,prdc]"]),
        (
            {"optimizer.lr": {"start": 1e-3, "end": 1e-4, "over": 50, "shape": "cosine"}},
            ["optimizer.lr={start: 1e-3, end: 1e-4, over: 50, shape: cosine}"],
        ),
    ],
)
def test_settings_compose_what_the_command_line_does(settings, words):
    named = {"run": "x", **settings}
    expected = helpers.composed(*(["run=x"] if "run" not in settings else []), *words)
    assert compose.composed("train", typed(named)) == expected


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(st.characters(codec="utf-8", exclude_characters="$\r\n", min_codepoint=32)),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.from_regex(r"\A[a-z][a-z_0-9]*\Z"), inner)
        ),
        max_leaves=8,
    )
)
def test_values_survive_hydras_syntax(value):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    override = OverridesParser.create().parse_override(f"key={hydra_value(value)}")
    assert override.value() == value


def test_words_that_hydra_reserves_stay_text():
    assert [hydra_value(text) for text in ("null", "True", "nan")] == ["'null'", "'True'", "'nan'"]


def test_a_run_without_a_name_gets_one_of_its_own():
    names = [compose.composed("train", ["loss=hinge"]).run for _ in range(2)]
    assert all(re.fullmatch(r"[\d_-]+-dcgan-hinge", name) for name in names)
    assert names[0] != names[1]


def test_a_folder_of_configs_can_be_added(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("game: {name: gan}\nnetworks: {}\n")
    config = compose.composed("train", ["--config-dir", str(tmp_path), "model=mine", "run=x"])
    assert config.model.game == {"name": "gan"}
    assert config.model.networks == {}


@pytest.mark.parametrize(
    ("words", "settings", "told"),
    [
        ([], {"model": "dcgn"}, "model: unknown model 'dcgn'; did you mean 'dcgan'?"),
        (["loss=wgan-gp"], {}, "did you mean 'wgan_gp'?"),
        ([], {"stepz": 3}, "stepz: unknown key 'stepz'; did you mean 'steps'?"),
        ([], {"steps": "many"}, "steps: expected a whole number"),
        ([], {"model": {"name": "gan"}}, "model: is a group of which one is chosen by name"),
        ([], {"dataset": None}, "dataset: null chooses nothing"),
        ([], {"loss": "r3 gan"}, "r3 gan"),
        (["loss=hinge,r3gan"], {}, "loss"),
        (["steps"], {}, "'steps' is not key=value; type steps=VALUE"),
        (["-m", "seed=0,1"], {}, "'--multirun' is no override"),
        (["--config-dir", "nowhere"], {}, "--config-dir: no folder nowhere"),
        ([], {"check": True}, "check: train() checks every config"),
    ],
)
def test_mistakes_are_config_errors(words, settings, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as error:
        gan_cli.train(*words, **settings)
    assert told in str(error.value)
    assert isinstance(error.value, ValueError)
    assert not list(tmp_path.iterdir())


def test_all_mistakes_are_reported_together():
    with pytest.raises(ConfigError) as error:
        gan_cli.train("optimizer.lrr=1", steps="x", batch_sise=3)
    assert len(error.value.faults) == 3


# Training


def test_train_returns_what_the_run_left(home):
    run = quick(run="classes", **CLASSES)
    card = json.loads(Path("outputs/classes/run.json").read_text())
    assert (run.folder, run.step, card["step"]) == (Path("outputs/classes"), 4, 4)
    assert run.config.steps == 4
    assert run.config.model.game["name"] == "gan"
    assert set(run.scores) == {"fd_random"} == set(run.best)
    assert run.best["fd_random"] <= run.scores["fd_random"]
    assert card["best"]["fd_random"][0] == run.best["fd_random"]
    assert run.load().step == 4
    assert run.load("best").step in (2, 4)
    assert run.load(2).step == 2


def test_train_resumes_the_same_run(home):
    torch.manual_seed(1)  # and no random number of the caller matters
    quick(run="whole", steps=3)
    quick(run="parts", steps=2)
    run = quick(run="parts", steps=3)
    assert json.loads(Path("outputs/parts/run.json").read_text())["resumed_at"] == 2
    assert run.step == 3
    whole, parts = (gan_cli.load(name, device="cpu").network() for name in ("whole", "parts"))
    for key, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[key]), key


def test_train_trains_what_gan_train_does(home):
    words = [f"{k}={hydra_value(v)}" for k, v in QUICK.items()]
    called("gan-train", "run=typed", "dataset=synthetic", *DATA, *NARROW, *words, "steps=2")
    typed_, plain = (gan_cli.load(name, device="cpu") for name in ("typed", "plain"))
    assert torch.equal(typed_.sample(4), plain.sample(4))


def test_own_networks_from_a_folder_of_configs(home, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    run = trained(toy("audio", "steps=1", "every.checkpoint=1"), Path("outputs/tones"))
    model = gan_cli.load(run.folder, device="cpu")
    assert model.sample(3).dtype == torch.int16
    assert model.sample(3).shape == (3, 1, 512)


# Loading


def test_load_finds_names_folders_and_files(home, plain):
    expected = plain.sample(2)
    folder = Path("outputs/plain").absolute()
    file = folder / "checkpoints" / "step-0000002.pt"
    for reference in (folder, str(folder), file, str(file)):
        assert torch.equal(gan_cli.load(reference, device="cpu").sample(2), expected)
    step = gan_cli.load("classes", which=2, device="cpu")
    assert step.step == 2


@pytest.mark.parametrize(
    ("reference", "options", "told"),
    [
        ("plian", {}, "reference: unknown run 'plian'; did you mean 'plain'?"),
        ("plain", {"which": "beast"}, "which: unknown choice 'beast'; did you mean 'best'?"),
        ("plain", {"which": 7}, "which: there is no outputs/plain/checkpoints/step-0000007.pt"),
        ("plain", {"which": "best"}, "which: there is no outputs/plain/checkpoints/best.pt"),
        ("plain", {"weights": "ema"}, "weights: unknown value 'ema'"),
        ("plain", {"device": "cup"}, "device: unknown device 'cup'; did you mean 'cpu'?"),
    ],
)
def test_load_says_what_is_wrong(home, reference, options, told):
    with pytest.raises(ConfigError) as error:
        gan_cli.load(reference, **options)
    assert str(error.value).startswith(told)


def test_a_damaged_file_is_a_storage_error(home):
    Path("damaged.pt").write_bytes(b"no checkpoint")
    with pytest.raises(StorageError, match=r"damaged\.pt"):
        gan_cli.load("damaged.pt")


def test_a_loaded_model_describes_itself(classes):
    assert repr(classes) == "<gan at step 4: image 3 x 8 x 8>"
    assert classes.spec.classes == 4
    assert classes.config["model"]["networks"]["generator"]["width"] == 8
    assert OmegaConf.create(classes.config) is not None  # plain containers


def test_network_is_a_copy_in_eval_mode(classes):
    network = classes.network()
    assert not network.training
    assert classes.network("discriminator") is not None
    before = classes.sample(2)
    with torch.no_grad():
        next(network.parameters()).zero_()
    assert torch.equal(classes.sample(2), before)
    live = gan_cli.load("classes", weights="live", device="cpu").network()
    averaged = classes.network()
    assert any(
        not torch.equal(a, b) for a, b in zip(live.parameters(), averaged.parameters(), strict=True)
    )
    with pytest.raises(StorageError, match="holds no network 'encoder'"):
        classes.network("encoder")


# Sampling


def test_samples_are_those_of_gan_sample(plain, classes):
    cases = [
        (plain, {"count": 5}, ["run=plain", "count=5"]),
        (plain, {}, ["run=plain"]),
        (plain, {"seeds": [7, 3, 2**40]}, ["run=plain", f"seeds=7,3,{2**40}"]),
        (plain, {"seeds": 7}, ["run=plain", "seeds=7"]),
        (plain, {"seeds": range(3), "truncation": 0.5},
         ["run=plain", "count=3", "truncation=0.5"]),
        (plain, {"count": 5, "batch_size": 2}, ["run=plain", "count=5", "batch_size=2"]),
        (classes, {"count": 6}, ["run=classes", "count=6"]),
        (classes, {"count": 6, "label": 3}, ["run=classes", "count=6", "label=3"]),
        (classes, {"count": 6, "label": [3, 1]}, ["run=classes", "count=6", "label=3,1"]),
    ]  # fmt: skip
    for model, options, words in cases:
        found = model.sample(**options)
        assert found.dtype == torch.uint8
        assert found.device.type == "cpu"
        np.testing.assert_array_equal(found.numpy(), npz(*words), err_msg=str(options))


def test_a_sample_depends_on_its_seed_alone(plain):
    many = plain.sample(70)
    assert torch.equal(plain.sample(seeds=[69, 2]), many[[69, 2]])


def test_labels_may_be_arrays(classes):
    expected = classes.sample(2, label=[1, 2])
    for label in (np.array([1, 2]), torch.tensor([1, 2]), (1, 2), range(1, 3)):
        assert torch.equal(classes.sample(2, label=label), expected)


def test_labels_may_be_names(home):
    for name in ("cat", "dog"):
        (Path("animals") / name).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (8, 8), (i, 0, 0)).save(Path("animals") / name / f"{i}.png")
    words = ("dataset.path=animals", "dataset.labels=folders", "dataset.size=8", *NARROW)
    settings = {"dataset": "folder", "model": "cgan", **QUICK, "run": "animals", "steps": 1}
    model = gan_cli.train(*words, **settings).load()
    assert model.spec.class_names == ("cat", "dog")
    dogs = model.sample(3, label="dog")
    assert torch.equal(dogs, model.sample(3, label=1))
    np.testing.assert_array_equal(dogs.numpy(), npz("run=animals", "count=3", "label=dog"))
    with pytest.raises(ConfigError, match=r"label: unknown class 'dgo'; did you mean 'dog'\?"):
        model.sample(3, label="dgo")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"count": 0}, "count: must be at least 1, got 0"),
        ({"count": 3, "seeds": [1]}, "count: is 3, but seeds lists 1"),
        ({"seeds": []}, "seeds: pass one or more whole numbers"),
        ({"seeds": [-1]}, "seeds: pass one or more whole numbers"),
        ({"label": 3}, "label: the model was trained without labels"),
        ({"truncation": -1}, "truncation: must be above 0"),
        ({"target": "reel"}, "target: unknown field to generate 'reel'; did you mean 'real'?"),
        ({"batch_size": 0}, "batch_size: must be at least 1, got 0"),
        ({"given": torch.zeros(2, 3, 8, 8)}, "given: the model makes 'real' from nothing but"),
    ],
)
def test_sample_says_what_is_wrong(plain, options, told):
    with pytest.raises(ConfigError) as error:
        plain.sample(**options)
    assert told in str(error.value)


def test_an_unknown_class_is_refused(classes):
    with pytest.raises(ConfigError, match="label: unknown class 4; known: 0 to 3"):
        classes.sample(2, label=4)


def test_interpolation_is_that_of_gan_sample(plain, classes):
    frames = plain.interpolate([3, 5, 9], 4)
    assert frames.shape == (11, 3, 8, 8)
    ends = plain.sample(seeds=[3, 5, 9]).int()
    assert (frames[[0, 5, 10]].int() - ends).abs().max() <= 1
    output = gan_sample("run=classes", "seeds=0,1", "interpolate=4", "label=2", "format=strip")
    strip = np.asarray(Image.open(output / "strip.png"))
    frames = classes.interpolate([0, 1], 4, label=2)
    np.testing.assert_array_equal(strip, grid(frames, len(frames)))
    with pytest.raises(ConfigError, match="label: interpolation stays within one class"):
        classes.interpolate([0, 1])
    with pytest.raises(ConfigError, match="seeds: an interpolation needs two or more"):
        plain.interpolate([1])


@pytest.fixture(scope="module")
def translator(home):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        trained(toy("translation", "steps=1", "every.checkpoint=1"), Path("outputs/colours"))
    return gan_cli.load("colours", device="cpu")


def test_given_inputs_are_translated(translator):
    gray = np.random.default_rng(0).integers(0, 256, (3, 1, 8, 8), np.uint8)
    np.savez("gray.npz", images=gray.transpose(0, 2, 3, 1))
    expected = npz("run=colours", "input=gray.npz", "imports=[tests.toys.translation]")
    scaled = torch.from_numpy(gray) / 127.5 - 1
    for value in (gray, torch.from_numpy(gray), scaled, {"source": scaled}):
        np.testing.assert_array_equal(translator.sample(given=value).numpy(), expected)
    back = translator.sample(given=torch.from_numpy(expected), target="source")
    assert back.shape == (3, 1, 8, 8)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "given: the model makes 'target' from source"),
        ({"given": {"sauce": 1}}, "given: the model makes 'target' from source"),
        ({"given": torch.zeros(2, 3, 8, 8)}, "given: 'source' has shape (2, 3, 8, 8)"),
        ({"given": torch.zeros(2, 1, 8, 8), "count": 3}, "given: 2 inputs for 3 samples"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(translator, options, told):
    with pytest.raises(ConfigError) as error:
        translator.sample(**options)
    assert told in str(error.value)


# Scoring


def without(card: dict, *keys: str) -> dict:
    return {key: value for key, value in card.items() if key not in keys}


def test_scores_are_those_of_gan_fid(home, classes):
    np.savez("a.npz", images=classes.sample(64).permute(0, 2, 3, 1).numpy())
    np.savez("b.npz", images=classes.sample(seeds=range(64, 128)).permute(0, 2, 3, 1).numpy())
    cases = [
        ({"run": "classes", "count": 128}, ["run=classes", "count=128"]),
        ({"run": Path("outputs/classes"), "count": 128, "seeds": [0, 1], "metrics": "sliced"},
         ["run=classes", "count=128", "seeds=0-1", "metrics=[sliced]"]),
        ({"real": "a.npz", "fake": Path("b.npz"),
          "metrics": {"sliced": {"projections": 9}, "fd": {}}},
         ["real=a.npz", "fake=b.npz", "metrics={sliced: {projections: 9}, fd: {}}"]),
    ]  # fmt: skip
    for number, (options, words) in enumerate(cases):
        card = gan_cli.score(
            **options, features="random", device="cpu", output=f"api-{number}.json"
        )
        called("gan-fid", *words, "features=random", "device=cpu", f"output=fid-{number}.json")
        written = json.loads(Path(f"fid-{number}.json").read_text())
        assert card["values"] == written["values"]
        assert json.loads(Path(f"api-{number}.json").read_text()) == json.loads(json.dumps(card))
        assert card["protocol"] == written["protocol"]
        assert (
            without(card, "created", "versions", "time").keys()
            == without(written, "created", "versions", "time").keys()
        )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "run: has no value"),
        ({"run": "clases"}, "run: unknown run 'clases'; did you mean 'classes'?"),
        ({"run": "classes", "featurs": "random"}, "featurs: unknown key"),
        ({"run": "classes", "features": "randon"}, "unknown features 'randon'"),
        ({"run": "classes", "metrics": ["fdd"]}, "did you mean 'fd'?"),
        ({"run": "classes", "dataset": "minst"}, "dataset: unknown dataset 'minst'"),
        ({"real": "nowhere.npz", "fake": "nowhere.npz"}, "real: no file or folder nowhere.npz"),
    ],
)
def test_score_says_what_is_wrong(home, options, told):
    with pytest.raises(ConfigError) as error:
        gan_cli.score(**options)
    assert told in str(error.value)


# In a process of somebody else's


def test_no_state_of_hydra_is_left(home):
    assert not GlobalHydra.instance().is_initialized()
    gan_cli.score(run="plain", features="random", count=64, device="cpu")
    gan_cli.score(run="plain", features="random", count=64, device="cpu")
    assert not GlobalHydra.instance().is_initialized()
    with pytest.raises(ConfigError):
        gan_cli.train(loss="hinga")
    assert not GlobalHydra.instance().is_initialized()
    called("gan-train", "check=true")


def test_a_hydra_application_may_call_it(home):
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir

    with initialize_config_dir(str(helpers.CONFIGS), version_base="1.3"):
        before = GlobalHydra.instance().hydra
        gan_cli.load("plain", device="cpu")
        assert GlobalHydra.instance().hydra is before
        assert hydra_compose("sample", hydra_arguments(["run=plain"])).run == "plain"


def switches() -> list[object]:
    return [
        torch.get_num_threads(),
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.allow_tf32,
        torch.backends.cudnn.benchmark,
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.random.get_rng_state().tolist(),
    ]


@pytest.mark.parametrize("deterministic", [False, True])
def test_settings_of_torch_are_put_back(home, deterministic):
    torch.set_float32_matmul_precision("medium")
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    try:
        before = switches()
        quick("device.threads=2", run="switches", steps=1)
        assert switches() == before
        model = gan_cli.load("switches", device="cpu")
        assert switches() == before
        model.sample(2)
        model.interpolate([0, 1], 1)
        model.network()
        assert switches() == before
        gan_cli.score(run="switches", features="random", count=64, device="cpu")
        assert switches() == before
    finally:
        torch.set_float32_matmul_precision("highest")


def test_settings_are_put_back_after_an_error():
    before = switches()

    @torch_settings_kept()
    def failing() -> None:
        torch.use_deterministic_algorithms(True)
        torch.rand(3)
        raise ConfigError("something")

    with pytest.raises(ConfigError):
        failing()
    assert switches() == before


def test_samples_are_deterministic_whatever_the_process_says(plain):
    expected = plain.sample(3)
    torch.rand(5)
    torch.set_float32_matmul_precision("medium")
    try:
        assert torch.equal(plain.sample(3), expected)
    finally:
        torch.set_float32_matmul_precision("highest")
