"""A stranger's checkpoint does not choose what is read from the disk or from the network."""

from pathlib import Path

import pytest

from gan_cli import api
from gan_cli.checkpoints.trust import is_own_run
from gan_cli.data.dataset import datasets
from gan_cli.data.spec import image_spec
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.utils.errors import ConfigError
from tests import checkpoint_files

SPEC = image_spec((3, 8, 8))
NODES = {
    "generator": {"name": "mlp_generator", "width": 8},
    "discriminator": {"name": "mlp_discriminator", "width": 8},
}


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """What data sets are opened, by name."""
    names: list[str] = []
    build = datasets.build

    def watched(node, *args, **keys):
        names.append(node["name"])
        return build(node, *args, **keys)

    monkeypatch.setattr(datasets, "build", watched)
    return names


def strangers(name: str, **options: object) -> Path:
    """A checkpoint file that names a data set of its own choice."""
    state = checkpoint_files.state_of(NODES, SPEC, dataset={"name": name, **options})
    return checkpoint_files.write(state).rename("strangers.pt")


SCORE = {"features": "random", "count": 40, "device": "cpu", "output": "card.json"}


@pytest.mark.parametrize(
    ("name", "options"),
    [("folder", {"path": "/etc"}), ("cifar10", {"root": "/tmp"}), ("mnist", {"root": "/tmp"})],
)
def test_scores_open_no_data_set_that_a_file_names(name, options, opened):
    path = strangers(name, **options)
    for more in ({}, {"dataset": None}, {"dataset.seed": 3}):
        with pytest.raises(
            ConfigError, match=r"strangers\.pt names is not opened unasked"
        ) as error:
            api.score(checkpoint=str(path), **{**SCORE, **more})
        (fault,) = error.value.faults
        (key, value) = next(iter(options.items()))
        assert f"type real=PATH, dataset=NAME, or dataset={name}" in fault
        assert f"dataset.{key}={value}" in fault
    assert opened == []
    assert not Path("card.json").exists()


def test_scores_of_a_file_on_data_that_are_given(opened):
    path = strangers("folder", path="/etc")
    card = api.score(checkpoint=str(path), dataset="synthetic", **SCORE, **{
        "dataset.count": 64, "dataset.size": 8,
    })  # fmt: skip
    assert opened == ["synthetic"]
    assert "fd_random" in card["values"]


def test_runs_in_outputs_name_their_data_themselves():
    for name in ("outputs/x", "outputs/sweeps/a/0", Path("outputs/x").absolute()):
        assert is_own_run(Path(name))
    for name in ("x", "/elsewhere/outputs/x", "outputs/../x", ".", "outputs/../../outputs/x"):
        assert not is_own_run(Path(name))
    assert not is_own_run(None)


def test_a_run_elsewhere_is_a_strangers(opened, tmp_path):
    state = checkpoint_files.state_of(NODES, SPEC, dataset={"name": "folder", "path": "/etc"})
    checkpoint_files.write(state)
    Path("outputs/x").rename("theirs")
    for run in ("theirs", "../" + tmp_path.name + "/theirs", str(tmp_path / "theirs")):
        with pytest.raises(ConfigError, match="is not opened unasked"):
            api.score(run=run, **SCORE)
    assert opened == []


def test_inputs_of_samples_are_no_data_set_that_a_file_names(opened):
    path = strangers("folder", path="/etc")
    keys = {"checkpoint": str(path), "task": "invert", "device": {"accelerator": "cpu"}}
    with pytest.raises(ConfigError, match=r"unasked.* type input=FOLDER, dataset=NAME, or"):
        perform(checked_options({**keys, "dataset": {"hflip": True}}), None)
    assert opened == []


def test_evaluating_an_encoder_opens_the_data_of_own_runs_alone(opened):
    nodes = {
        "generator": NODES["generator"],
        "encoder": {"name": "mlp_encoder", "width": 8},
        "discriminator": {"name": "mlp_joint_discriminator", "width": 8},
    }
    theirs, own = {"name": "folder", "path": "/etc"}, {"name": "synthetic", "count": 32, "size": 8}
    path = checkpoint_files.write(
        checkpoint_files.state_of(nodes, SPEC, game="bigan", dataset=theirs)
    )
    keys = {"task": "evaluate", "device": {"accelerator": "cpu"}, "dataset": own}
    with pytest.raises(ConfigError, match=r"task: the data set .* unasked"):
        perform(checked_options({**keys, "checkpoint": str(path)}), None)
    assert opened == ["synthetic"]


def test_data_that_come_with_the_program_are_opened(opened):
    """They read nothing that a stranger could choose."""
    path = strangers("synthetic", count=64, size=8)
    api.score(checkpoint=str(path), **SCORE)
    assert opened == ["synthetic"]
