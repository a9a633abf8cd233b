"""Runs the commands with Hydra and reports their errors.

This module does not import torch, so that ``--help`` and a misspelt group are answered at once.
"""

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from traceback import walk_tb
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_cli import __version__
from gan_cli.config import flags, job_folders
from gan_cli.config.arguments import as_text as as_text
from gan_cli.config.arguments import expand_metrics as expand_metrics
from gan_cli.config.arguments import hydra_arguments, refuse_run_of_sweep
from gan_cli.config.arguments import is_override as is_override
from gan_cli.config.completion import is_query
from gan_cli.config.hydra_errors import as_config_error
from gan_cli.config.override_checks import UNSUPPORTED
from gan_cli.config.quoting import shown
from gan_cli.config.search_path import config_folders, group_choices
from gan_cli.config.start import continued_arguments, with_run_name
from gan_cli.utils.errors import ConfigError, SignalError, StorageError, UserError, print_error
from gan_cli.utils.paths import CONFIGS
from gan_cli.utils.storage import storage_message
from gan_cli.utils.streams import prepare_streams

# Hydra's flags that make a command print something and do nothing else.
PRINTING_FLAGS = ("--help", "--hydra-help", "--version", "--cfg", "--info")

job_folders.register()


class JobError(CompactHydraException):
    """Raised when a job of a sweep fails; Hydra prints it without a traceback and continues."""


def run_command(command: Callable[[], Any], config_name: str) -> None:
    """Runs a Hydra command on sys.argv; after an error, exits with the status of that error."""
    words = flags.split(sys.argv[1:])
    prints = any(words.has(flag) for flag in PRINTING_FLAGS)
    prepare_streams(output_matters=prints or config_name != "train")
    if prints:
        exit_with_pipe()
    if words.has("--version"):  # Hydra would print its own
        exit_on_error(lambda: print(f"gan-cli {__version__}"))
        return
    if words.has("--help"):
        exit_on_error(lambda: print(help_text(config_name, sys.argv[1:])))
        return

    def prepared_command() -> None:
        if config_name == "train":
            sys.argv[1:] = with_run_name(sys.argv[1:])
            refuse_run_of_sweep(sys.argv[1:])
        sys.argv[1:] = hydra_arguments(sys.argv[1:], config_name)
        if config_name == "train":
            sys.argv[1:] = continued_arguments(sys.argv[1:])
        try:
            with hydra_errors_raised():
                command()
        except ConfigError:
            if not is_query(words):  # else the line that is completed cannot be read yet: run='a
                raise
        except SystemExit as end:  # Hydra has printed that it finds no such package
            sys.exit(ConfigError.status if end.code == 1 and words.has("--package") else end.code)

    exit_on_error(prepared_command)


@contextmanager
def hydra_errors_raised() -> Iterator[None]:
    """Makes Hydra raise its errors, which it would print in its own way, with exit status 1."""
    given = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    except Exception as error:
        if isinstance(error, UserError | JobError | BrokenPipeError) or in_task(error):
            raise
        named = getattr(error, "errno", None) == errno.ENAMETOOLONG
        if isinstance(error, OSError) and not isinstance(error, HydraException) and not named:
            # Hydra makes the folders of sweeps
            raise StorageError(storage_message(error, error.filename, "write")) from error
        raise as_config_error(error) from error
    finally:
        os.environ.pop("HYDRA_FULL_ERROR")
        if given is not None:
            os.environ["HYDRA_FULL_ERROR"] = given


def in_task(error: BaseException) -> bool:
    """Whether an error comes from the task, not from Hydra's work on the command line."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    return any((f.f_code.co_name, f.f_globals["__name__"]) == ("wrapped", __name__) for f in frames)


def exit_with_pipe() -> None:
    """Lets a closed pipe end the process silently, as in ``gan-train --help | head``.

    It is called for commands that only print: training continues without its terminal.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def exit_on_error(command: Callable[[], Any]) -> None:
    """Runs `command`; prints a user's error without a traceback and exits with its status."""
    try:
        command()
        sys.stdout.flush()
    except UserError as error:
        fail(error)
    except BrokenPipeError:  # as in gan-sample ... | head
        sys.exit(128 + signal.SIGPIPE)
    except JobError:  # printed when the job ended
        sys.exit(UserError.status)
    except KeyboardInterrupt:  # before the first step; StopSignal handles later ones
        fail(SignalError(signal.SIGINT, "nothing was done"))


def help_text(config_name: str, words: list[str]) -> str:
    """The text of ``--help``.

    Hydra's own composes the whole config once for each group, which takes 1.0 s instead of 0.4 s.
    """
    template: str = OmegaConf.load(CONFIGS / f"{config_name}.yaml").hydra.help.template
    groups = sorted(group_choices(config_folders(flags.split(words))).items())
    lines = (f"{group}: {', '.join(sorted(choices))}" for group, choices in groups)
    return template.replace("$APP_CONFIG_GROUPS", "\n".join(lines))


def report_errors(task: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Decorates a Hydra task so that a UserError is printed without a traceback.

    In a sweep the error ends its job only; otherwise the process exits with the error's status.
    """

    @wraps(task)
    def wrapped(composed: Any) -> Any:
        try:
            refuse_unsupported()
            with user_errors():
                return task(composed)
        except UserError as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN and error.status < 128:
                print_error(error)
                raise JobError(str(error)) from None
            fail(error)

    return wrapped


@contextmanager
def user_errors() -> Iterator[None]:
    """Turns errors of interpolations and of names of files into ConfigErrors.

    Other errors of the file system become StorageErrors.
    """
    try:
        yield
    except OmegaConfBaseException as error:
        raise as_config_error(error) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ConfigError(f"{shown(str(error.filename))}: {error.strerror}") from error
        raise StorageError(storage_message(error, error.filename)) from error


def refuse_unsupported() -> None:
    """Raises ConfigError if a file sets what `override_checks` refuses on the command line."""
    if HydraConfig.get().job.chdir:
        raise ConfigError(f"hydra.job.chdir: {UNSUPPORTED['hydra.job.chdir']}")


def fail(error: UserError) -> None:
    """Prints the error and exits with its status."""
    print_error(error)
    sys.exit(error.status)
