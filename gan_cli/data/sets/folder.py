"""Your own images, in a folder or a zip archive."""

import logging
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from gan_cli.config.ranges import Pixels
from gan_cli.config.registry import ConfigError
from gan_cli.data.dataset import datasets
from gan_cli.data.files.archive import Archive, open_archive
from gan_cli.data.files.facts import FileFacts, sizes_of
from gan_cli.data.files.image import Resize, Shape, fit, read_image, to_tensor
from gan_cli.data.files.image_names import image_names
from gan_cli.data.files.labels import Labels, labels_of
from gan_cli.data.files.store import Wanted
from gan_cli.data.files.survey import survey
from gan_cli.data.files.survey_cache import decoding
from gan_cli.data.files.survey_faults import broken_images, check_sizes
from gan_cli.data.files.unreadable import naming_file
from gan_cli.data.spec import image_spec
from gan_cli.utils.digest import short_hash
from gan_cli.utils.errors import DataError
from gan_cli.utils.kept import kept

MEASURED = 2000  # files whose sizes are read before a size is chosen
log = logging.getLogger(__name__)


@datasets.register("folder")
class Folder:
    """All images (PNG, JPEG, WebP, GIF, TIFF, AVIF, ...) below `path`, a folder or a zip archive.

    Images are resized to `height` x `width` or `size` x `size`. Without these they keep their size,
    which must be the same for all. `skipped` is the number of broken images that `skip_broken`
    leaves out. Large sets whose pixels are read faster than files are decoded are kept decoded in
    the cache folder, unless `store` says otherwise.
    """

    def __init__(
        self,
        archive: Archive | None = None,  # instead of that at `path`, which errors name
        nearest: bool = False,  # resize label maps
        *,
        path: str,
        labels: Labels = "none",
        channels: Literal[1, 3, 4] = 3,
        size: Pixels | None = None,
        height: Pixels | None = None,
        width: Pixels | None = None,
        resize: Resize = "none",
        hflip: bool = False,
        skip_broken: bool = False,
        store: Wanted = "auto",
    ) -> None:
        shape = Shape(channels, wanted_size(size, height, width, resize), resize, nearest)
        self.archive = archive or open_archive(path)
        names = image_names(self.archive, path)
        classes, class_names = labels_of(labels, self.archive, names)
        seen = survey(self.archive, names, shape, store)
        if seen.broken and not (skip_broken and len(seen.broken) < len(names)):
            raise ConfigError(broken_images(seen.broken, len(names)))
        check_sizes(seen, shape)
        sound = [i for i, name in enumerate(names) if name not in seen.broken]
        self.skipped = len(names) - len(sound)
        if self.skipped:
            log.warning("left out %d of %d images, which are broken", self.skipped, len(names))
        self.names = [names[i] for i in sound]
        self.label = torch.tensor([classes[i] for i in sound]) if classes else None
        self.pixels = None if seen.pixels is None else torch.from_numpy(seen.pixels)
        if self.pixels is not None and self.skipped:
            self.pixels = self.pixels[sound]
        self.stored, self.rows = seen.stored, sound
        self.decoded = None if self.stored is None else self.stored.open()
        sizes = [seen.found[name] for name in self.names]
        self.files = FileFacts(self.names, sizes, seen.broken)
        self.checksums = [seen.checksums[name] for name in self.names]
        self.spec = image_spec((channels, *seen.size), len(class_names), tuple(class_names))
        self.shape = replace(shape, size=seen.size)
        self.resize: Resize = resize
        self.nearest = nearest
        self.hflip = hflip

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:
        return frozenset({"real"} if options["labels"] == "none" else {"real", "label"})

    @classmethod
    def file_sizes(cls, options: Mapping[str, Any]) -> list[tuple[int, int]]:
        """Height and width of at most MEASURED readable files, which are spread over the data."""
        archive = open_archive(options["path"])
        names = image_names(archive, options["path"])
        every = -(-len(names) // MEASURED)
        return sizes_of(archive, names[::every])

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if self.decoded is not None:
            real = self.decoded[self.rows[index]]
        else:
            real = self.decode(index) if self.pixels is None else self.pixels[index]
        sample = {"real": real}
        return sample if self.label is None else sample | {"label": self.label[index]}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "decoded": None}  # each process maps the file itself

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.decoded = None if self.stored is None else self.stored.open()

    def decode(self, index: int) -> Tensor:
        """Returns the decoded and resized image (C, H, W) uint8.

        Raises DataError if its file is no longer the one that was read before.
        """
        channels, height, width = self.spec.shape
        where = self.archive.where(self.names[index])
        with naming_file(where):
            data = self.archive.read(self.names[index])
            if zlib.crc32(data) != self.checksums[index]:
                raise DataError(f"{where} has changed since it was first read")
            image = read_image(data, channels)
            return to_tensor(fit(image, height, width, self.resize, self.nearest))

    def tensors(self) -> dict[str, Tensor] | None:
        if self.pixels is None:
            return None
        return {"real": self.pixels} | ({} if self.label is None else {"label": self.label})

    def labels(self) -> Tensor | None:
        return self.label

    def modes(self) -> None:
        return None

    @kept
    def fingerprint(self) -> str:
        """Returns a hash of names, file contents and labels, equal for a folder and its zip."""
        labels = [] if self.label is None else self.label.tolist()
        content = repr((self.names, self.checksums, labels))
        return short_hash(content)

    def identity(self) -> dict[str, Any]:
        """Returns what its samples are a function of: the files, their shape, and the decoder."""
        return {"files": self.fingerprint(), **decoding(self.shape)}


def wanted_size(
    size: int | None, height: int | None, width: int | None, resize: Resize
) -> tuple[int, int] | None:
    """Returns (height, width), or None to keep the size; ConfigError lists contradictions."""
    faults = []
    if size is not None and (height, width) != (None, None):
        faults.append("dataset.size: stands for both height and width; drop it or them")
    elif (height is None) != (width is None):
        faults.append("dataset.height: goes with dataset.width; set both, or dataset.size")
    given = (size, size) if size is not None else (height, width)
    if resize != "none" and given == (None, None):
        faults.append(f"dataset.resize: '{resize}' needs a size; add dataset.size=64")
    if faults:
        raise ConfigError(*faults)
    return None if given[0] is None or given[1] is None else (given[0], given[1])
