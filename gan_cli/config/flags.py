"""The flags of a command line: those of Hydra, checked before Hydra sees them."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from gan_cli.config.quoting import shown
from gan_cli.utils.paths import user_path

INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


@dataclass(frozen=True)
class Flag:
    """A flag of Hydra: its long and short form, and what follows it."""

    name: str
    short: str = ""
    value: Literal["none", "required", "optional"] = "none"
    choices: tuple[str, ...] = ()
    is_mode: bool = False  # only one of these may be given


FLAGS = (
    Flag("--help", "-h"),
    Flag("--hydra-help"),
    Flag("--version"),
    Flag("--cfg", "-c", "required", ("job", "hydra", "all"), is_mode=True),
    Flag("--resolve"),
    Flag("--package", "-p", "required"),
    Flag("--run", "-r", is_mode=True),
    Flag("--multirun", "-m", is_mode=True),
    Flag("--shell-completion", "-sc", is_mode=True),
    Flag("--config-path", "-cp", "required"),
    Flag("--config-name", "-cn", "required"),
    Flag("--config-dir", "-cd", "required"),
    Flag("--info", "-i", "optional", INFO, is_mode=True),
)
BY_NAME = {name: flag for flag in FLAGS for name in (flag.name, flag.short) if name}
FOLDERS = ("--config-dir", "--config-path")


@dataclass(frozen=True)
class Words:
    """A command line: its flags by name, with their values, and all other words."""

    flags: tuple[tuple[str, str | None], ...]
    others: tuple[str, ...]
    following: tuple[tuple[str, str], ...] = ()  # the bare word after each unknown flag and --run

    def has(self, name: str) -> bool:
        return any(flag == name for flag, _ in self.flags)

    def values(self, name: str) -> list[str]:
        return [value or "" for flag, value in self.flags if flag == name]

    @property
    def sweeps(self) -> bool:
        """Whether several values of a key are several jobs."""
        modes = (word.lstrip("+").upper() for word in self.others)
        return self.has("--multirun") or any(word == "HYDRA.MODE=MULTIRUN" for word in modes)


def split(words: list[str]) -> Words:
    """Separates flags from other words; unknown flags are kept, for `flag_errors`."""
    flags: list[tuple[str, str | None]] = []
    others: list[str] = []
    after: list[tuple[str, str]] = []
    rest = iter(enumerate(words))
    for i, word in rest:
        if not word.startswith("-") or word.strip("-") == "":
            others.append(word)
            continue
        name, equals, value = word.partition("=")
        flag = BY_NAME.get(name)
        following = words[i + 1] if i + 1 < len(words) else ""
        if flag and flag.value != "none" and not equals and takes(flag, following):
            flags.append((flag.name, following))
            next(rest)
        else:
            flags.append((flag.name if flag else name, value if equals else None))
            if (flag is None or word == "--run") and not equals and is_bare(following):
                after.append((name, following))
    return Words(tuple(flags), tuple(others), tuple(after))


def is_bare(word: str) -> bool:
    """Whether a word is neither a flag nor key=value nor ~key."""
    return bool(word) and "=" not in word and not word.startswith(("~", "-"))


def takes(flag: Flag, following: str) -> bool:
    """Whether the word after a flag is its value."""
    if flag.choices:
        return following in flag.choices
    return bool(following) and not following.startswith("-")


def flag_errors(words: Words) -> Iterator[str]:
    """Yields what is wrong with the known flags."""
    modes = [name for name, _ in words.flags if name in BY_NAME and BY_NAME[name].is_mode]
    if len(set(modes)) > 1:
        yield f"{modes[0]}: excludes {modes[1]}; type one of the two"
    if words.has("--resolve") and not words.has("--cfg"):
        yield "--resolve: goes with --cfg; type --cfg job --resolve"
    for name, value in words.flags:
        flag = BY_NAME.get(name)
        if flag is None:
            continue
        example = f"{name} {flag.choices[0] if flag.choices else 'VALUE'}"
        if flag.value == "none" and value is not None and name != "--run":  # run=NAME is meant
            yield f"{name}: takes no value, got '{shown(value)}'; type {name}"
        elif flag.value == "required" and not value:
            yield f"{name}: has no value; type {example}"
        elif value and flag.choices and value not in flag.choices:
            yield f"{name}: is one of {', '.join(flag.choices)}, got '{shown(value)}'"
        elif name in FOLDERS and value and not value.startswith("pkg://"):
            yield from folder_errors(name, value)


def folder_errors(name: str, value: str) -> Iterator[str]:
    """Yields the error of a folder of configs that does not exist."""
    try:
        is_folder = user_path(value).is_dir()
    except (OSError, ValueError):  # too long, or a NUL
        is_folder = False
    if not is_folder:
        yield f"{name}: no folder {shown(value)}; type {name} FOLDER, a folder with config groups"


def close_flag(name: str) -> str | None:
    """The flag that a misspelt one probably means."""
    if name.startswith("--") and len(name) > 4:
        begins = [flag.name for flag in FLAGS if flag.name.startswith(name)]
        if len(begins) == 1:
            return begins[0]
    close = get_close_matches(name, [flag.name for flag in FLAGS], n=1, cutoff=0.75)
    return close[0] if close else None


def typed_flags(words: Words) -> list[str]:
    """The flags in the form that Hydra reads, each one word; folders become absolute."""
    typed = []
    for name, value in words.flags:
        if value is not None and name in FOLDERS and not value.startswith("pkg://"):
            value = str(user_path(value).absolute())
        if value is None and name == "--info":
            value = "all"
        typed.append(name if value is None else f"{name}={value}")
    return typed


def flag_folder(value: str) -> Path:
    """The folder that --config-dir or --config-path names."""
    return user_path(value).absolute()
