"""gan-sample: images from a checkpoint, without its data set or its YAML."""

import logging
import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from gan_cli.config.command_line import report_errors, run_command
from gan_cli.sampling.request import checked, known_runs
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import CONFIGS
from gan_cli.utils.text import unknown

LISTS = ("seeds", "label", "anomalous", "attribute", "format", "imports")  # of several values


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="sample")
@report_errors
def sample(composed: DictConfig) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = checked(OmegaConf.to_container(composed, resolve=True))
    folder = run_folder(config.run) if config.run is not None else None
    from gan_cli.sampling.tasks import (
        perform,  # torch is imported here, after all that needs it not
    )

    print(perform(config, folder))


def run_folder(run: str) -> Path:
    """outputs/<run>, or the folder that `run` is a path of."""
    for folder in (Path("outputs") / run, Path(run)):
        if (folder / "checkpoints").is_dir():
            return folder
    raise ConfigError(f"run: {unknown('run', run, known_runs())} (below ./outputs)")


def as_list(word: str) -> str:
    """Hydra takes a bare seeds=3,7 for a sweep."""
    key, equals, value = word.partition("=")
    listed = key in LISTS and "," in value and value[0] not in "[\"'"
    return f"{key}{equals}[{value}]" if listed else word


def main() -> None:
    sys.argv[1:] = [as_list(word) for word in sys.argv[1:]]
    run_command(sample, "sample")


if __name__ == "__main__":
    main()
