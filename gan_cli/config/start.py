"""The words and choices with which a run was started, so that ``run=NAME`` alone continues it.

They are the entry "start" of run.json. This module does not import torch.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf

from gan_cli.config import flags
from gan_cli.config.arguments import hydra_arguments
from gan_cli.config.job_folders import KEYS as EXCLUDED
from gan_cli.config.override_checks import parsed
from gan_cli.config.quoting import quoted, typed_word
from gan_cli.config.search_path import KEY
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import CONFIGS, user_path
from gan_cli.utils.side_files import read_object

OUTPUTS = Path("outputs")
# Keys of one command, and not of the run that it starts; Hydra's own could run code.
OF_COMMAND = {"run", "check", "allow_changes", "hydra"}


@dataclass(frozen=True)
class Start:
    """The overrides of a run as Hydra gets them, and what was chosen of each group."""

    words: tuple[str, ...] = ()
    choices: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)  # of settings that a preset has chosen

    def entries(self) -> dict[str, Any]:
        """The entries of run.json; the reasons are those of the first start, and stay."""
        start = asdict(self)
        reasons = start.pop("reasons")
        return {"start": start, **({"preset": reasons} if reasons else {})}

    def with_typed(self, typed: Sequence[str]) -> tuple[str, ...]:
        """The words of the run with those of a command on top.

        A key or group that is typed replaces its earlier word. A group with another choice also
        replaces the earlier words for its keys, which the new choice may not have. A mapping, such
        as every={log: 10}, is merged.
        """
        new = [word for word in typed if not self.includes(word)]
        replaced = {key_of(word) for word in new if is_whole(word)}
        kept = (
            word
            for word in self.words
            if not any(f"{key_of(word)}.".startswith(f"{key}.") for key in replaced)
        )
        return (*kept, *new)

    def includes(self, word: str) -> bool:
        """Whether a word changes nothing: it was typed at the start, or chooses the same again."""
        key, _, value = word.partition("=")
        return word in self.words or self.choices.get(key) == value


def key_of(word: str) -> str:
    """The key or group that an override sets or deletes."""
    return word.lstrip("+~").partition("=")[0]


def is_whole(word: str) -> bool:
    """Whether an override replaces or deletes all keys below its own."""
    return word.startswith("~") or not word.partition("=")[2].startswith("{")


def start_of(hydra: Any) -> Start:
    """The start that Hydra's config describes."""
    words: Any = OmegaConf.to_container(hydra.overrides.task)  # interpolations stay as typed
    choices: Any = OmegaConf.to_container(hydra.runtime.choices)
    own = [str(word) for word in words if key_of(word).split(".")[0] not in OF_COMMAND]
    sources = (source for source in hydra.runtime.config_sources if source.schema == "file")
    added = [s.path for s in sources if Path(s.path) != CONFIGS]
    places = ",".join(quoted(f"file://{folder}") for folder in added)
    search = [f"{KEY}=[{places}]"] if places else []
    groups = {str(k): str(v) for k, v in choices.items() if not k.startswith("hydra/")}
    return Start((*own, *search), groups)


def recorded_start(folder: Path) -> Start | None:
    """The start of the run in a folder.

    None if there is no such run, if an earlier version did not record it, or if its words cannot be
    read any more, e.g. because a folder of configs has moved.
    """
    node = (read_object(folder / "run.json") or {}).get("start")
    if not isinstance(node, dict):
        return None
    words, choices = node.get("words"), node.get("choices")
    if not isinstance(words, list) or not isinstance(choices, dict):
        return None
    try:
        hydra_arguments(list(map(str, words)))
    except ConfigError:
        return None
    safe = (str(word) for word in words)
    own = (w for w in safe if key_of(w) == KEY or key_of(w).split(".")[0] not in OF_COMMAND)
    return Start(tuple(own), {str(key): str(value) for key, value in choices.items()})


def continued_arguments(arguments: list[str]) -> list[str]:
    """Hydra's arguments with the words of the run that they name, if there is one."""
    line = flags.split(arguments)
    name = named_run(line.others)
    start = None if name is None or line.sweeps else recorded_start(OUTPUTS / name)
    if start is None:
        return arguments
    given = [word for word in arguments if word not in line.others]
    return [*given, *start.with_typed(line.others)]


def named_run(words: Sequence[str]) -> str | None:
    """The value of run=NAME, if it can name a folder in outputs/."""
    named = [word for word in words if key_of(word) == "run" and "=" in word]
    if not named:
        return None
    try:
        value = parsed(named[-1]).value()
    except HydraException:
        return None
    name = value.text if isinstance(value, QuotedString) else str(value)
    inside = not name.startswith(("/", "~")) and ".." not in Path(name).parts
    return name if inside and name.strip() and "${" not in name else None


def with_run_name(words: list[str]) -> list[str]:
    """A command line with run=NAME in place of ``outputs/NAME`` and ``run=outputs/NAME``."""
    return [run_word(word, words) for word in words]


def run_word(word: str, words: Sequence[str]) -> str:
    """``run=NAME`` for the folder of a run below outputs/; other words as they are."""
    value = word.removeprefix("run=")
    typed = value != word or word in flags.split(list(words)).others
    if not typed or os.sep not in value or not is_run(user_path(value)):
        return word
    return f"run={quoted(run_name(user_path(value)))}"


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run below outputs/, which may have no checkpoint yet."""
    try:
        if OUTPUTS.absolute() not in Path(os.path.abspath(folder)).parents:
            return False
        return (folder / "run.json").is_file() or (folder / "checkpoints").is_dir()
    except (OSError, ValueError):  # too long, or a NUL
        return False


def continuing_command(folder: Path, *words: str) -> str:
    """The command, to be copied into a shell, that continues the run in a folder."""
    if is_job(folder) and flags.split(sys.argv[1:]).sweeps:
        replaced = ("hydra.sweep.dir", EXCLUDED)
        typed = (word for word in sys.argv[1:] if key_of(word) not in replaced)
        sweep = shlex.join(["gan-train", *(word.removeprefix("++") for word in typed)])
        place = typed_word("hydra.sweep.dir", os.path.relpath(folder.parent))
        return " ".join([sweep, place, *words])
    return " ".join(["gan-train", typed_word("run", run_name(folder)), *words])


def is_job(folder: Path) -> bool:
    """Whether the run in a folder is a job of a sweep."""
    return (folder / "job.json").exists()


def run_name(folder: Path) -> str:
    """The name of the run in a folder: its path below outputs/, or else its whole path."""
    path, outputs = Path(os.path.abspath(folder)), OUTPUTS.absolute()
    return str(path.relative_to(outputs) if path.is_relative_to(outputs) else path)
