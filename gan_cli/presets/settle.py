"""What ``preset=auto`` does: looks at the data and the device, and settles what is not typed."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_cli.config.schema import Config
from gan_cli.config.start import Start, key_of
from gan_cli.data.files.download import NotHereError, without_downloads
from gan_cli.presets import rules
from gan_cli.presets.facts import Facts, Machine, facts_of, file_sizes, machine_of
from gan_cli.presets.levels import LEVELS, Level
from gan_cli.presets.measure import fit_of, quiet, speed_of, trial_of
from gan_cli.presets.plan import Plan
from gan_cli.presets.table import announce_settings
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.continuing import own_settings
from gan_cli.validation.validate import validate

FolderOf = Callable[[str], Path]


def settled(composed: DictConfig, start: Start, folder_of: FolderOf) -> tuple[DictConfig, Start]:
    """The config and the start of a command with what its preset chooses.

    A run that exists keeps what was chosen at its start: these words are recorded.
    """
    name = str(composed.get("preset"))
    folder = folder_of(str(composed.get("run")))
    own = own_settings(folder)
    if own is not None:
        refuse_other_preset(own, name, folder)
    if own is not None or name not in LEVELS:  # other names are refused by validate()
        return composed, start
    refuse(start)
    plan = Plan(composed, start)
    try:
        with without_downloads() if composed.get("check") else nullcontext():
            settle(plan, LEVELS[name], folder_of)
    except NotHereError as missing:
        raise ConfigError(
            f"preset: looks at the data, and {missing}; leave check out to download them"
        ) from None
    config, settled_start = plan.applied()
    announce_settings(plan, str(composed.get("log")))
    return named(config, composed, start, settled_start), settled_start


def refuse_other_preset(own: dict[str, Any], name: str, folder: Path) -> None:
    """ConfigError if a run was started with another preset."""
    before = str(own.get("preset", "none"))
    if before != name:
        raise ConfigError(
            f"preset: {folder} was started with preset={before}, and keeps its settings; take "
            f"another run=NAME for preset={name}, or leave preset out"
        )


def refuse(start: Start) -> None:
    """ConfigError for what does not go together with a preset."""
    if any(key_of(word) == "experiment" for word in start.words):
        raise ConfigError(
            "preset: a recipe (experiment=NAME) chooses the same settings; leave one of them out"
        )
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise ConfigError(
            "preset: one process measures what fits; type the command once without torchrun and "
            "with check=true, and then the settings that it prints"
        )


def settle(plan: Plan, level: Level, folder_of: FolderOf) -> None:
    """Chooses all settings, each after those that it depends on."""
    machine = machine_of(str(plan.value("device.accelerator")))
    check_words(plan, level, machine, folder_of)
    sizes = file_sizes(options_of(plan))
    if sizes:
        rules.choose_size(plan, level, sizes, machine.is_gpu)
    facts = facts_of(options_of(plan), machine)
    choose_all(plan, level, facts)
    config = validate(plan.applied()[0], folder_of)
    if level.steps is None:
        with quiet():
            measure(plan, level, facts, config, folder_of)


def check_words(plan: Plan, level: Level, machine: Machine, folder_of: FolderOf) -> None:
    """Reports everything that is wrong with the typed words before the data are opened."""
    assumed = Plan(plan.composed, plan.start)
    choose_all(assumed, level, Facts(machine, 64, 64, rules.MANY, labelled=False))
    validate(assumed.applied()[0], folder_of)


def choose_all(plan: Plan, level: Level, facts: Facts) -> None:
    """All settings that need no measurement; those that do, as if each image was shown once."""
    rules.choose_device(plan, facts.machine)
    rules.choose_networks(plan, level, facts)
    rules.choose_batch(plan, level, facts)
    rules.choose_gamma(plan, facts)
    rules.choose_augment(plan, facts, facts.count)
    rules.choose_lengths(plan, level, facts, 0.0)


def measure(plan: Plan, level: Level, facts: Facts, config: Config, folder_of: FolderOf) -> None:
    """Fits the batch into the memory, augmentation and steps to the time that a step takes."""
    folder = folder_of(config.run)
    with trial_of(config, folder) as trial:
        fit = fit_of(trial, config.batch_size)
    if not plan.typed("accumulate"):
        plan.choose("batch_size", fit.batch, fit.reason)
        if fit.parts > 1 and fit.batch == plan.value("batch_size"):
            plan.choose("accumulate", fit.parts, "parts of a batch, one after the other")
        rules.choose_gamma(plan, facts)
    speed = speed_of(validate(plan.applied()[0], folder_of), folder)
    rules.choose_augment(plan, facts, rules.images_shown(plan, level, facts, speed))
    if "augment" in plan.chosen and plan.chosen["augment"].value != "none":
        speed = speed_of(validate(plan.applied()[0], folder_of), folder)
    rules.choose_lengths(plan, level, facts, speed)


def options_of(plan: Plan) -> dict[str, Any]:
    """The options of the data set so far."""
    node = plan.applied()[0].dataset if plan.chosen else plan.composed.dataset
    options: Any = OmegaConf.to_container(node, resolve=True)
    return {str(key): value for key, value in options.items()}


def named(config: DictConfig, composed: DictConfig, start: Start, now: Start) -> DictConfig:
    """The config with the chosen model and loss in a name that the command made itself."""
    old, new = (f"-{s.choices.get('model')}-{s.choices.get('loss')}" for s in (start, now))
    run = str(composed.run)
    if run[:4].isdigit() and run.count("_") >= 2 and run.endswith(old):
        config.run = run.removesuffix(old) + new
    return config
