"""Class labels of the images in a folder, from sub-folders or from dataset.json."""

import json
import logging
import posixpath
from typing import Any, Literal

from gan_cli.config.registry import ConfigError, unknown
from gan_cli.data.files.archive import Archive

Labels = Literal["none", "folders", "json"]

log = logging.getLogger(__name__)


def labels_of(kind: Labels, archive: Archive, images: list[str]) -> tuple[list[int], list[str]]:
    """The class of each image and the names of the classes; both are empty for "none"."""
    if kind == "folders":
        return folder_labels(images)
    if kind == "json":
        return json_labels(archive, images)
    return [], []


def folder_labels(images: list[str]) -> tuple[list[int], list[str]]:
    """Labels from sub-folders of the common folder of all images; classes are sorted by name."""
    parents = [posixpath.dirname(name) for name in images]
    common = posixpath.commonpath(parents) if all(parents) else ""
    inside = [name.removeprefix(common).lstrip("/") for name in images]
    loose = [name for name, rest in zip(images, inside, strict=True) if "/" not in rest]
    if loose:
        raise ConfigError(
            f"dataset.labels: 'folders' needs each image in a sub-folder named after its class, "
            f"but {listing(loose)} {'is' if len(loose) == 1 else 'are'} in "
            f"{common or 'the top folder'}; move them, "
            "or type dataset.labels=none to train without labels"
        )
    classes = [rest.split("/")[0] for rest in inside]
    names = sorted(set(classes))
    number = {name: i for i, name in enumerate(names)}
    return [number[name] for name in classes], names


def json_labels(archive: Archive, images: list[str]) -> tuple[list[int], list[str]]:
    """Labels from StyleGAN's dataset.json, {"labels": [[image, class], ...]}.

    The optional key "class_names" is an extension.
    """
    found = [name for name in archive.names if posixpath.basename(name) == "dataset.json"]
    if not found:
        raise ConfigError(
            "dataset.labels: 'json' needs a file dataset.json among the images, and there is none; "
            "type dataset.labels=folders if the sub-folders are the classes, else none"
        )
    where = min(found, key=lambda name: name.count("/"))
    content = parse(archive.read(where), where)
    base = posixpath.dirname(where)
    by_name = labels_by_name(content["labels"], base, where)
    missing = [name for name in images if name not in by_name]
    if missing:
        hint = unknown("image", missing[0], by_name) if len(by_name) <= 20 else "complete it"
        raise ConfigError(
            f"dataset.labels: {where} has no label for {listing(missing)}; {hint}, "
            "or type dataset.labels=none to train without labels"
        )
    if len(by_name) > len(images):
        log.warning("%s labels %d images that do not exist", where, len(by_name) - len(images))
    labels = [by_name[name] for name in images]
    if "class_names" in content:
        return labels, class_names(content["class_names"], max(by_name.values()), where)
    absent = max(by_name.values()) + 1 - len(set(by_name.values()))
    if absent:
        raise ConfigError(
            f"dataset.labels: {where} has labels up to {max(by_name.values())}, and {absent} of "
            "the classes up to there have no image; number the classes from 0 without gaps, or "
            'add "class_names"'
        )
    return labels, [str(k) for k in range(max(by_name.values()) + 1)]


def labels_by_name(pairs: list[list[Any]], base: str, where: str) -> dict[str, int]:
    """The label of each image; raises ConfigError if an image has two."""
    found: dict[str, int] = {}
    for name, label in pairs:
        path = f"{base}/{name}" if base else name
        if found.setdefault(path, label) != label:
            raise ConfigError(
                f"dataset.labels: {where} lists {name} with labels {found[path]} and {label}; "
                "leave one of them out"
            )
    return found


def class_names(given: Any, largest: int, where: str) -> list[str]:
    """Names in the order of the labels, from a list, {name: label} or {label: name}."""
    names = given
    if isinstance(given, dict):
        numbers = all(type(value) is int for value in given.values())
        pairs = [(v, k) if numbers else (k, v) for k, v in given.items()]
        by_label = {str(label): str(name) for label, name in pairs}
        names = [by_label.get(str(k)) for k in range(len(given))]
    if not isinstance(names, list) or None in names or len(set(map(str, names))) < len(names):
        raise ConfigError(
            f"dataset.labels: the class_names of {where} are no list of different names; type "
            '["cat", "dog"], or {"cat": 0, "dog": 1}'
        )
    if largest >= len(names):
        raise ConfigError(
            f"dataset.labels: {where} has a label {largest} but only {len(names)} "
            "class_names; labels count from 0"
        )
    return list(map(str, names))


def parse(data: bytes, where: str) -> dict[str, Any]:
    """The content of dataset.json; raises ConfigError if its format is invalid."""
    try:
        content = json.loads(data)
        pairs = content["labels"]
        valid = all(isinstance(name, str) and type(k) is int and k >= 0 for name, k in pairs)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"dataset.labels: {where} is no valid JSON: line {error.lineno}, column {error.colno}: "
            f"{error.msg}"
        ) from None
    except (ValueError, TypeError, KeyError):  # no text, no "labels", or no pairs in it
        pairs, valid = [], False
    if not pairs or not valid:
        raise ConfigError(
            f'dataset.labels: {where} is not {{"labels": [["0/a.png", 0], ...]}} with classes '
            "counted from 0; correct it, or type dataset.labels=none to train without labels"
        )
    return content


def listing(names: list[str], most: int = 3) -> str:
    """The number of images, and the first `most` of their names."""
    shown = ", ".join(names[:most]) + (", ..." if len(names) > most else "")
    return f"{len(names)} image{'s' if len(names) > 1 else ''} ({shown})"
