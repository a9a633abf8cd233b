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
    by_name = {f"{base}/{name}" if base else name: label for name, label in content["labels"]}
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
    names = list(map(str, content.get("class_names") or range(max(by_name.values()) + 1)))
    if max(by_name.values()) >= len(names):
        raise ConfigError(
            f"dataset.labels: {where} has a label {max(by_name.values())} but only {len(names)} "
            "class_names; labels count from 0"
        )
    return labels, names


def parse(data: bytes, where: str) -> dict[str, Any]:
    """The content of dataset.json; raises ConfigError if its format is invalid."""
    try:
        content = json.loads(data)
        pairs = content["labels"]
        valid = all(isinstance(name, str) and type(k) is int and k >= 0 for name, k in pairs)
    except (ValueError, TypeError, KeyError):  # no JSON, no "labels", or no pairs in it
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
