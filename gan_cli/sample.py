"""gan-sample: draws samples from a checkpoint and runs other tasks on it."""

if __name__ == "__main__":  # python -m; the imports below take a while
    from gan_cli.utils.stop_signals import exit_on_signals

    exit_on_signals()

import logging
import sys

import hydra
from omegaconf import DictConfig, OmegaConf

from gan_cli.checkpoints.choice import run_folder
from gan_cli.config.command_line import report_errors, run_command
from gan_cli.sampling.options import checked_options
from gan_cli.utils.lists import as_list
from gan_cli.utils.paths import CONFIGS


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="sample")
@report_errors
def sample(composed: DictConfig) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = checked_options(OmegaConf.to_container(composed, resolve=True))
    folder = run_folder(options.run) if options.run is not None else None
    from gan_cli.sampling.perform import perform  # torch is imported here, after all checks

    print(perform(options, folder))


def main() -> None:
    sys.argv[1:] = [as_list(word) for word in sys.argv[1:]]
    run_command(sample, "sample")


if __name__ == "__main__":
    main()
