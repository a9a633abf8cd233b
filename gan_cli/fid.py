"""gan-fid: metrics of a checkpoint, or of two sets of samples, as comparable metric cards."""

if __name__ == "__main__":  # python -m; the imports below take a while
    from gan_cli.utils.stop_signals import exit_on_signals

    exit_on_signals()

import logging
import re
import sys
import time
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from gan_cli.checkpoints.choice import run_folder
from gan_cli.config.command_line import (
    exit_on_error,
    exit_with_pipe,
    report_errors,
    run_command,
    user_errors,
)
from gan_cli.evaluation.options import checked_options, full_key
from gan_cli.evaluation.sweep_table import print_table
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.lists import as_list
from gan_cli.utils.paths import CONFIGS, user_path
from gan_cli.utils.streams import prepare_streams


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="fid")
@report_errors
def fid(composed: DictConfig) -> float:
    """Returns the first value, which sweeps optimize."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = checked_options(OmegaConf.to_container(composed, resolve=True))
    folder = run_folder(options.run) if options.run is not None else None
    from gan_cli.evaluation.report import print_card  # torch is imported here, after all checks
    from gan_cli.evaluation.score import score

    if options.truncations is not None:
        from gan_cli.evaluation.truncation import print_curve, truncation_curve

        curve, files = truncation_curve(options, folder)
        print_curve(curve, files)
        return next(iter(curve.values.values()))[-1]
    started = time.monotonic()
    card, path = score(options, folder)
    print_card(card, path, time.monotonic() - started)
    return next(iter(card["values"].values()))


def full(word: str) -> str:
    """Returns a word with its full key.

    count=500 is metrics.count=500, and metrics=fid is metrics.compute=[fid].
    """
    key, equals, value = word.partition("=")
    if not equals:
        return as_list(word)
    if key == "metrics":
        value = value if re.match(r"[\[{]|\w+\(", value) else f"[{value}]"
    return f"{full_key(key)}={value}" if full_key(key) != key else as_list(word)


def compare(words: list[str]) -> None:
    """Prints the table of gan-fid compare."""
    from gan_cli.evaluation.compare import compared

    usage = "compare: type gan-fid compare A B, each a metric card or a run"
    if {"-h", "--help"} & set(words):
        print(usage)
        return
    if not words:
        raise ConfigError(usage)
    print(compared([card_of(word) for word in words]))


def card_of(word: str) -> Path:
    """Returns the path of a card, or that of the newest card of a run."""
    path = user_path(word)
    if path.is_file():
        return path
    for folder in (Path("outputs") / word, path):
        cards = sorted(folder.glob("cards/*.json"), key=lambda path: path.stat().st_mtime)
        if cards:
            return cards[-1]
    raise ConfigError(
        f"compare: '{word}' is neither a metric card nor a run with one in its cards/"
    )


SUBCOMMANDS = {"compare": compare, "table": print_table}


def main() -> None:
    if (name := next(iter(sys.argv[1:]), "")) in SUBCOMMANDS:
        prepare_streams(output_matters=True)
        exit_with_pipe()
        exit_on_error(user_errors()(lambda: SUBCOMMANDS[name](sys.argv[2:])))
        return
    sys.argv[1:] = [full(word) for word in sys.argv[1:]]
    run_command(fid, "fid")


if __name__ == "__main__":
    main()
