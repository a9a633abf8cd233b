"""Composes a config outside the commands, as they would compose it from the same words."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict

from gan_cli.config import flags
from gan_cli.config.command_line import hydra_arguments, is_override
from gan_cli.config.hydra_errors import as_config_error
from gan_cli.config.search_path import KEY, group_choices, search_path_override
from gan_cli.config.start import Start, continued_arguments, start_of
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import CONFIGS


def composed(config_name: str, words: Sequence[str]) -> DictConfig:
    """The config `config_name` with the overrides `words`; ConfigError if they cannot be read.

    Of the flags of a command line, ``--config-dir`` is understood. A training without `run` gets a
    name made of the time, the model and the loss.
    """
    return composed_with_start(config_name, words)[0]


def composed_with_start(config_name: str, words: Sequence[str]) -> tuple[DictConfig, Start]:
    """The config, and the words and choices that it is made of.

    Words that name a run which exists are added to those with which it was started.
    """
    refuse_flags(flags.split(list(words)))
    arguments = hydra_arguments(list(words), config_name)
    if config_name == "train":
        arguments = continued_arguments(arguments)
    line = flags.split(arguments)
    overrides = [
        word
        for word in arguments
        if is_override(word) and not word.lstrip("+").startswith(f"{KEY}=")
    ]
    try:
        with hydra_set_aside(), initialize_config_dir(str(CONFIGS), version_base="1.3"):
            config = compose(
                config_name, [*overrides, *search_path_override(line)], return_hydra_config=True
            )
    except Exception as error:  # of any kind: the words of a user are at fault
        raise as_config_error(error) from None
    OmegaConf.set_struct(config, False)
    with open_dict(config):
        start = start_of(config.hydra)
        choices = config.pop("hydra").runtime.choices
    named = any(word.lstrip("+").startswith("run=") for word in words)
    if config_name == "train" and not named:
        now = time.strftime("%Y-%m-%d_%H-%M-%S") + f"_{time.time_ns() % 10**9 // 1000:06d}"
        config.run = "-".join([now, *(str(choices[g]) for g in ("model", "loss") if g in choices)])
    return config, start


@contextmanager
def hydra_set_aside() -> Iterator[None]:
    """Keeps the state of a Hydra application that calls this from its task."""
    outer = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = outer


def refuse_flags(line: flags.Words) -> None:
    """ConfigError for flags other than --config-dir, which only the commands understand."""
    faults = [
        f"'{name}' is no override; expected key=value"
        for name, _ in line.flags
        if name != "--config-dir"
    ]
    if faults:
        raise ConfigError(*faults)


@cache
def group_names(config_name: str) -> frozenset[str]:
    """The config groups that a command chooses from."""
    defaults = OmegaConf.load(CONFIGS / f"{config_name}.yaml").defaults
    chosen = {str(key) for entry in defaults if not isinstance(entry, str) for key in entry}
    return frozenset(group_choices([CONFIGS])) & chosen
