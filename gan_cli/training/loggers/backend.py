"""The interface of loggers, and their registry."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import yaml

from gan_cli.checkpoints.changes import flat
from gan_cli.config.registry import Registry

Options = dict[str, Any]


@dataclass(frozen=True)
class LoggedRun:
    """What loggers know of a run before its first step."""

    folder: Path
    config: Options  # the whole config, as plain containers
    resumed_at: int = 0  # step; 0: the run starts

    @property
    def name(self) -> str:
        """The path of the run below outputs/, else the name of its folder."""
        folder, outputs = self.folder.absolute(), Path("outputs").absolute()
        below = folder.is_relative_to(outputs)
        return folder.relative_to(outputs).as_posix() if below else folder.name

    @cached_property
    def settings(self) -> dict[str, bool | int | float | str]:
        """All settings by dotted key; what is no number and no text is written as YAML."""
        return {key: plain_value(value) for key, value in flat(self.config)}

    @property
    def config_text(self) -> str:
        """The config as YAML."""
        return yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True)


@dataclass(frozen=True)
class Picture:
    """A picture of samples or data."""

    step: int
    name: str
    path: Path  # of its PNG file
    pixels: np.ndarray  # (height, width, C) uint8


@dataclass(frozen=True)
class Recording:
    """Sounds of samples or data, one after another."""

    step: int
    name: str
    path: Path  # of a WAV file


@dataclass(frozen=True)
class Writing:
    """Samples or data that are text, one a line."""

    step: int
    name: str
    path: Path  # of a text file
    text: str


@dataclass(frozen=True)
class Card:
    """A metric card of an evaluation."""

    step: int
    name: str  # last or best
    path: Path  # of its JSON file
    content: Options


class Backend:
    """A logger; all methods but `scalars` may be left out.

    The keyword-only parameters of the constructor, behind the run, are its options. It may raise
    whatever it likes: the logger is then off, and the training continues.
    """

    modules: ClassVar[tuple[str, ...]] = ()  # modules that it needs
    install: ClassVar[str] = ""  # what to pip install if they are missing

    @classmethod
    def option_errors(cls, options: Options) -> Iterator[str]:  # noqa: ARG003
        """Yields "key: what is wrong" for options that cannot work, before anything is read."""
        yield from ()

    @classmethod
    def hint(cls, folder: Path) -> str:  # noqa: ARG003
        """The command that shows what was logged, for the last line of a training; "" for none."""
        return ""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Logs numbers. A step may come in several calls, but never after a later one.

        After a rollback, steps are repeated.
        """
        raise NotImplementedError

    def picture(self, picture: Picture) -> None:
        """Logs a picture of samples."""

    def recording(self, recording: Recording) -> None:
        """Logs the sounds of a picture of samples."""

    def writing(self, writing: Writing) -> None:
        """Logs the texts of a picture of samples."""

    def text(self, step: int, name: str, text: str) -> None:
        """Logs a text, such as a finding of health."""

    def card(self, card: Card) -> None:
        """Logs a metric card."""

    def close(self, finished: bool) -> None:
        """Writes what is left; `finished` is whether the run has reached its last step."""


loggers: Registry[Backend] = Registry("logger")


def missing(backend: type[Backend]) -> list[str]:
    """The modules that a logger needs and that are not installed."""
    return [name for name in backend.modules if not installed(name)]


def installed(name: str) -> bool:
    """Whether a module can be imported; a folder of that name, as wandb makes, is none."""
    spec = find_spec(name)
    return spec is not None and spec.origin is not None


def plain_value(value: Any) -> bool | int | float | str:
    """A setting as the tables of loggers hold it."""
    if isinstance(value, bool | int | float | str):
        return value
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()
