"""Prepares the command line for Hydra and reports errors, for all commands.

This module does not import torch, so that ``--help`` and a misspelt group are answered at once.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial, wraps
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import CompactHydraException, HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_cli import __version__
from gan_cli.utils.errors import ConfigError, SignalError, UserError
from gan_cli.utils.paths import CONFIGS
from gan_cli.utils.text import unknown

# Hydra's flags that make a command print something and do nothing else.
PRINTING_FLAGS = {"--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--info", "-i"}


# Keys whose values are names or paths, and never numbers.
TEXT_KEYS = {"run", "checkpoint", "input", "output", "real", "fake", "save"}


class JobError(CompactHydraException):
    """Raised when a job of a sweep fails; Hydra prints it without a traceback and continues."""


def run_command(command: Callable[[], Any], config_name: str) -> None:
    """Runs a Hydra command on sys.argv; after an error, exits with the status of that error."""
    if PRINTING_FLAGS & {word.partition("=")[0] for word in sys.argv[1:]}:
        exit_with_pipe()
    if "--version" in sys.argv[1:]:  # Hydra would print its own
        print(f"gan-cli {__version__}")
        return
    if {"--help", "-h"} & set(sys.argv[1:]):
        print(help_text(config_name, sys.argv[1:]))
        return

    def prepared_command() -> None:
        if config_name == "train":
            refuse_run_of_sweep(sys.argv[1:])
        sys.argv[1:] = hydra_arguments(sys.argv[1:])
        command()

    exit_on_error(prepared_command)


def exit_with_pipe() -> None:
    """Lets a closed pipe end the process silently, as in ``gan-train --help | head``.

    It is called for commands that only print: training continues without its terminal.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def exit_on_error(command: Callable[[], Any]) -> None:
    """Runs `command`; prints a user's error without a traceback and exits with its status."""
    try:
        command()
    except UserError as error:
        fail(error)
    except KeyboardInterrupt:  # before the first step; StopSignal handles later ones
        fail(SignalError(signal.SIGINT, "nothing was done"))
    except (HydraException, OmegaConfBaseException) as error:  # raised by --help and --cfg
        fail(ConfigError(str(error).splitlines()[0]))


def help_text(config_name: str, words: list[str]) -> str:
    """The text of ``--help``.

    Hydra's own composes the whole config once for each group, which takes 1.0 s instead of 0.4 s.
    """
    template: str = OmegaConf.load(CONFIGS / f"{config_name}.yaml").hydra.help.template
    groups = sorted(group_choices(config_folders(words)).items())
    lines = (f"{group}: {', '.join(sorted(choices))}" for group, choices in groups)
    return template.replace("$APP_CONFIG_GROUPS", "\n".join(lines))


def report_errors(task: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Decorates a Hydra task so that a UserError is printed without a traceback.

    In a sweep the error ends its job only; otherwise the process exits with the error's status.
    """

    @wraps(task)
    def wrapped(composed: Any) -> Any:
        try:
            return task(composed)
        except UserError as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN and error.status < 128:
                print(error, file=sys.stderr, flush=True)
                raise JobError(str(error)) from None
            fail(error)
        except BrokenPipeError:  # as in gan-sample ... | head
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(128 + signal.SIGPIPE)

    return wrapped


def fail(error: UserError) -> None:
    """Prints the error and exits with its status."""
    print(f"gan_cli: {error}", file=sys.stderr, flush=True)
    sys.exit(error.status)


def hydra_arguments(words: list[str]) -> list[str]:
    """The command line in the form that is passed to Hydra.

    Flags come first, since argparse needs all overrides in one block. A plain ``key=value`` becomes
    ``++key=value``: Hydra would stop at the first unknown key, while validate() lists all of them
    with the names that were probably meant. Group choices are checked here, before the config is
    composed.
    """
    if any(word in ("--shell-completion", "-sc") for word in words):
        return words
    flags = [word for word in words if not is_override(word)]
    overrides = [as_text(word) for word in words if is_override(word)]
    groups = group_choices(config_folders(words))
    checks = (check_syntax, check_run_dir, partial(check_choice, groups=groups))
    faults = [fault for word in overrides for check in checks for fault in check(word)]
    if faults:
        raise ConfigError(*faults)
    words = [part for word in overrides for part in expand_metrics(word)]
    return flags + [forced(word, groups) for word in words]


def is_override(word: str) -> bool:
    """Whether `word` is ``key=value`` or ``~key`` rather than a flag."""
    return word.startswith("~") or ("=" in word and not word.startswith("-"))


def config_folders(words: list[str]) -> list[Path]:
    """The package's config folder and those added by ``--config-dir``."""
    folders = [CONFIGS]
    for i, word in enumerate(words):
        flag, _, value = word.partition("=")
        if flag in ("--config-dir", "-cd"):
            folders.append(Path(value or (words[i + 1] if i + 1 < len(words) else "")))
    return folders


def group_choices(folders: list[Path]) -> dict[str, set[str]]:
    """The choices of each config group, by the group's name."""
    groups: dict[str, set[str]] = {}
    for folder in folders:
        for file in folder.glob("*/*.yaml"):
            groups.setdefault(file.parent.name, set()).add(file.stem)
    return groups


def check_syntax(word: str) -> Iterator[str]:
    """Refuses an override that Hydra cannot parse."""
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        yield f"cannot read '{word}'; quote it, as in 'loss.betas=[0, 0.9]' or 'run=\"a b\"'"


def check_run_dir(word: str) -> Iterator[str]:
    """Refuses hydra.run.dir, where no command writes anything."""
    if word.lstrip("+~").partition("=")[0] == "hydra.run.dir":
        yield "hydra.run.dir: is not read; use run=NAME (gan-train) or output=FOLDER (the others)"


def refuse_run_of_sweep(words: list[str]) -> None:
    """Raises ConfigError for run=NAME in a sweep, whose jobs have folders of their own."""
    named = [word for word in words if word.lstrip("+").startswith("run=")]
    if named and {"-m", "--multirun"} & set(words):
        raise ConfigError(
            f"{named[0]}: a sweep names the folders of its jobs itself; leave run out, or type "
            f"hydra.sweep.dir=outputs/{named[0].partition('=')[2]} for the folder of the sweep"
        )


def as_text(word: str) -> str:
    """``run=2024_01_05`` with its value quoted, since Hydra would read it as the number 20240105.

    Only keys of TEXT_KEYS are names or paths; values that are quoted, listed or interpolated stay.
    """
    key, _, value = word.partition("=")
    name = key.lstrip("+")
    is_text = name in TEXT_KEYS or name.split(".")[-1] in ("path", "root", "photos")
    if not is_text or value in ("", "null") or set(value) & set("\"'[]{}()$,\\"):
        return word
    return f"{key}='{value}'"


def check_choice(word: str, groups: dict[str, set[str]]) -> Iterator[str]:
    """Refuses an unknown choice of a config group."""
    group, _, value = word.partition("=")
    if group in groups and not set(value) & set("${}()[]*/\"'"):
        for choice in value.split(","):
            if choice.strip() == "null":
                yield f"{group}: null chooses nothing; leave it out, or type ~{group} for none"
            elif choice.strip() not in groups[group]:
                yield f"{group}: {unknown(group, choice.strip(), groups[group])}"


def expand_metrics(word: str) -> list[str]:
    """``metrics.compute=[fd,kd]`` with the mapping {fd: {}, kd: {}} in place of the list.

    The mapping of the config is deleted first: Hydra would merge the two. Other words are returned
    unchanged.
    """
    override = OverridesParser.create().parse_override(word)
    names = override.value()
    if override.key_or_group != "metrics.compute" or not isinstance(names, list):
        return [word]
    entries = ",".join(f"{name}: {{}}" for name in names)
    return ["~metrics.compute", f"metrics.compute={{{entries}}}"]


def forced(word: str, groups: dict[str, set[str]]) -> str:
    """``key=value`` as ``++key=value``, unless it chooses from a group or configures Hydra."""
    key = word.partition("=")[0]
    special = key[0] in "+~" or key.split("@")[0] in groups or key.split(".")[0].startswith("hydra")
    return word if special else f"++{word}"
