"""Conversion of checkpoints in older formats, in memory; files stay as they are."""

import logging
from functools import cache
from typing import Any

from gan_cli.checkpoints.files import State
from gan_cli.utils.errors import StorageError

FORMAT = 2  # of the checkpoints that this version writes
log = logging.getLogger("gan_cli")


def format_of(state: State, name: str) -> int:
    """The format number; StorageError if this version cannot read the format."""
    number = state.get("format")
    if type(number) is not int or number < 1:
        raise StorageError(f"{name} has no format number; it is no checkpoint of gan_cli")
    if number > FORMAT:
        raise StorageError(
            f"{name} has format {number}, and this version of gan_cli reads formats up to "
            f"{FORMAT}; install a newer one (pip install --upgrade gan-cli)"
        )
    return number


def migrated(state: State, name: str) -> State:
    """The state in the current format; logs one line a file if it is older."""
    number = format_of(state, name)
    if number == FORMAT:
        return state
    try:
        spec = fields_of_format_1(state)
    except (KeyError, TypeError, AttributeError) as error:
        raise StorageError(f"{name} is not laid out as format {number} ({error!r})") from error
    announce(name, number)
    return {**state, "format": FORMAT, "spec": spec}


@cache
def announce(name: str, number: int) -> None:
    """A run reads some checkpoints more than once; one line is enough."""
    log.info("%s has format %d; read as format %d", name, number, FORMAT)


def fields_of_format_1(state: State) -> dict[str, Any]:
    """Format 2 names the fields of a sample; format 1 had {shape, classes, class_names, sources}.

    The domains of dann and dann_alternating are images of one shape and have the classes of the
    source.
    """
    spec, config = state["spec"], state["config"]
    shape, classes, names = spec["shape"], spec["classes"], spec["class_names"]
    sample = {"kind": "image" if len(shape) == 3 else "vector", "shape": shape}
    label = {"kind": "label", "shape": [], "classes": classes, "class_names": names}
    if config["model"]["game"]["name"] not in ("dann", "dann_alternating"):
        return {
            "target": "real",
            "fields": {"real": sample} | ({"label": label} if classes else {}),
        }
    more = config["dataset"].get("more_sources") or {}
    sources = ["source", *(f"source_{name}" for name in more)]
    fields = dict.fromkeys((*sources, "target"), sample)
    return {"target": "target", "fields": {**fields, "source_label": label}}
