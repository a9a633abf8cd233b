"""The commands that pages show: found in fenced blocks, composed and checked in this process."""

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from gan_cli.config.command_line import hydra_arguments, is_override
from gan_cli.config.registry import keys_of
from gan_cli.data.sets import datasets
from gan_cli.deployment import options as deployment
from gan_cli.evaluation import options as evaluation
from gan_cli.fid import full
from gan_cli.metrics.settings import parse_metrics
from gan_cli.sampling import options as sampling
from gan_cli.utils.errors import ConfigError, UserError
from gan_cli.utils.lists import as_list
from gan_cli.utils.paths import CONFIGS
from gan_cli.validation.validate import import_modules, validate

FENCE = re.compile(r"^ *```(\w*) *$")
FILES = {  # keys that name files, and what is named instead, with the suffix that was typed
    **dict.fromkeys(("input", "real", "fake"), "photos"),
    **dict.fromkeys(("save", "output"), "new"),
    "checkpoint": "photos.pt",
}
PRINTS = {"--help", "--hydra-help", "--shell-completion", "-sc"}
PLUGINS = ("hydra/launcher", "hydra/sweeper", "hydra.launcher.", "hydra.sweeper.")


@dataclass(frozen=True)
class Command:
    """A command of a page, with what is needed to find it there."""

    page: str
    line: int
    words: tuple[str, ...]  # without the name of the command
    name: str  # gan-train, gan-sample, gan-fid or gan-export

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(text: str) -> Iterator[tuple[str, int, list[str]]]:
    """(language, number of the first line, lines) of each fenced block."""
    language, start, lines = None, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if fence and language is None:
            language, start, lines = fence[1], number + 1, []
        elif fence and language is not None:
            yield language, start, lines
            language = None
        else:
            lines.append(line)


def commands(page: str, text: str) -> Iterator[Command]:
    """The gan-* commands of the blocks marked sh; a backslash continues a line."""
    for language, start, lines in blocks(text):
        begun, first = "", 0
        for number, line in enumerate(lines if language == "sh" else (), start):
            begun, first = begun + line, first if begun else number
            if begun.endswith("\\"):
                begun = begun[:-1]
                continue
            try:
                name, *words = shlex.split(begun, comments=True) or [""]
            except ValueError as error:
                raise ValueError(f"{page}:{first}: {error}") from None
            if name in CHECKS:
                yield Command(page, first, tuple(words), name)
            begun = ""


def error_of(command: Command) -> str | None:
    """What is wrong with a command, with its page and line."""
    error = fault_of(command.name, command.words)
    return error and f"{command}: {error}"


@cache  # pages repeat commands
def fault_of(name: str, words: tuple[str, ...]) -> str | None:
    try:
        CHECKS[name](words)
    except (UserError, HydraException) as error:
        return str(error)
    return None


def check_train(words: tuple[str, ...]) -> None:
    """Every value of a sweep once: all combinations would repeat the same checks."""
    flags = [word for word in words if not is_override(word)]
    if PRINTS & set(flags):
        return
    overrides = [substituted(word) for word in words if is_override(word)]
    sweep = {"-m", "--multirun"} & set(flags)
    for job in jobs(overrides) if sweep else [overrides]:
        validate(requested("train", ["run=test", *flags, *job]), lambda run: Path("outputs") / run)


def requested(command: str, words: list[str]) -> DictConfig:
    """The config that Hydra composes for a command line."""
    overrides = [word for word in hydra_arguments(words) if is_override(word)]
    for flag, folder in pairwise(words):
        if flag == "--config-dir":
            overrides.append(f"hydra.searchpath=[file://{Path(folder).resolve()}]")
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose(command, overrides)
    OmegaConf.set_struct(config, False)
    config.pop("hydra", None)
    return config


def jobs(words: list[str]) -> Iterator[list[str]]:
    """The first job of a sweep, and one for each other value."""
    choices = [values(word) for word in words if not word.startswith(PLUGINS)]
    first = [found[0] for found in choices]
    yield first
    for place, found in enumerate(choices):
        for value in found[1:]:
            yield [*first[:place], value, *first[place + 1 :]]


def values(word: str) -> list[str]:
    override = OverridesParser.create().parse_override(word)
    if not override.is_sweep_override():
        return [word]
    if isinstance(override.value(), IntervalSweep):
        return [f"{override.get_key_element()}={override.value().start}"]
    swept = list(override.sweep_string_iterator())
    if all(re.fullmatch(r"[\d.e+-]+", value) for value in swept):  # numbers are checked alike
        swept = [swept[0], swept[-1]]
    return [f"{override.get_key_element()}={value}" for value in swept]


def substituted(word: str) -> str:
    """The word with a run that exists in place of the one that it borrows networks from."""
    return re.sub(r"^(\+*(?:model\.)?pretrained(?:\.\w+)?)=.*", r"\1=tiny", word)


def check_sample(words: tuple[str, ...]) -> None:
    tree = plain(requested("sample", [as_list(with_files(word)) for word in words]))
    check_dataset(sampling.checked_options(tree).dataset)


def check_fid(words: tuple[str, ...]) -> None:
    if words[:1] == ("compare",):
        if len(words) == 1:
            raise ConfigError("compare: names no card")
        return
    tree = plain(requested("fid", [full(with_files(word)) for word in words]))
    check_dataset(evaluation.checked_options(tree).dataset)
    faults: list[str] = []
    parse_metrics({**tree["metrics"], "count": 1000}, "metrics", faults)
    if faults:
        raise ConfigError(*faults)


def check_export(words: tuple[str, ...]) -> None:
    deployment.checked_options(plain(requested("export", [as_list(with_files(w)) for w in words])))


def plain(config: DictConfig) -> Any:
    import_modules(config.imports)
    return OmegaConf.to_container(config, resolve=True)


def with_files(word: str) -> str:
    """The word with a file that is there in place of one to read, and a new one to write."""
    key, _, value = word.partition("=")
    if key not in FILES:
        return word
    file = Path(FILES[key])
    return f"{key}={file.with_suffix(Path(value).suffix or file.suffix)}"


def check_dataset(node: dict[str, Any] | None) -> None:
    if node is not None and "name" in node:
        datasets.check(node, "dataset")
    elif node is not None:  # changes the data set of the run, whichever it is
        known = {key for dataset in datasets.entries.values() for key in keys_of(dataset)}
        unknown = node.keys() - known
        if unknown:
            raise ConfigError(f"dataset: unknown keys {sorted(unknown)}")


CHECKS: dict[str, Callable[[tuple[str, ...]], None]] = {
    "gan-train": check_train,
    "gan-sample": check_sample,
    "gan-fid": check_fid,
    "gan-export": check_export,
}
