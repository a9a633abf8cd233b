"""Whose settings are followed: those of one's own runs, and no others unasked.

A data set may list any folder, read any file or start a download. The data set that a checkpoint
names is therefore opened only if the checkpoint belongs to a run in ./outputs, or if the data set
declares itself `self_contained`: that it reads nothing that does not come with the program.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gan_cli.checkpoints.choice import OUTPUTS
from gan_cli.checkpoints.contents import Checkpoint
from gan_cli.config.quoting import typed_word
from gan_cli.config.registry import Component
from gan_cli.data.sets import datasets
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import shown


def is_own_run(run: Path | None) -> bool:
    """Whether the folder of a run is in ./outputs; None, which stands for a bare file, is not."""
    return run is not None and Path(os.path.abspath(run)).is_relative_to(OUTPUTS.absolute())


def dataset_node(
    given: Mapping[str, Any] | None, checkpoint: Checkpoint, run: Path | None, instead: str
) -> Component:
    """The data set `given`, or that of the training with the keys in `given` changed.

    `run` is the folder of the run that was asked for. Raises ConfigError, with what to type, if
    the data set of the training would be that of a stranger; `instead` names a key that replaces
    it.
    """
    node = dict(given or {})
    if "name" in node:
        return node
    check_own(checkpoint, run, "dataset", f"{instead}, dataset=NAME, or {words(checkpoint)}")
    return {**checkpoint.dataset, **node}


def check_own(checkpoint: Checkpoint, run: Path | None, where: str, instead: str) -> None:
    """Raises ConfigError if the checkpoint's data set must not be opened unasked."""
    known = datasets.entries.get(checkpoint.dataset["name"])
    if not is_own_run(run) and not getattr(known, "self_contained", False):
        raise ConfigError(
            f"{where}: the data set that {checkpoint.name} names is not opened unasked, since this "
            f"is no run in ./outputs; type {instead}"
        )


def words(checkpoint: Checkpoint) -> str:
    """What to type for the data set of the training, after a look at it."""
    node = {key: value for key, value in checkpoint.dataset.items() if key != "name"}
    options = (
        typed_word(key, value) for key, value in leaves(node, "dataset") if value is not None
    )
    return shown(" ".join([typed_word("dataset", checkpoint.dataset["name"]), *options]), 300)


def leaves(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """The values of nested mappings with their dotted keys."""
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}.{key}")
        else:
            yield f"{prefix}.{key}", value
