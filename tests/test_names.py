"""Names of runs are kept as they are typed."""

import pytest

from gan_cli.config.command_line import as_text, hydra_arguments, refuse_run_of_sweep
from gan_cli.config.compose import composed as composed_config
from gan_cli.utils.errors import ConfigError
from tests.helpers import small


@pytest.mark.parametrize("name", ["2024_01_05", "1e3", "1.10", "007", "true", "a b", "über"])
def test_a_name_stays_as_typed(name):
    config = composed_config("train", [f"run={name}", "dataset=folder", f"dataset.path={name}"])
    assert config.run == name
    assert config.dataset.path == name


def test_only_names_and_paths_are_quoted():
    assert as_text("steps=1e3") == "steps=1e3"
    assert as_text("run='a'") == "run='a'"
    assert as_text("dataset.path=${oc.env:HOME}") == "dataset.path=${oc.env:HOME}"
    assert as_text("run=null") == "run=null"
    assert as_text("loss=hinge,r3gan") == "loss=hinge,r3gan"
    assert hydra_arguments(["run=1.1", "steps=3"]) == ["++run='1.1'", "++steps=3"]


@pytest.mark.parametrize("name", ["''", "..", "../x", "/tmp/x", "' '"])
def test_a_run_is_a_folder_in_outputs(name):
    with pytest.raises(ConfigError, match="run: names a folder in outputs/"):
        small(f"run={name}")


def test_a_sweep_names_its_jobs():
    refuse_run_of_sweep(["run=x", "steps=2"])
    with pytest.raises(ConfigError, match="leave run out"):
        refuse_run_of_sweep(["-m", "run=x", "seed=0,1"])
