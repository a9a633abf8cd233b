"""Composes a config outside the commands, as they would compose it from the same words."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from gan_cli.config.command_line import (
    config_folders,
    group_choices,
    hydra_arguments,
    is_override,
)
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import CONFIGS


def composed(config_name: str, words: Sequence[str]) -> DictConfig:
    """The config `config_name` with the overrides `words`; ConfigError if they cannot be read.

    Of the flags of a command line, ``--config-dir`` is understood. A training without `run` gets a
    name made of the time, the model and the loss.
    """
    refuse_flags(words)
    overrides = [*filter(is_override, hydra_arguments(list(words))), *search_path(words)]
    try:
        with hydra_set_aside(), initialize_config_dir(str(CONFIGS), version_base="1.3"):
            config = compose(config_name, overrides, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(str(error).splitlines()[0]) from None
    OmegaConf.set_struct(config, False)
    with open_dict(config):
        choices = config.pop("hydra").runtime.choices
    named = any(word.lstrip("+").startswith("run=") for word in words)
    if config_name == "train" and not named:
        now = time.strftime("%Y-%m-%d_%H-%M-%S") + f"_{time.time_ns() % 10**9 // 1000:06d}"
        config.run = f"{now}-{choices.model}-{choices.loss}"
    return config


@contextmanager
def hydra_set_aside() -> Iterator[None]:
    """Keeps the state of a Hydra application that calls this from its task."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = outer


def refuse_flags(words: Sequence[str]) -> None:
    """ConfigError for words that are neither overrides nor --config-dir and its folder."""
    folders = {str(folder) for folder in config_folders(list(words))[1:]}
    faults = [
        f"'{word}' is no override; expected key=value"
        for word in words
        if not is_override(word)
        and word.partition("=")[0] not in ("--config-dir", "-cd")
        and word not in folders
    ]
    if faults:
        raise ConfigError(*faults)


def search_path(words: Sequence[str]) -> list[str]:
    """The folders of --config-dir as an override; ConfigError if one is missing."""
    folders = config_folders(list(words))[1:]
    missing = [f"--config-dir: no folder {folder}" for folder in folders if not folder.is_dir()]
    if missing:
        raise ConfigError(*missing)
    places = ",".join(f"'file://{folder.resolve()}'" for folder in folders)
    return [f"hydra.searchpath=[{places}]"] if folders else []


@cache
def group_names(config_name: str) -> frozenset[str]:
    """The config groups that a command chooses from."""
    defaults = OmegaConf.load(CONFIGS / f"{config_name}.yaml").defaults
    chosen = {str(key) for entry in defaults if not isinstance(entry, str) for key in entry}
    return frozenset(group_choices([CONFIGS])) & chosen
