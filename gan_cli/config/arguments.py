"""Converts the words of a command line to those that are passed to Hydra."""

from collections.abc import Iterator

from hydra.errors import HydraException

from gan_cli.config import flags, job_folders
from gan_cli.config.bare_words import (
    bare_word_errors,
    is_bare,
    spaced_errors,
    unknown_flag_errors,
)
from gan_cli.config.completion import completion_errors
from gan_cli.config.meant import of_other_command
from gan_cli.config.override_checks import override_errors, parsed, split_braces
from gan_cli.config.quoting import is_text_key, quoted, shown
from gan_cli.config.search_path import config_folders, group_choices, home_expanded, search_errors
from gan_cli.utils.errors import ConfigError

# Configs of ours in place of those of the plugins, which have other defaults. Hydra does not allow
# a file with the name of a plugin's config.
READY_CONFIGS = {
    "hydra/launcher=joblib": "hydra/launcher=joblib_jobs",
    "hydra/launcher=ray": "hydra/launcher=ray_gpus",
    "hydra/sweeper=optuna": "hydra/sweeper=optuna_study",
}


def hydra_arguments(words: list[str], config_name: str = "train") -> list[str]:
    """The command line in the form that is passed to Hydra.

    Flags come first, since argparse needs all overrides in one block. A plain ``key=value`` becomes
    ``++key=value``: Hydra would stop at the first unknown key, while validate() lists all of them
    with the names that were probably meant. Group choices are checked here, before the config is
    composed.
    """
    line = flags.split(words)
    if line.has("--shell-completion"):
        if wrong := completion_errors(line, config_name):
            raise ConfigError(*wrong)
        return words
    groups = group_choices(config_folders(line))
    faults = [
        *flags.flag_errors(line),
        *search_errors(line),
        *unknown_flag_errors(line, config_name, groups),
    ]
    unknown_flags = any(name not in flags.BY_NAME for name, _ in line.flags)
    spaced, others = spaced_errors(line.others)
    bare = [word for word in others if is_bare(word)]
    overrides = [as_text(home_expanded(word)) for word in others if not is_bare(word)]
    taken = {word for _, word in line.following}  # values of unknown flags
    faults += bare_word_errors([word for word in bare if word not in taken], config_name, groups)
    faults += spaced
    braces, overrides = split_braces(overrides)
    faults += braces
    faults += foreign_group_errors(overrides, config_name, groups)
    sweeps = line.sweeps or unknown_flags  # one of which may be a misspelt -m
    faults += [f for word in overrides for f in override_errors(word, groups, sweeps)]
    if faults:
        raise ConfigError(*faults)
    if line.sweeps:
        overrides += job_folders.constant_keys(overrides)
    overrides = [part for word in overrides for part in expand_metrics(word)]
    overrides = [READY_CONFIGS.get(word, word) for word in overrides]
    return [*flags.typed_flags(line), *(forced(word, groups) for word in overrides)]


def foreign_group_errors(
    overrides: list[str], config_name: str, groups: dict[str, set[str]]
) -> Iterator[str]:
    """Yields an error for each choice from a group that another command has, not this one."""
    for word in overrides:
        key = word.partition("=")[0]
        if key in groups and (other := of_other_command(key, config_name)):
            yield f"{shown(word)}: {other}"


def is_override(word: str) -> bool:
    """Whether `word` is ``key=value`` or ``~key`` rather than a flag."""
    return not word.startswith("-") and not is_bare(word)


def refuse_run_of_sweep(words: list[str]) -> None:
    """Raises ConfigError for run=NAME in a sweep, whose jobs have folders of their own."""
    named = [word for word in words if word.lstrip("+").startswith("run=")]
    if named and flags.split(words).sweeps:
        raise ConfigError(
            f"{shown(named[0])}: a sweep names the folders of its jobs itself; leave run out, or "
            f"type hydra.sweep.dir=outputs/{shown(named[0].partition('=')[2])} for the folder of "
            "the sweep"
        )


def as_text(word: str) -> str:
    """``run=2024_01_05`` with its value quoted, since Hydra would read it as the number 20240105.

    Only the values of names and paths are quoted. Those that are quoted, listed or interpolated
    stay, unless Hydra cannot read them, as in ``dataset.path=photos (1)``.
    """
    key, _, value = word.partition("=")
    if not is_text_key(key) or value in ("", "null") or set(value) & set("\"'\\"):
        return word
    if set(value) & set("[]{}()$,"):
        try:
            parsed(word)
            return word
        except HydraException:
            return word if value[0] in "[{" else f"{key}={quoted(value)}"
    return f"{key}='{value}'"


def expand_metrics(word: str) -> list[str]:
    """``metrics.compute=[fd,kd]`` with the mapping {fd: {}, kd: {}} in place of the list.

    The mapping of the config is deleted first: Hydra would merge the two. In a sweep this applies
    to each list. Other words are returned unchanged.
    """
    override = parsed(word)
    if override.key_or_group != "metrics.compute" or override.is_delete():
        return [word]
    if not override.is_sweep_override():
        mapping = metrics_mapping(word.partition("=")[2])
        return [word] if mapping is None else ["~metrics.compute", f"metrics.compute={mapping}"]
    choices = [c if c[:1] in "[{" else f"[{c}]" for c in override.sweep_string_iterator()]
    mappings = [metrics_mapping(choice) or choice for choice in choices]
    return ["~metrics.compute", f"metrics.compute={','.join(mappings)}"]


def metrics_mapping(value: str) -> str | None:
    """A list of metrics as a mapping in Hydra's syntax; None for other values."""
    names = parsed(f"metrics.compute={value}").value()
    if not isinstance(names, list) or not all(is_plain(name) for name in names):
        return None
    return "{" + ",".join(f"{name}: {{}}" for name in names) + "}"


def is_plain(name: object) -> bool:
    """Whether a name needs no quotes in Hydra's syntax."""
    return isinstance(name, str) and name.isidentifier()


def forced(word: str, groups: dict[str, set[str]]) -> str:
    """``key=value`` as ``++key=value``, unless it chooses from a group or configures Hydra."""
    key = word.partition("=")[0]
    special = key[0] in "+~" or key.split("@")[0] in groups or key.split(".")[0].startswith("hydra")
    return word if special else f"++{word}"
