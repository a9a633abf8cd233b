"""Class labels of the images in a folder, from sub-folders or from dataset.json."""

import logging
import posixpath
from typing import Literal

from gan_cli.config.registry import ConfigError
from gan_cli.data.files.archive import Archive
from gan_cli.data.files.image_names import listing
from gan_cli.data.files.label_list import json_labels

Labels = Literal["none", "folders", "json"]

SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})

log = logging.getLogger(__name__)


def labels_of(
    kind: Labels, archive: Archive, images: list[str], noun: str = "image"
) -> tuple[list[int], list[str]]:
    """The class of each file and the names of the classes; both are empty for "none".

    Errors call a file `noun`.
    """
    if kind == "json":
        return json_labels(archive, images)
    splits = split_folders(images)
    if kind == "none":
        if splits:
            log.warning("reading all of %s as one data set", ", ".join(splits))
        return [], []
    if splits:
        raise ConfigError(
            f"dataset.labels: the sub-folders {', '.join(splits)} are no classes, but parts of a "
            f"data set; {one_split(splits)}"
        )
    return folder_labels(images, noun)


def split_folders(images: list[str]) -> list[str]:
    """The sub-folders of the common folder of all images, if they are named train, test, ..."""
    common = common_folder(images)
    tops = {name[len(common) :].lstrip("/").split("/")[0] for name in images}
    splits = sorted(top for top in tops if top.lower() in SPLITS)
    parts = len(splits) > 1 and (len(splits) == len(tops) or "train" in map(str.lower, splits))
    return [posixpath.join(common, split) for split in splits] if parts else []


def one_split(splits: list[str]) -> str:
    """Advice to read one part of a data set."""
    names = {posixpath.basename(split).lower(): split for split in splits}
    wanted = names.get("train") or names.get("training") or splits[0]
    return f"for one of them, type dataset.path=.../{wanted} (of a zip archive, unpack it)"


def common_folder(images: list[str]) -> str:
    """The folder that holds all images; "" is that of the archive."""
    parents = [posixpath.dirname(name) for name in images]
    return posixpath.commonpath(parents) if all(parents) else ""


def folder_labels(images: list[str], noun: str = "image") -> tuple[list[int], list[str]]:
    """Labels from sub-folders of the common folder of all files; classes are sorted by name."""
    common = common_folder(images)
    inside = [name.removeprefix(common).lstrip("/") for name in images]
    loose = [name for name, rest in zip(images, inside, strict=True) if "/" not in rest]
    if loose:
        raise ConfigError(
            f"dataset.labels: 'folders' needs each {noun} in a sub-folder named after its class, "
            f"but {listing(loose, noun=noun)} {'is' if len(loose) == 1 else 'are'} in "
            f"{common or 'the top folder'}; move them, "
            "or type dataset.labels=none to train without labels"
        )
    classes = [rest.split("/")[0] for rest in inside]
    names = sorted(set(classes))
    number = {name: i for i, name in enumerate(names)}
    return [number[name] for name in classes], names
