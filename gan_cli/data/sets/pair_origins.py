"""Opens the two sides of pairs: folders, images side by side, images that are degraded."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from gan_cli.config.registry import Component, ConfigError
from gan_cli.data.degradations import degradations
from gan_cli.data.files.archive import Archive, open_archive
from gan_cli.data.files.pairs import matched, without_suffixes
from gan_cli.data.files.views import Half, HalfArchive, LabelMaps
from gan_cli.data.sets.folder import Folder
from gan_cli.data.sets.pair_sides import DatasetSide, DegradedSide, OneHotSide, Side

Sides = tuple[Side, Side]  # source, target
Files = Mapping[str, Any]  # options of dataset=folder that both sides share


def check_origin(options: Mapping[str, Any]) -> None:
    """Raises ConfigError unless the options name exactly one place where the pairs come from."""
    given = {key for key in ("source", "target", "path", "images") if options[key] is not None}
    if given not in ({"source", "target"}, {"path"}, {"images"}):
        lacking = {frozenset({"source"}): "target", frozenset({"target"}): "source"}
        where, fault = lacking.get(frozenset(given), "path"), "has no value"
        if len(given) > 1:
            fault = f"is one of several: {', '.join(sorted(given))}"
        raise ConfigError(
            f"dataset.{where}: {fault}; name either two folders of equal names, dataset.source= "
            "and dataset.target=, or one of images A|B, dataset.path=, or one with "
            "degradation@dataset.degradation=edges"
        )
    raise_unread(options, given)


def raise_unread(options: Mapping[str, Any], given: set[str]) -> None:
    """Raises ConfigError for options that do nothing with pairs from this place."""
    degraded, unread = options["degradation"] is not None, []
    if "images" in given and not degraded:
        raise ConfigError(
            "dataset.degradation: has no value, and makes the sources of dataset.images; type "
            "degradation@dataset.degradation=edges, gray, downscale, mask or noise"
        )
    if "source" in given and degraded:
        raise ConfigError(
            "dataset.degradation: makes sources of targets, and dataset.source has some; leave "
            "one of them out"
        )
    if "images" in given:
        unread = ["channels", "size", "height", "width", "skip_broken"]
        unread += ["resize"] if options["resize"] != "none" else []
        unread += ["store"] if options["store"] != "auto" else []
    unread += ["source_channels", "source_classes"] if degraded else []
    unread += ["skip_unmatched"] if "source" not in given else []
    for key in unread:
        if options[key] not in (None, False):
            instead = f"dataset.images.{key}" if "images" in given else "leave it out"
            raise ConfigError(
                f"dataset.{key}: does nothing with these pairs; "
                + (f"type {instead}" if instead.startswith("dataset") else instead)
            )
    if options["source_classes"] is not None and options["source_channels"] is not None:
        raise ConfigError(
            "dataset.source_channels: label maps have one, and become one for each of "
            "dataset.source_classes; leave one of the two keys out"
        )
    if options["direction"] != "AtoB" and ("path" not in given or degraded):
        raise ConfigError(
            "dataset.direction: is for images A|B side by side; leave it out, or swap the sides"
        )


def degraded(side: Side, node: Component | None, seed: int) -> Sides:
    """Returns degraded images and the images."""
    assert node is not None, "raise_unread has checked it"
    options = {key: value for key, value in node.items() if key != "name"}
    degrade = partial(degradations.find(node, "dataset.degradation"), **options)
    try:
        return DegradedSide(side, degrade, repr(dict(node)), seed), side
    except ConfigError as error:
        raise ConfigError(*(f"dataset.{fault}" for fault in error.faults)) from None


def degraded_files(
    path: str, channels: int, files: Files, node: Component | None, seed: int
) -> Sides:
    """Returns the degraded images of a folder and the images."""
    folder = open_folder("path", path, channels, files)
    return degraded(DatasetSide(folder, torch.arange(len(folder))), node, seed)


def from_folders(
    places: Mapping[str, tuple[str, int]], classes: int | None, files: Files, skip_unmatched: bool
) -> Sides:
    """Opens two places of images, by path and channels, and pairs files of the same name."""
    folders = {}
    for key, (path, channels) in places.items():
        label_maps = classes if key == "source" else None
        folders[key] = open_folder(key, path, channels, files, classes=label_maps)
    broken = without_suffixes(n for folder in folders.values() for n in folder.files.broken)
    names = {key: folder.names for key, folder in folders.items()}
    found = matched(names["source"], names["target"], skip_unmatched, broken)
    source = DatasetSide(folders["source"], torch.tensor(found.source))
    return one_hot(source, classes), DatasetSide(folders["target"], torch.tensor(found.target))


def side_by_side(
    path: str, direction: str, channels: tuple[int, int], classes: int | None, files: Files
) -> Sides:
    """Opens images A|B; the source is A for direction=AtoB."""
    halves: tuple[Half, Half] = ("left", "right") if direction == "AtoB" else ("right", "left")
    archive, sides = open_archive(path), list[Side]()
    for half, count, label_maps in zip(halves, channels, (classes, None), strict=True):
        part = HalfArchive(archive, half)
        folder = open_folder("path", path, count, files, part, label_maps)
        sides.append(DatasetSide(folder, torch.arange(len(folder))))
    return one_hot(sides[0], classes), sides[1]


def one_hot(side: Side, classes: int | None) -> Side:
    """Returns the label maps of a side as one-hot images, or the side if it has none."""
    return side if classes is None else OneHotSide(side, classes)


def open_folder(
    key: str,
    path: str,
    channels: int,
    files: Files,
    archive: Archive | None = None,
    classes: int | None = None,
) -> Folder:
    """Opens images, or label maps of `classes`; errors name the key `key` of the data set."""
    build: Any = Folder
    try:
        if classes is not None:
            archive, channels = LabelMaps(archive or open_archive(path), classes), 1
        folder: Folder = build(archive, classes is not None, path=path, channels=channels, **files)
    except ConfigError as error:
        named = (fault.replace("dataset.path", f"dataset.{key}") for fault in error.faults)
        raise ConfigError(*named) from None
    return folder
