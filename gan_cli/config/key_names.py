"""Proposes the config key that a misspelt, shortened or foreign name probably means."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar

import yaml

from gan_cli.config.registry import conform
from gan_cli.utils.paths import CONFIGS
from gan_cli.utils.text import shown, unknown

T = TypeVar("T")

# Usual names in other programs, by command. The last part of a key, such as lr, needs no entry.
SYNONYMS = {
    "train": {
        **dict.fromkeys(("epochs", "epoch", "iterations", "iters", "max_steps"), "steps"),
        **dict.fromkeys(("learning_rate", "learning-rate"), "optimizer.lr"),
        **dict.fromkeys(("bs", "batch"), "batch_size"),
        **dict.fromkeys(("data", "data_dir", "data_path", "images"), "dataset.path"),
        **dict.fromkeys(("name", "outdir", "output", "output_dir", "resume"), "run"),
        **dict.fromkeys(("gpu", "gpus", "cuda"), "device"),
    },
    "sample": {
        **dict.fromkeys(("n", "num", "number"), "count"),
        **dict.fromkeys(("outdir", "out", "output_dir", "save"), "output"),
        **dict.fromkeys(("class", "classes"), "label"),
        **dict.fromkeys(("gpu", "gpus", "cuda"), "device"),
        "seed": "seeds",
    },
    "fid": {
        **dict.fromkeys(("n", "num", "number"), "count"),
        **dict.fromkeys(("outdir", "out", "output_dir"), "output"),
        **dict.fromkeys(("gpu", "gpus", "cuda"), "device"),
        "seed": "seeds",
    },
    "export": {
        **dict.fromkeys(("formats", "to", "type"), "format"),
        **dict.fromkeys(("outdir", "out", "output_dir"), "output"),
        **dict.fromkeys(("network", "net"), "role"),
        **dict.fromkeys(("hub", "repo", "repo_id"), "push"),
    },
}


def close_key(key: str, config_name: str) -> str | None:
    """The full key of a command's config that `key` probably means; None if there is none."""
    name = key.strip("-").replace("-", "_")
    paths = key_paths(config_name)
    if name in paths:
        return name
    if meant := SYNONYMS.get(config_name, {}).get(name):
        return meant
    same_leaf = [path for path in paths if path.endswith(f".{name}")]
    if same_leaf:
        return min(same_leaf, key=lambda path: path.count("."))
    close = get_close_matches(name, [path for path in paths if "." not in path], n=1)
    return next(iter(close or get_close_matches(name, paths, n=1, cutoff=0.75)), None)


def unknown_key(key: str, known: Iterable[str], config_name: str) -> str:
    """Says that `key` is no key of a command, and which one was probably meant."""
    proposal, plain = close_key(key, config_name), unknown("key", key, known)
    if proposal is None or f"'{proposal}'?" in plain:
        return plain
    return (
        f"unknown key '{shown(key)}'; did you mean '{proposal}'? Known: {', '.join(sorted(known))}"
    )


def refuse_unknown_keys(tree: Any, cls: type, config_name: str, faults: list[str]) -> Any:
    """Returns `tree` without keys that the dataclass lacks; appends an error for each."""
    if not isinstance(tree, Mapping):
        return tree
    names = [field.name for field in fields(cls)]
    strange = [key for key in tree if key not in names]
    for key in map(str, strange):
        faults.append(f"{shown(key)}: {unknown_key(key, names, config_name)}")
    return {key: value for key, value in tree.items() if key not in strange}


def conform_options(cls: type[T], tree: Any, config_name: str, faults: list[str]) -> T:
    """Converts the config of a command to the dataclass of its options.

    Appends what does not fit to `faults`.
    """
    known = refuse_unknown_keys(tree, cls, config_name, faults)
    options: T = conform(cls, known, "", faults)
    return options


@cache
def key_paths(config_name: str) -> tuple[str, ...]:
    """The keys of a command's config and of all choices of its groups, by their full path."""
    primary = yaml.safe_load((CONFIGS / f"{config_name}.yaml").read_text("utf-8"))
    groups = [key for entry in primary.pop("defaults") if isinstance(entry, dict) for key in entry]
    primary.pop("hydra", None)
    paths = dict.fromkeys([*leaves(primary), *(group for group in groups if " " not in group)])
    for group in groups:
        for file in sorted((CONFIGS / group).glob("*.yaml")):
            if group == "experiment":  # recipes have no keys of their own
                continue
            paths |= dict.fromkeys(leaves(yaml.safe_load(file.read_text("utf-8")), f"{group}."))
    return tuple(path for path in paths if "@" not in path and not path.endswith("defaults"))


def leaves(tree: Any, prefix: str = "") -> Iterator[str]:
    """The paths of all keys of nested mappings."""
    for key, value in tree.items() if isinstance(tree, dict) else ():
        yield f"{prefix}{key}"
        yield from leaves(value, f"{prefix}{key}.")
