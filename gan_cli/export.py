"""gan-export: writes a trained network in the formats of other programs, with a model card."""

if __name__ == "__main__":  # python -m; the imports below take a while
    from gan_cli.utils.stop_signals import exit_on_signals

    exit_on_signals()

import logging
import sys

import hydra
from omegaconf import DictConfig, OmegaConf

from gan_cli.checkpoints.choice import run_folder
from gan_cli.config.command_line import report_errors, run_command
from gan_cli.utils.lists import as_list
from gan_cli.utils.paths import CONFIGS


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="export")
@report_errors
def export(composed: DictConfig) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from gan_cli.deployment.options import checked_options

    options = checked_options(OmegaConf.to_container(composed, resolve=True))
    folder = run_folder(options.run) if options.run is not None else None
    if options.push is not None:
        from gan_cli.deployment.hub import check_login

        check_login()
    from gan_cli.deployment.perform import perform

    print(perform(options, folder))


def main() -> None:
    sys.argv[1:] = [as_list(word) for word in sys.argv[1:]]
    run_command(export, "export")


if __name__ == "__main__":
    main()
