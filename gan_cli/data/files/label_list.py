"""Class labels of images from dataset.json, the list of StyleGAN."""

import json
import logging
import posixpath
import unicodedata
from collections.abc import Mapping
from typing import Any

from gan_cli.config.registry import ConfigError, unknown
from gan_cli.data.files.archive import Archive
from gan_cli.data.files.entry_names import plain_name
from gan_cli.data.files.image_names import listing
from gan_cli.data.files.zip_members import DAMAGE
from gan_cli.data.label_values import label_numbers
from gan_cli.utils.text import said

log = logging.getLogger(__name__)

UNLABELLED = "or type dataset.labels=none to train without labels"


def json_labels(archive: Archive, images: list[str]) -> tuple[list[int], list[str]]:
    """Labels from StyleGAN's dataset.json, {"labels": [[image, class], ...]}.

    Classes may be named instead of numbered. The optional key "class_names" is an extension.
    """
    found = [name for name in archive.names if posixpath.basename(name) == "dataset.json"]
    if not found:
        raise ConfigError(
            "dataset.labels: 'json' needs a file dataset.json among the images, and there is none; "
            "type dataset.labels=folders if the sub-folders are the classes, else none"
        )
    where = min(found, key=lambda name: name.count("/"))
    content = parse(read_list(archive, where), where)
    numbers, names = numbered(content["labels"], where)
    by_name = labels_by_name(content["labels"], numbers, posixpath.dirname(where), where)
    missing = [name for name in images if key_of(name) not in by_name]
    if missing:
        hint = unknown("image", missing[0], by_name) if len(by_name) <= 20 else "complete it"
        raise ConfigError(
            f"dataset.labels: {where} has no label for {listing(missing)}, of {len(images):,} "
            f"images and {len(by_name):,} labels; {hint}, {UNLABELLED}"
        )
    if len(by_name) > len(images):
        log.warning("%s labels %d images that do not exist", where, len(by_name) - len(images))
    labels = [by_name[key_of(name)] for name in images]
    if "class_names" not in content:
        return labels, names or counted(set(numbers), where)
    given = class_names(content["class_names"], max(numbers), where)
    return (in_order(labels, names, given, where) if names else labels), given


def read_list(archive: Archive, where: str) -> bytes:
    """The content of dataset.json; raises ConfigError if it is damaged or far too large."""
    try:
        return archive.read(where)
    except DAMAGE as error:
        raise ConfigError(
            f"dataset.labels: {archive.where(where)} cannot be read ({said(error)}); pack it "
            f"again, {UNLABELLED}"
        ) from None


def key_of(name: str) -> str:
    """A name for comparisons: normalized, with accents as single characters."""
    return unicodedata.normalize("NFC", plain_name(name))


def numbered(pairs: list[list[Any]], where: str) -> tuple[list[int], list[str]]:
    """The labels of all pairs as numbers, and the names of the classes if labels are names."""
    try:
        numbers, names = label_numbers([k for _, k in pairs], len(pairs), lambda i: pairs[i][0])
    except ValueError as error:
        raise ConfigError(f"dataset.labels: {where}: {error}; correct it, {UNLABELLED}") from None
    return numbers.tolist(), list(names)


def labels_by_name(
    pairs: list[list[Any]], numbers: list[int], base: str, where: str
) -> dict[str, int]:
    """The label of each image; raises ConfigError if an image has two."""
    found: dict[str, int] = {}
    first: dict[str, Any] = {}
    for (name, label), number in zip(pairs, numbers, strict=True):
        path = key_of(posixpath.join(base, plain_name(name)))
        if found.setdefault(path, number) != number:
            raise ConfigError(
                f"dataset.labels: {where} lists {name} with labels {first[path]} and {label}; "
                "leave one of them out"
            )
        first[path] = label
    return found


def counted(labels: set[int], where: str) -> list[str]:
    """Names for classes that have none; raises ConfigError if numbers are missing."""
    absent = max(labels) + 1 - len(labels)
    if absent:
        raise ConfigError(
            f"dataset.labels: {where} has labels up to {max(labels)}, and {absent} of "
            "the classes up to there have no image; number the classes from 0 without gaps, or "
            'add "class_names"'
        )
    return [str(k) for k in range(max(labels) + 1)]


def in_order(labels: list[int], names: list[str], given: list[str], where: str) -> list[int]:
    """Labels of classes that the list calls by name, numbered in the order of class_names."""
    for name in names:
        if name not in given:
            raise ConfigError(
                f"dataset.labels: the class_names of {where}: {unknown('class', name, given)}"
            )
    return [given.index(names[label]) for label in labels]


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


def parse(data: bytes, where: str) -> Mapping[str, Any]:
    """The content of dataset.json; raises ConfigError if its format is invalid."""
    try:
        content = json.loads(data)
        pairs = content["labels"]
        valid = isinstance(pairs, list) and all(isinstance(name, str) for name, _ in pairs)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"dataset.labels: {where} is no valid JSON: line {error.lineno}, column {error.colno}: "
            f"{error.msg}"
        ) from None
    except (ValueError, TypeError, KeyError, RecursionError):  # no text, no "labels", no pairs
        pairs, valid = [], False
    if not pairs or not valid:
        raise ConfigError(
            f'dataset.labels: {where} is not {{"labels": [["0/a.png", 0], ...]}} with classes '
            f"counted from 0; correct it, {UNLABELLED}"
        )
    found: Mapping[str, Any] = content
    return found
