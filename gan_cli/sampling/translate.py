"""Translates or enlarges photos of any size: gan-sample run=NAME input=PHOTO or FOLDER."""

import logging
from collections.abc import Sequence
from math import lcm
from typing import Any

import numpy as np
from rich.progress import track
from torch import Tensor

from gan_cli.data.files.unreadable import reason
from gan_cli.games.draw import draw
from gan_cli.games.request import Request
from gan_cli.sampling.comparison import SHOWN, Part, comparison, part
from gan_cli.sampling.model import Model
from gan_cli.sampling.options import SampleOptions
from gan_cli.sampling.photos import (
    Photo,
    output_names,
    photos_of,
    read_label_map,
    read_photo,
    save_photo,
    with_alpha,
)
from gan_cli.sampling.task import Job
from gan_cli.sampling.tiles import MOST, Tiles, reach, translated
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import save_png

OUTPUT_SIDE = 2048  # pixels per side of what is computed at once; takes about 4 GiB in SRResNet
SHEET = "comparison.png"
log = logging.getLogger("gan_cli")


def translates(model: Model, options: SampleOptions, target: str) -> bool:
    """Whether `input` holds images that the model makes images of, as files of any size."""
    keys, fields = model.game.inputs(target), model.spec.fields
    if options.input is None or options.input.endswith(".npz") or len(keys) != 1:
        return False
    return fields[keys[0]].kind == "image" and fields[target].kind == "image"


class Translator:
    """The model as a function of photos."""

    def __init__(self, model: Model, options: SampleOptions, target: str) -> None:
        self.model, self.target, (self.key,) = model, target, model.game.inputs(target)
        given, made = (model.spec.fields[key].shape for key in (self.key, target))
        self.channels, self.factor = given[0], made[1] // given[1]
        if (given[1] * self.factor, given[2] * self.factor) != tuple(made[1:]):
            raise ConfigError(
                f"input: the model makes {made[1]} x {made[2]} pixels of {given[1]} x {given[2]}, "
                "which is no whole factor; type dataset=NAME instead"
            )
        maps = model.checkpoint.dataset.get("source_classes") if self.key == "source" else None
        self.classes: int | None = maps  # of label maps, which become one-hot images
        (self.seed,) = options.seeds or (0,)
        self.label = model.labels(options.labels, [self.seed])
        modules: Any = model.game.networks.modules()
        self.multiple = lcm(*(getattr(module, "multiple", 1) for module in modules))
        self.side = options.tile or max(OUTPUT_SIDE // self.factor, 2 * MOST)
        self.overlap = options.overlap
        self.seen: int | None = None  # pixels that an output depends on; measured with the first
        self.measured = False

    def __call__(self, images: Tensor) -> Tensor:
        """Maps (1, C, H, W) in [-1, 1] to outputs."""
        request = Request([self.seed], self.label, {self.key: images}, target=self.target)
        with self.model.runtime.autocast():
            (output,) = draw(self.model.game, request, 1)
        return output

    def read(self, data: bytes) -> Photo:
        """Decodes an image file, or a label map if the model takes these."""
        if self.classes is not None:
            return read_label_map(data, self.classes)
        return read_photo(data, self.channels)

    def tiles(self, height: int, width: int) -> Tiles:
        """Returns how an image of this size is cut; the overlap is measured when it matters."""
        tiles = Tiles(self.side, self.overlap or 0, self.multiple, self.factor)
        if self.overlap is not None or tiles.count(height, width) == 1:
            return tiles
        if not self.measured:
            self.seen = reach(self, self.channels, self.multiple, self.factor)
            self.measured = True
            if self.seen is None:
                log.warning(
                    "overlap: outputs depend on more than %d pixels around them, so that tiles of "
                    "an overlap of %d agree with the whole image only roughly; type overlap=N or "
                    "tile=N for more",
                    *(MOST, MOST),
                )
        overlap = MOST if self.seen is None else self.seen
        return Tiles(max(self.side, 3 * overlap), overlap, self.multiple, self.factor)

    def output(self, photo: Photo) -> np.ndarray:
        """Returns the output (H, W, C) uint8; ConfigError if the networks take one size alone."""
        height, width = photo.colours.shape[:2]
        device = self.model.game.device
        try:
            return translated(self, photo.colours, self.tiles(height, width), device)
        except RuntimeError as error:
            if "shape" not in str(error) and "size" not in str(error):
                raise
            own = " x ".join(map(str, self.model.spec.fields[self.key].shape[1:]))
            raise ConfigError(
                f"input: the model's networks take no images of {height} x {width} "
                f"({str(error).splitlines()[0]}); type dataset=folder dataset.path=FOLDER for "
                f"images of {own}"
            ) from None


def translate_photos(job: Job, target: str) -> list[str]:
    """Writes an output for each photo, under its name, and a sheet of comparisons.

    Photos are read and written one by one.
    """
    options, model = job.options, job.model
    check_unread(options)
    assert options.input is not None
    archive, names = photos_of(options.input)
    translator = Translator(model, options, target)
    names = names[: options.count]
    files, parts, broken = output_names(names, SHEET), list[Part](), dict[str, str]()
    for name, file in track(
        list(zip(names, files, strict=True)), "photos", disable=len(names) < 2, transient=True
    ):
        try:
            photo = translator.read(archive.read(name))
        except Exception as error:  # Pillow and zipfile raise many types for damaged files
            broken[name] = reason(error)
            continue
        made = translator.output(photo)
        save_photo(job.folder / file, with_alpha(made, photo.alpha), photo.profile)
        if len(parts) < SHOWN:
            parts.append(part(photo.colours, made, translator.factor))
    report_broken(broken, len(names))
    save_png(job.folder / SHEET, comparison(parts))
    written = [str(job.folder / f) for n, f in zip(names, files, strict=True) if n not in broken]
    shown = "input, output" if translator.factor == 1 else "input, bicubic, output"
    return [*shortened(written), f"{job.folder / SHEET}: {shown}"]


def check_unread(options: SampleOptions) -> None:
    """Raises ConfigError for options that do nothing with photos."""
    wrong = [key for key in ("columns", "interpolate") if getattr(options, key)]
    wrong += ["format"] if options.formats not in ([], ["png"]) else []
    if options.truncation is not None:
        raise ConfigError("truncation: does nothing with photos; leave it out")
    if len(options.seeds or (0,)) > 1:
        raise ConfigError("seeds: photos are made with one seed; type seeds=0")
    if wrong:
        raise ConfigError(f"{wrong[0]}: outputs of photos are written as png; leave it out")


def report_broken(broken: dict[str, str], total: int) -> None:
    """Logs which files are no images; ConfigError if none is."""
    lines = [f"{name}: {why}" for name, why in broken.items()]
    if len(broken) == total:
        raise ConfigError(f"input: {'; '.join(shortened(lines))}")
    for line in shortened(lines):
        log.warning("left out %s", line)


def shortened(lines: Sequence[str], most: int = 16) -> list[str]:
    """Returns at most `most` lines, and the number of those left out."""
    more = len(lines) - most
    return list(lines) if more <= 0 else [*lines[:most], f"... ({more} more)"]
