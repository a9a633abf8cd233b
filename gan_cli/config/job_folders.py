"""Names the folders of a sweep's jobs by what varies, so that a sweep can be extended.

The name of a job does not depend on its number: more values, another order or another launcher
lead to the same folders, in which finished jobs are found again.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_cli.config.override_checks import parsed

LENGTH = 120  # characters of a name
UNSAFE = re.compile(r"[^\w.=-]+")
KEYS = "hydra.job.config.override_dirname.exclude_keys"  # Hydra's list of keys to leave out
# Settings that a resumed run may change, so that they do not tell jobs apart unless they vary.
CHANGEABLE = {
    *("steps", "every", "device", "metrics", "run", "imports", "check", "hydra"),
    *("keep_last", "on_nonfinite", "allow_changes", "health", "logger", "log", "score_scale"),
}


def register() -> None:
    """Registers what configs use: ``${job_folder:}`` and ``${launch:TIME}``."""
    OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)
    OmegaConf.register_new_resolver("launch", launch, replace=True)


def launch(time: str) -> str:
    """The first part of the default name of a run: the time, or torchrun's identifier of the job.

    Processes that torchrun starts again after a failure thus continue in the same folder.
    """
    given = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    name = UNSAFE.sub("-", given).strip(".-")
    return time if name in ("", "none") else name


def constant_keys(words: Sequence[str]) -> list[str]:
    """The override that names the keys with one value for all jobs of a sweep."""
    overrides = [parsed(word) for word in words]
    if any(override.key_or_group == KEYS for override in overrides):
        return []
    varies = {o.key_or_group: o.is_sweep_override() for o in overrides}  # the last of a key counts
    constant = [key for key in varies if not varies[key] and not key.startswith("hydra")]
    names = ",".join(f"'{key}'" for key in constant)
    return [f"{KEYS}=[{names}]"] if names else []


def job_folder(*, _root_: DictConfig) -> str:
    """The name of the job's folder in that of its sweep."""
    hydra = _root_.hydra
    words: Any = OmegaConf.to_container(hydra.overrides.task)  # interpolations stay as typed
    constant = list(hydra.job.config.override_dirname.exclude_keys)
    usual = name_of({k: v for k, v in settings(words).items() if k not in constant})
    choices = hydra.runtime.choices
    usual = usual or "-".join(str(choices[g]) for g in ("model", "loss") if g in choices) or "job"
    if settings(words).get("allow_changes", "").lower() == "true":
        return usual
    return free_name(Path(hydra.sweep.dir), usual, words, constant)


def settings(words: Sequence[str]) -> dict[str, str]:
    """The values of overrides by key."""
    pairs = (word.lstrip("+~").partition("=") for word in words)
    return {key: value for key, _, value in pairs}


def identity(words: Sequence[str], constant: Sequence[str]) -> dict[str, str]:
    """The settings that tell a job from others: all but those that a resumed run may change."""
    return {
        key: value
        for key, value in settings(words).items()
        if key not in constant or key.split(".")[0] not in CHANGEABLE
    }


def name_of(varied: Mapping[str, str]) -> str:
    """A readable name such as ``loss=hinge+seed=0``, in the order of the keys.

    A hash makes it unique where characters are replaced or left out.
    """
    whole = "+".join(f"{key}={value}" for key, value in sorted(varied.items()))
    parts = (f"{UNSAFE.sub('-', k)}={safe(v)}" for k, v in sorted(varied.items()))
    name = "+".join(parts)
    if name == whole and len(name.encode()) <= LENGTH:
        return name
    short = name.encode()[: LENGTH - 9].decode(errors="ignore").rstrip("-+=.")
    return f"{short}-{digest(whole)}"


def safe(value: str) -> str:
    """A value with only those characters that every file system accepts."""
    return UNSAFE.sub("-", value).strip("-") if UNSAFE.search(value) else value


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def free_name(sweep: Path, usual: str, words: Sequence[str], constant: Sequence[str]) -> str:
    """The folder of an earlier job with the same settings, else `usual`.

    If another run is in the folder `usual`, which differs in settings that are constant in this
    sweep, a hash of all settings is added.
    """
    wanted = identity(words, constant)
    for path in sorted(sweep.glob("*/job.json")):
        if recorded(path.parent, constant) == wanted:
            return path.parent.name
    if (sweep / usual / "run.json").exists() and recorded(sweep / usual, constant) is not None:
        return f"{usual}-{digest(json.dumps(wanted, sort_keys=True))}"
    return usual


def recorded(folder: Path, constant: Sequence[str]) -> dict[str, str] | None:
    """The identity of the job in a folder, None if it is not known.

    Earlier versions did not record which keys were constant; then they are those of this sweep.
    """
    try:
        job: dict[str, Any] = json.loads((folder / "job.json").read_text("utf-8"))
        return identity(job["overrides"], job.get("constant", constant))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
