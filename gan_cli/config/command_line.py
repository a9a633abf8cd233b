"""What the commands share: the command line before Hydra sees it, and how errors are told.

Imports neither torch nor anything that does: ``--help`` and a misspelt group answer at once.
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

from gan_cli.utils.errors import ConfigError, SignalError, UserError
from gan_cli.utils.paths import CONFIGS
from gan_cli.utils.text import unknown

# Flags of Hydra's under which a command prints something and does nothing else.
PRINTS = {"--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--info", "-i"}


class JobError(CompactHydraException):
    """A job of a sweep failed; Hydra prints it without a traceback and goes on with the next."""


def run_command(command: Callable[[], Any], config_name: str) -> None:
    """Run a Hydra command on sys.argv; the exit status is the error's own."""
    if PRINTS & {word.partition("=")[0] for word in sys.argv[1:]}:
        end_with_pipe()
    if {"--help", "-h"} & set(sys.argv[1:]):
        print(help_text(config_name, sys.argv[1:]))
        return

    def prepared_command() -> None:
        sys.argv[1:] = prepared(sys.argv[1:])
        command()

    told(prepared_command)


def end_with_pipe() -> None:
    """As in gan-train --help | head: without a word, as other tools do. A training goes on."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def told(command: Callable[[], Any]) -> None:
    """Run it; what goes wrong is told in plain words and ends the process."""
    try:
        command()
    except UserError as error:
        fail(error)
    except KeyboardInterrupt:  # before the first step; later ones are StopSignal's
        fail(SignalError(signal.SIGINT, "nothing was done"))
    except (HydraException, OmegaConfBaseException) as error:  # from --help and --cfg, unhandled
        fail(ConfigError(str(error).splitlines()[0]))


def help_text(config_name: str, words: list[str]) -> str:
    """Hydra's own --help composes the whole config once a group: 1.0 s, this takes 0.4 s."""
    template: str = OmegaConf.load(CONFIGS / f"{config_name}.yaml").hydra.help.template
    groups = sorted(available(config_folders(words)).items())
    lines = (f"{group}: {', '.join(sorted(choices))}" for group, choices in groups)
    return template.replace("$APP_CONFIG_GROUPS", "\n".join(lines))


def reported(task: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A Hydra task whose UserErrors are told in plain words, without a traceback.

    In a sweep the error ends its job only; on its own it ends the process with its exit status.
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
    print(f"gan_cli: {error}", file=sys.stderr, flush=True)
    sys.exit(error.status)


def prepared(words: list[str]) -> list[str]:
    """The command line as Hydra is to see it.

    Flags come first, since argparse wants all overrides in one block. A plain ``key=value`` becomes
    ``++key=value``: Hydra would stop at the first unknown key, validate() lists all of them with
    the names that were probably meant. Group choices are checked here, before anything is composed.
    """
    if any(word in ("--shell-completion", "-sc") for word in words):
        return words
    flags = [word for word in words if not is_override(word)]
    overrides = [word for word in words if is_override(word)]
    groups = available(config_folders(words))
    checks = (unreadable, unread, partial(misnamed, groups=groups))
    faults = [fault for word in overrides for check in checks for fault in check(word)]
    if faults:
        raise ConfigError(*faults)
    words = [part for word in overrides for part in replaced(word)]
    return flags + [forced(word, groups) for word in words]


def is_override(word: str) -> bool:
    return word.startswith("~") or ("=" in word and not word.startswith("-"))


def config_folders(words: list[str]) -> list[Path]:
    """The package's own, and those that --config-dir adds."""
    folders = [CONFIGS]
    for i, word in enumerate(words):
        flag, _, value = word.partition("=")
        if flag in ("--config-dir", "-cd"):
            folders.append(Path(value or (words[i + 1] if i + 1 < len(words) else "")))
    return folders


def available(folders: list[Path]) -> dict[str, set[str]]:
    """Group -> its choices."""
    groups: dict[str, set[str]] = {}
    for folder in folders:
        for file in folder.glob("*/*.yaml"):
            groups.setdefault(file.parent.name, set()).add(file.stem)
    return groups


def unreadable(word: str) -> Iterator[str]:
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        yield f"cannot read '{word}'; quote it, as in 'loss.betas=[0, 0.9]' or 'run=\"a b\"'"


def unread(word: str) -> Iterator[str]:
    """Hydra's folder of a single run, where nothing would be written."""
    if word.lstrip("+~").partition("=")[0] == "hydra.run.dir":
        yield "hydra.run.dir: is not read; use run=NAME (gan-train) or output=FOLDER (the others)"


def misnamed(word: str, groups: dict[str, set[str]]) -> Iterator[str]:
    group, _, value = word.partition("=")
    if group in groups and not set(value) & set("${}()[]*/\"'"):
        for choice in value.split(","):
            if choice.strip() == "null":
                yield f"{group}: null chooses nothing; leave it out, or type ~{group} for none"
            elif choice.strip() not in groups[group]:
                yield f"{group}: {unknown(group, choice.strip(), groups[group])}"


def replaced(word: str) -> list[str]:
    """A list such as metrics.compute=[fd,kd] as the mapping that the YAML has, {fd: {}, kd: {}}.

    The mapping of the config is deleted first: Hydra would merge the two.
    """
    override = OverridesParser.create().parse_override(word)
    names = override.value()
    if override.key_or_group != "metrics.compute" or not isinstance(names, list):
        return [word]
    entries = ",".join(f"{name}: {{}}" for name in names)
    return ["~metrics.compute", f"metrics.compute={{{entries}}}"]


def forced(word: str, groups: dict[str, set[str]]) -> str:
    key = word.partition("=")[0]
    special = key[0] in "+~" or key.split("@")[0] in groups or key.split(".")[0].startswith("hydra")
    return word if special else f"++{word}"
