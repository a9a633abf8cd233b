"""The config of a command, or of the run that it continues with that run's own settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_cli.checkpoints.choice import newest
from gan_cli.checkpoints.contents import plain
from gan_cli.config.compose import composed as compose
from gan_cli.config.schema import Config
from gan_cli.config.start import Start, key_of, recorded_start
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.side_files import read_object
from gan_cli.validation.validate import validate

Tree = dict[str, Any]
COMMAND_KEYS = ("run", "check", "allow_changes")


@dataclass(frozen=True)
class Job:
    """What a command trains."""

    config: Config
    start: Start | None = None  # to be recorded
    own: Tree | None = None  # settings of the run that is continued, None for a new one


def job_of(composed: DictConfig, start: Start, folder_of: Callable[[str], Path]) -> Job:
    """The job of a composed config; ConfigError with everything that is wrong.

    A run that exists keeps its own settings; what the words of the command change is put on top.
    """
    folder = folder_of(str(composed.get("run")))
    own, before = own_settings(folder), recorded_start(folder)
    if own is None:
        return Job(validate(composed, folder_of), start)
    if before is None:
        return job_without_words(composed, start, own, folder_of)
    words = before.with_typed(start.words)
    if set(words) != set(start.words):  # in a sweep, where words are not continued by the command
        composed, start = recomposed(composed, words), Start(words, start.choices)
    config = validate(composed, folder_of)
    if set(words) == set(before.words):
        base = plain(config)
    else:
        base = plain(validate(recomposed(composed, before.words), folder_of))
    return on_top(own, base, config, start, folder_of)


def on_top(
    own: Tree, base: Tree, config: Config, start: Start, folder_of: Callable[[str], Path]
) -> Job:
    """The settings `own` with the changes from `base` to `config`, and with keys that are new."""
    new = plain(config)
    current = {**overlaid(own, base, base), **{key: new[key] for key in COMMAND_KEYS}}
    changed = {**overlaid(own, base, new), **{key: new[key] for key in COMMAND_KEYS}}
    if changed != new:
        config = validate(changed, folder_of)
    return Job(config, start, current)


def job_without_words(
    composed: DictConfig, start: Start, own: Tree, folder_of: Callable[[str], Path]
) -> Job:
    """The job of a run whose words are not known.

    Keys and groups that are typed replace those of the run. What a recipe sets is not known, so
    with one, the command has to be typed as it was at the start.
    """
    if any(key_of(word) == "experiment" or word.startswith("~") for word in start.words):
        return Job(validate(composed, folder_of), start, own)
    tree: Any = OmegaConf.create(own)
    given: Any = OmegaConf.create(OmegaConf.to_container(composed, resolve=False))
    for key in (*map(key_of, start.words), *COMMAND_KEYS):
        value = OmegaConf.select(given, key)
        OmegaConf.update(tree, key, value, merge=False, force_add=True)
    try:
        config = validate(tree, folder_of)
    except ConfigError:  # in keys of an earlier version, or groups that do not go together
        return Job(validate(composed, folder_of), start, own)
    return Job(config, None, {**plain(config), **own})


def own_settings(folder: Path) -> Tree | None:
    """The config of the run in a folder, as its last start recorded it; None for a new run."""
    stored = (read_object(folder / "run.json") or {}).get("config")
    if isinstance(stored, dict) and isinstance(stored.get("model"), dict):
        return stored
    found = newest(folder)
    return None if found is None else found.config


def recomposed(composed: DictConfig, words: tuple[str, ...]) -> DictConfig:
    """The config of other words for the same run."""
    config = compose("train", words)
    for key in COMMAND_KEYS:
        config[key] = composed[key]
    return config


def overlaid(own: Any, base: Any, new: Any) -> Any:
    """The settings `own` with what differs between `base` and `new`, and with keys that are new."""
    if not all(isinstance(node, Mapping) for node in (own, base, new)):
        return own if base == new else new
    if own.get("name") != new.get("name"):  # options of one component are none of another
        return own if base.get("name") == new.get("name") else new
    kept = [key for key in own if key in new or key not in base]
    return {
        key: overlaid(own.get(key, new.get(key)), base.get(key), new.get(key, base.get(key)))
        if key in new
        else own[key]
        for key in dict.fromkeys([*kept, *new])
    }
