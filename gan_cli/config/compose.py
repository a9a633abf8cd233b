"""Composes a config outside the commands, as they would compose it from the same words."""

import time
from collections.abc import Sequence
from functools import cache

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict

from gan_cli.config.command_line import group_choices, hydra_arguments
from gan_cli.utils.paths import CONFIGS


def composed(config_name: str, words: Sequence[str]) -> DictConfig:
    """The config `config_name` with the overrides `words`; ConfigError if they cannot be read.

    A training without `run` gets a name made of the time, the model and the loss.
    """
    overrides = hydra_arguments(list(words))
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose(config_name, overrides, return_hydra_config=True)
    OmegaConf.set_struct(config, False)
    with open_dict(config):
        choices = config.pop("hydra").runtime.choices
    named = any(word.lstrip("+").startswith("run=") for word in words)
    if config_name == "train" and not named:
        now = time.strftime("%Y-%m-%d_%H-%M-%S") + f"_{time.time_ns() % 10**9 // 1000:06d}"
        config.run = f"{now}-{choices.model}-{choices.loss}"
    return config


@cache
def group_names(config_name: str) -> frozenset[str]:
    """The config groups that a command chooses from."""
    defaults = OmegaConf.load(CONFIGS / f"{config_name}.yaml").defaults
    chosen = {str(key) for entry in defaults if not isinstance(entry, str) for key in entry}
    return frozenset(group_choices([CONFIGS])) & chosen
