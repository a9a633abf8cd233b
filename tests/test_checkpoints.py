"""Checkpoints as a typed view: older formats, edited files, and which checkpoint is meant."""

import copy
import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from gan_cli.checkpoints import migrate
from gan_cli.checkpoints.choice import find, known_runs, opened, run_folder
from gan_cli.checkpoints.contents import Checkpoint, plain, read_spec
from gan_cli.checkpoints.files import load, save
from gan_cli.data.spec import Field, Spec, image_spec, sample_spec, vector_spec
from gan_cli.games.restore import build_network, restore_game, takes_single_samples
from gan_cli.utils.errors import ConfigError, StorageError

OLD = Path(__file__).parent / "data" / "format1"
GAMES = ("gan", "unrolled_gan", "bigan", "dann", "dann_alternating", "inversion")
ALL = (*GAMES, "latent_regressor")
DIGITS = tuple("0123456789")


def state(**changes) -> dict:
    """A small checkpoint of this format."""
    networks = {"generator": {"weight": torch.zeros(2, 3)}, "discriminator": {}}
    config = {
        "model": {
            "game": {"name": "gan", "packing": 1},
            "networks": {"generator": {"name": "affine"}, "discriminator": {"name": "mlp"}},
        },
        "dataset": {"name": "ring"},
        "imports": ["mine"],
    }
    averages = {"generator": {"weight": torch.ones(2, 3)}}
    whole = {"format": 2, "step": 7, "images": 56, "config": config, "spec": plain(vector_spec(2))}
    return {**whole, "networks": networks, "averages": averages, **changes}


# ---- The view


def test_what_it_answers():
    checkpoint = Checkpoint.from_state(state(), Path("x.pt"))
    assert (checkpoint.step, checkpoint.images, checkpoint.spec) == (7, 56, vector_spec(2))
    assert checkpoint.game["name"] == "gan"
    assert checkpoint.dataset == {"name": "ring"}
    assert checkpoint.imports == ("mine",)
    assert checkpoint.node("generator") == {"name": "affine"}
    assert checkpoint.weights("generator", averaged=True)["weight"].sum() == 6
    assert checkpoint.weights("generator", averaged=False)["weight"].sum() == 0
    assert checkpoint.weights("discriminator", averaged=True) == {}
    with pytest.raises(StorageError, match=r"x\.pt holds no network 'encoder', only generator, di"):
        checkpoint.node("encoder")
    with pytest.raises(StorageError, match="holds no network 'encoder'"):
        checkpoint.weights("encoder", averaged=True)


@pytest.mark.parametrize(
    "spec",
    [
        image_spec((3, 8, 8), 10, DIGITS),
        vector_spec(2),
        sample_spec(Field("audio", (1, 100), sample_rate=16000)),
        Spec({"low": Field("image", (3, 4, 4)), "high": Field("image", (3, 8, 8))}, "high"),
        Spec({"text": Field("tokens", (5,), vocabulary=("a", "b"))}, "text"),
    ],
)
def test_a_spec_is_stored_as_plain_values(spec, tmp_path):
    save(tmp_path / "x.pt", state(spec=plain(spec)))
    assert Checkpoint.load(tmp_path / "x.pt").spec == spec
    assert read_spec(json.loads(json.dumps(plain(spec)))) == spec


def edited(path: str, value) -> dict:
    tree = copy.deepcopy(state())
    *parts, last = path.split(".")
    node = tree
    for part in parts:
        node = node[part]
    if value is DELETED:
        del node[last]
    else:
        node[last] = value
    return tree


DELETED = object()


@pytest.mark.parametrize("value", [DELETED, None, 5, "text", [1], {}, {"a": 1}, {1: {}}])
@pytest.mark.parametrize(
    "path",
    [
        *("format", "step", "images", "config", "spec", "networks", "averages"),
        *("config.model", "config.model.game", "config.model.networks", "config.dataset"),
        *("config.model.networks.generator", "config.model.game.name", "config.imports"),
        *("networks.generator", "averages.generator", "spec.target", "spec.fields"),
        *("spec.fields.real", "spec.fields.real.kind", "spec.fields.real.shape"),
    ],
)
def test_an_edited_checkpoint_is_one_clear_line(path, value):
    """Any edit leaves a checkpoint that can be read, or a StorageError that names the file."""
    error = None
    try:
        checkpoint = Checkpoint.from_state(edited(path, value), Path("x.pt"))
        for role in checkpoint.roles:
            checkpoint.node(role)
            checkpoint.weights(role, averaged=True)
        assert isinstance(checkpoint.imports, tuple)
    except StorageError as raised:
        error = str(raised)
    assert error is None or ("\n" not in error and "x.pt" in error)


def test_the_line_names_the_key():
    with pytest.raises(StorageError, match=r"x\.pt: spec\.fields\.real\.shape: expected a list, "):
        Checkpoint.from_state(edited("spec.fields.real.shape", 5), Path("x.pt"))
    with pytest.raises(StorageError, match=r"config\.model\.game\.name: expected text, got None"):
        Checkpoint.from_state(edited("config.model.game.name", DELETED))


def test_a_newer_format_asks_for_a_newer_version():
    with pytest.raises(StorageError, match=r"has format 99, .* up to 2; install a newer one"):
        Checkpoint.from_state(state(format=99))


# ---- Format 1


@pytest.mark.parametrize("game", ALL)
def test_format_1_is_read(game, caplog):
    migrate.announce.cache_clear()
    with caplog.at_level(logging.INFO):
        checkpoint, again = Checkpoint.load(OLD / f"{game}.pt"), Checkpoint.load(OLD / f"{game}.pt")
    assert caplog.text.count(f"{game}.pt has format 1; read as format 2") == 1
    assert checkpoint.game["name"] == game
    assert (checkpoint.step, checkpoint.images) == (again.step, again.images) == (2, 8)
    for role in checkpoint.roles:
        build_network(checkpoint, role)


@pytest.mark.parametrize(
    ("game", "fields", "target"),
    [
        ("gan", {"real": ("vector", (2,)), "label": ("label", ())}, "real"),
        ("unrolled_gan", {"real": ("image", (1, 8, 8)), "label": ("label", ())}, "real"),
        (
            "dann",
            {
                "source": ("image", (1, 16, 16)),
                "target": ("image", (1, 16, 16)),
                "source_label": ("label", ()),
            },
            "target",
        ),
    ],
)
def test_fields_of_format_1(game, fields, target):
    spec = Checkpoint.load(OLD / f"{game}.pt").spec
    assert {key: (field.kind, field.shape) for key, field in spec.fields.items()} == fields
    assert spec.target == target
    assert spec.classes == (8 if game == "gan" else 10)
    assert spec.class_names == (() if game == "gan" else DIGITS)


def test_format_1_without_labels_or_with_several_sources():
    old = load(OLD / "gan.pt")
    old["spec"]["classes"] = 0
    assert Checkpoint.from_state(old).spec == vector_spec(2)
    old = load(OLD / "dann.pt")
    old["config"]["dataset"]["more_sources"] = {"a": {"name": "digits"}, "b": {"name": "digits"}}
    fields = Checkpoint.from_state(old).spec.fields
    assert [key for key in fields if key.startswith("source") and fields[key].kind == "image"] == [
        *("source", "source_a", "source_b")
    ]


@pytest.mark.parametrize("averaged", [True, False])
@pytest.mark.parametrize("game", [game for game in ALL if not game.startswith("dann")])
def test_weights_of_format_1_compute_what_the_old_code_did(game, averaged):
    expected = json.loads((OLD / "samples.json").read_text())[game][
        "average" if averaged else "live"
    ]
    generator = build_network(Checkpoint.load(OLD / f"{game}.pt"), "generator", averaged)
    label = None if expected["label"] is None else torch.tensor([expected["label"]])
    with torch.no_grad():
        sample = generator(torch.tensor([expected["latent"]]), label)
    torch.testing.assert_close(sample.flatten(), torch.tensor(expected["sample"]))


@pytest.mark.parametrize("game", ALL)
def test_whole_games_of_format_1(game):
    checkpoint = Checkpoint.load(OLD / f"{game}.pt")
    restored = restore_game(checkpoint)
    for role, network in restored.networks.items():
        assert not network.training
        for name, value in checkpoint.weights(role, averaged=True).items():
            assert torch.equal(network.state_dict()[name], value), (role, name)


def test_format_1_that_is_edited_is_one_clear_line():
    old = load(OLD / "gan.pt")
    for key in "shape", "classes", "class_names":
        broken = {**old, "spec": {k: v for k, v in old["spec"].items() if k != key}}
        with pytest.raises(StorageError, match=f"not laid out as format 1 .*{key}"):
            Checkpoint.from_state(broken)
    with pytest.raises(StorageError, match="not laid out as format 1"):
        Checkpoint.from_state({**old, "config": None})


# ---- Networks


def test_networks_that_are_not_registered_need_an_import():
    checkpoint = Checkpoint.load(OLD / "gan.pt")
    checkpoint.config["imports"] = ["mine.networks"]
    checkpoint.node("generator")["name"] = "my_generator"
    with pytest.raises(
        ConfigError, match=r"'my_generator' is not a network .* imports=\[mine\.netw"
    ):
        build_network(checkpoint, "generator")
    checkpoint.game["name"] = "my_game"
    with pytest.raises(ConfigError, match="'my_game' is not a game of gan_cli"):
        build_network(checkpoint, "discriminator")


def test_networks_that_do_not_fit_are_storage_errors():
    checkpoint = Checkpoint.load(OLD / "gan.pt")
    checkpoint.node("generator")["width"] = 9
    with pytest.raises(StorageError, match=r"hidden\.0\.weight is \(8, 4\), and .* \(9, 4\)"):
        build_network(checkpoint, "generator")
    checkpoint.node("generator")["width"] = "wide"
    with pytest.raises(StorageError, match=r"gan\.pt: .*generator\.width: expected a whole number"):
        build_network(checkpoint, "generator")
    checkpoint.game["packing"] = "many"
    with pytest.raises(StorageError, match=r"gan\.pt: model\.game\.packing: expected a whole"):
        takes_single_samples(checkpoint, "discriminator")


def test_settings_of_a_huge_network_ask_for_no_memory():
    for load_one in (restore_game, lambda checkpoint: build_network(checkpoint, "generator")):
        checkpoint = Checkpoint.load(OLD / "gan.pt")
        checkpoint.node("generator")["width"] = 2**19  # 2**38 weights in each hidden layer
        with pytest.raises(StorageError, match=r"hidden\.0\.weight is \(8, 4\), and .* \(524288"):
            load_one(checkpoint)


@pytest.mark.parametrize("kind", [torch.int64, torch.complex64, torch.bool])
def test_weights_of_another_type_are_named(kind):
    checkpoint = Checkpoint.load(OLD / "gan.pt")
    weights = checkpoint.weights("generator", averaged=True)
    weights["hidden.0.weight"] = weights["hidden.0.weight"].to(kind)
    name = str(kind).removeprefix("torch.")
    with pytest.raises(StorageError, match=rf"hidden\.0\.weight is {name} \(8, 4\), and the net"):
        restore_game(checkpoint)


@pytest.mark.parametrize("value", [torch.zeros(2), {1: 2}, object(), {"x": torch.zeros(())}])
@pytest.mark.parametrize("key", ["config.seed", "config.loss", "spec.target"])
def test_settings_are_plain_values(key, value):
    with pytest.raises(StorageError, match=key.replace(".", r"\.")):
        Checkpoint.from_state(edited(key, value), Path("x.pt"))


def test_packs_are_several_samples():
    checkpoint = Checkpoint.load(OLD / "gan.pt")
    assert takes_single_samples(checkpoint, "discriminator")
    checkpoint.game["packing"] = 2
    assert not takes_single_samples(checkpoint, "discriminator")
    assert takes_single_samples(checkpoint, "generator")


# ---- Which one is meant


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("outputs/ring/checkpoints")
    for step in 2, 4:
        save(folder / f"step-{step:07d}.pt", state(step=step))
    save(folder / "best.pt", state(step=2))


def test_a_run_a_folder_or_a_file(outputs):
    newest = Path("outputs/ring/checkpoints/step-0000004.pt")
    assert known_runs() == ["ring"]
    assert run_folder("ring") == run_folder("outputs/ring") == Path("outputs/ring")
    assert find("ring").path == find("outputs/ring").path == newest
    assert find("outputs/ring/checkpoints/best.pt").step == 2
    with pytest.raises(ConfigError, match=r"model\.x: unknown run 'rign'; did you mean 'ring'"):
        find("rign", "model.x")
    with pytest.raises(ConfigError, match=r"^run: unknown run 'rign'; did you mean 'ring'"):
        run_folder("rign")
    Path("outputs/new/checkpoints").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"new has no checkpoint yet; every\.checkpoint sets"):
        find("new")


def test_latest_best_or_a_step(outputs):
    def asked(which, run="outputs/ring", checkpoint=None) -> Checkpoint:
        source = SimpleNamespace(which=which, checkpoint=checkpoint)
        return opened(source, None if run is None else Path(run))

    assert asked("latest").step == 4
    assert asked("best").path == Path("outputs/ring/checkpoints/best.pt")
    assert asked(2).path == Path("outputs/ring/checkpoints/step-0000002.pt")
    assert asked("latest", None, "outputs/ring/checkpoints/best.pt").step == 2
    with pytest.raises(ConfigError, match=r"step-0000003\.pt; type which=latest, or .* 2, 4"):
        asked(3)


def test_a_misspelt_run_is_reported_without_torch(outputs):
    code = """
import sys
from gan_cli.checkpoints.choice import known_runs, run_folder
assert known_runs() == ["ring"]
run_folder("ring")
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_path_of_the_machine_is_in_the_test_data():
    assert not re.search(r"/(home|work|tmp|root)/", (OLD / "README.md").read_text())
