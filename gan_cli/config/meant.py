"""The setting that a key and a value probably mean, as in ``--data photos`` or ``model dcgan``."""

from collections.abc import Mapping, Set

from gan_cli.config.key_names import SYNONYMS, close_key, key_paths
from gan_cli.config.quoting import typed_word

COMMANDS = ("train", "sample", "fid", "export")
PATH_KEYS = {"train": "dataset.path", "sample": "input", "fid": "real"}
# What programs call their version and help, besides Hydra's --version and --help.
VERSION_WORDS = ("version", "v", "V")
HELP_WORDS = ("help", "?", "usage", "man", "h", "H")

Groups = Mapping[str, Set[str]]


def meant_setting(name: str, value: str, config_name: str, groups: Groups) -> str | None:
    """What to type for a key, which may be misspelt, and its value; None if no key is meant."""
    key = close_key(name, config_name)
    if key in ("dataset", "dataset.path"):
        return data_setting(value, config_name, groups)
    if key == "device" and value not in groups.get("device", ()):  # --gpu 0
        value = "cuda"
    return None if key is None else typed_word(key, value)


def data_setting(value: str, config_name: str, groups: Groups) -> str:
    """What to type for data: a data set by its name, or else a path."""
    if value in groups.get("dataset", ()):
        return typed_word("dataset", value)
    folder = "dataset=folder " if config_name == "train" else ""
    return folder + typed_word(PATH_KEYS[config_name], value)


def is_known(name: str, config_name: str) -> bool:
    """Whether a word is a key of the command, or what other programs call one."""
    name = name.strip("-").replace("-", "_")
    paths = key_paths(config_name)
    leaf = any(path.endswith(f".{name}") for path in paths)
    return leaf or name in paths or name in SYNONYMS.get(config_name, {})


def of_other_command(name: str, config_name: str) -> str | None:
    """Says of a key of another command which one it is; None if it is a key of none."""
    plain = name.lstrip("-+~").replace("-", "_")
    if not plain or is_known(plain, config_name):
        return None
    other = next((c for c in COMMANDS if plain in key_paths(c)), None)
    if other is None:
        return None
    run = " which takes it from the run: type run=NAME" if other == "train" else ""
    return f"is a setting of gan-{other}, not of gan-{config_name}{',' if run else ''}{run}"


def printing_flag(word: str) -> str | None:
    """The flag that prints what a word such as ``help``, ``-v`` or ``/?`` asks for."""
    plain = word.lstrip("-/")
    if plain in VERSION_WORDS:
        return "--version"
    return "--help" if plain in HELP_WORDS else None
