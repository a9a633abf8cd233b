"""Changed settings of a resumed run: which of them are accepted, and what is said about these."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

MAY_CHANGE = {
    *("steps", "every", "device", "metrics", "run", "imports", "check"),
    *("keep_last", "on_nonfinite", "allow_changes", "health", "logger", "log", "score_scale"),
}
ABSENT = "absent"
STORE = "dataset.store"  # how data are read, which changes no sample
PLACES = {"path", "root"}  # options of data sets that say where the data are
LENGTHS = {"over", "warmup"}  # of a schedule, in steps


class Change(NamedTuple):
    """A setting, by dotted key, with its values in two configs."""

    key: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.key}: {self.before} -> {self.now}"

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition(".")[2]


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Every changed setting, except those that may change (MAY_CHANGE)."""
    before, now = (
        dict(flat({k: v for k, v in tree.items() if k not in MAY_CHANGE})) for tree in (old, new)
    )
    return [
        Change(key, before.get(key, ABSENT), now.get(key, ABSENT))
        for key in sorted(before.keys() | now.keys())
        if key != STORE and not equal(before.get(key), now.get(key))
    ]


def equal(old: Any, new: Any) -> bool:
    """Whether two settings are equal; a NaN, in checkpoints of earlier versions, equals itself."""
    return bool(old == new) or repr(old) == repr(new)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """ "key: old -> new" for every changed setting."""
    return [str(change) for change in changes(old, new)]


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings by dotted key."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            yield from flat({f"{key}[{i}]": item for i, item in enumerate(value)}, prefix)
        else:
            yield prefix + key, value


def consequence(change: Change, old: Any, new: Any, same_data: bool) -> str | None:
    """What a change means that a resumed run accepts; None if it is refused.

    `old` and `new` are the configs of the checkpoint and of the command.
    """
    key = change.key
    if same_data and key.startswith("dataset.") and is_place(change):
        return f"{key}: the same data are now in {change.now}, and were in {change.before}"
    if change.name in LENGTHS and (change.before, change.now) == (old["steps"], new["steps"]):
        schedule = key.rpartition(".")[0]
        return (
            f"{schedule}: follows steps, which are now {change.now} and were {change.before}; from "
            f"here on, its values are those of a run of {change.now} steps"
        )
    return None


def is_place(change: Change) -> bool:
    """Whether an option of a data set names a file or folder."""
    if not isinstance(change.before, str) or not isinstance(change.now, str):
        return False
    return change.name in PLACES or (os.sep in change.now and Path(change.now).exists())
