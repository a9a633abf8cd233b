"""Tasks of gan-sample and their registry."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.config.registry import Registry
from gan_cli.sampling import tasks as package
from gan_cli.sampling.options import SampleOptions
from gan_cli.sampling.tasks import BUILT_IN
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import unknown

if TYPE_CHECKING:
    from gan_cli.sampling.autoencoder import Autoencoder
    from gan_cli.sampling.inputs import Inputs
    from gan_cli.sampling.model import Model


@dataclass
class Job:
    """The input of a task: options, run or checkpoint, a folder, and what the task needs."""

    options: SampleOptions
    source: Path  # the run's folder, or the checkpoint file
    run: Path | None = None  # the run's folder, if a run was asked for

    # Set by `perform`. Files of this folder are moved to the output folder when the task is done.
    folder: Path = None  # type: ignore[assignment]

    # Set by `perform` for tasks that need them.
    model: "Model" = None  # type: ignore[assignment]
    inputs: "Inputs" = None  # type: ignore[assignment]
    autoencoder: "Autoencoder" = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Task:
    """A function that takes a Job and returns the lines of its report.

    `needs` names what the job must have: "model"; "inputs", given samples; "shows", only as many
    inputs as a picture shows; "latent", a generator that takes a latent; "encoder". `keys` are the
    options that the task reads besides those of all tasks.
    """

    perform: Callable[[Job], list[str]]
    needs: frozenset[str]
    keys: frozenset[str]


tasks: Registry[Task] = Registry("task")


def task(
    name: str, needs: Iterable[str], keys: Iterable[str] = ()
) -> Callable[[Callable[[Job], list[str]]], Callable[[Job], list[str]]]:
    """Registers the decorated function as a task."""

    def decorate(perform: Callable[[Job], list[str]]) -> Callable[[Job], list[str]]:
        tasks.register(name)(Task(perform, frozenset(needs), frozenset(keys)))
        return perform

    return decorate


def find_task(name: str) -> Task:
    """Returns a task, whose module is imported if it is built in; ConfigError if unknown."""
    if name in BUILT_IN:
        import_module(f"{package.__name__}.{name}")
    if name not in tasks.entries:
        raise ConfigError(f"task: {unknown('task', name, {*BUILT_IN, *tasks.entries})}")
    found: Task = tasks.entries[name]
    return found
