"""gan-train: composes and validates a config, and trains."""

if __name__ == "__main__":  # python -m; the imports below take a while
    from gan_cli.utils.stop_signals import exit_on_signals

    exit_on_signals()

import logging
import os
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from gan_cli.config.command_line import report_errors, run_command
from gan_cli.config.finished import finished_run
from gan_cli.config.schema import Config
from gan_cli.config.start import start_of
from gan_cli.utils.console import announce, reserve_stdout
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import CONFIGS


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="train")
@report_errors
def train(composed: DictConfig) -> float | None:
    """Returns the best value of the first metric, which sweeps optimize."""
    started = time.time()
    first = os.environ.get("RANK", "0") == "0"  # of several processes, one prints
    logging.basicConfig(level=logging.INFO if first else logging.ERROR, format="%(message)s")
    reserve_stdout(str(composed.get("log")))
    start = start_of(HydraConfig.get())
    if not composed.check and (done := finished_run(run_folder(str(composed.run)), start)):
        if first:
            announce(done.message, str(composed.get("log")), "done")
        return done.objective
    from gan_cli.presets.settle import settled  # torch is imported here, after --help
    from gan_cli.validation.continuing import job_of

    job = job_of(*settled(composed, start, run_folder), run_folder)
    if job.config.check:
        check(job.config)
        return None
    from gan_cli.training.session import run_training

    folder = run_folder(job.config.run)
    return run_training(job.config, folder, started, job.start, job.own).scores.objective


def check(config: Config) -> None:
    """Forecasts a single run of one process; of others, only the config is checked."""
    alone = HydraConfig.get().mode == RunMode.RUN and "RANK" not in os.environ
    if not alone and not isinstance(config.check, bool):
        raise ConfigError(
            f"check: {config.check} is a page about one run; type check=true for a sweep or for "
            "several processes"
        )
    if not alone:
        announce("the config is valid", config.log, "valid")
        return
    from gan_cli.forecast.check import forecast

    forecast(config, run_folder(config.run))


def run_folder(name: str) -> Path:
    """Returns outputs/<run>, or the folder of the job in a sweep."""
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return Path(HydraConfig.get().runtime.output_dir)
    return Path("outputs") / name


def main() -> None:
    run_command(train, "train")


class CallableModule(ModuleType):
    """Importing this module makes it the attribute gan_cli.train: it stays the function there."""

    def __call__(self, *overrides: str, **settings: Any) -> Any:
        from gan_cli import api

        return api.train(*overrides, **settings)


sys.modules[__name__].__class__ = CallableModule


if __name__ == "__main__":
    main()
