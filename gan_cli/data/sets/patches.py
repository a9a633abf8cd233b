"""Square patches of images of any sizes, such as photos, for super-resolution."""

import logging
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Any, Literal

import torch
from torch import Tensor

from gan_cli.config.ranges import Count, Pixels
from gan_cli.data.dataset import datasets
from gan_cli.data.files.archive import open_archive
from gan_cli.data.files.examine import cores
from gan_cli.data.files.image import read_image, to_tensor
from gan_cli.data.files.image_names import image_names, listing
from gan_cli.data.files.photo_store import open_photos, store_photos
from gan_cli.data.files.rasters import ARRAY, from_array
from gan_cli.data.files.store import Wanted
from gan_cli.data.files.survey import KEPT_BYTES
from gan_cli.data.files.survey_faults import broken_images
from gan_cli.data.files.unreadable import naming_file
from gan_cli.data.spec import image_spec
from gan_cli.utils.digest import short_hash
from gan_cli.utils.errors import ConfigError, DataError
from gan_cli.utils.kept import kept

log = logging.getLogger(__name__)


@datasets.register("patches")
class Patches:
    """All patches of size x size pixels, on a grid, of the images below a folder or zip archive.

    The last patch of a row or column ends at the border of the image. Images that take 2 GiB in all
    are kept in memory. Of others, patches are read alone: from files that are not compressed, and
    from the file of decoded images that `store` makes; without it, an image is decoded whenever a
    patch of it is asked for. `groups` (N,) is the number of the image that a patch belongs to, so
    that an image is trained on or held out as a whole.
    """

    def __init__(
        self,
        *,
        path: str,
        size: Pixels = 96,  # pixels per side of a patch
        stride: Count | None = None,  # pixels from a patch to the next; null: half the size
        channels: Literal[1, 3, 4] = 3,
        hflip: bool = False,
        skip_broken: bool = False,
        store: Wanted = "auto",
    ) -> None:
        self.archive = open_archive(path)
        self.size, self.channels, self.hflip = size, channels, hflip
        names = image_names(self.archive, path, (ARRAY,))
        photos = open_photos(self.archive, names, channels)
        broken, self.names, self.checksums = photos.broken, photos.names, photos.checksums
        if broken and not (skip_broken and len(broken) < len(names)):
            raise ConfigError(broken_images(broken, len(names)))
        if broken:
            log.warning("left out %d of %d images, which are broken", len(broken), len(names))
        shapes = photos.sizes
        small = [n for n, s in zip(self.names, shapes, strict=True) if min(s) < size]
        if small:
            least = min(map(min, shapes))
            raise ConfigError(
                f"dataset.size: is {size}, and {listing(small)} of {len(self.names)} images are "
                f"smaller; type dataset.size={least}, or leave them out"
            )
        self.rasters = photos.rasters
        self.images: list[Tensor | None] = [None] * len(self.names)  # (C, H, W) uint8
        if store is True or sum(h * w for h, w in shapes) * channels > KEPT_BYTES:
            stored = store_photos(self.archive, photos, channels, store)
        else:
            self.rasters = [r if r is not None and r.only_way else None for r in self.rasters]
            stored = False
        if not stored:
            self.keep(shapes)
        step = stride or max(size // 2, 1)
        self.places = torch.cat(
            [places(i, shape, size, step) for i, shape in enumerate(shapes)]
        )  # (N, 3): image, top, left
        self.groups = self.places[:, 0]
        self.spec = image_spec((channels, size, size))
        self.stride = step

    def keep(self, shapes: Sequence[tuple[int, int]]) -> None:
        """Decodes images into memory, the first ones that fit into KEPT_BYTES."""
        others = [i for i, raster in enumerate(self.rasters) if raster is None]
        taken = accumulate(shapes[i][0] * shapes[i][1] * self.channels for i in others)
        chosen = [i for i, held in zip(others, taken, strict=True) if held <= KEPT_BYTES]
        with ThreadPoolExecutor(cores()) as pool:
            for i, image in zip(chosen, pool.map(self.decode, chosen), strict=True):
                self.images[i] = image

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return frozenset({"real"})

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        which, top, left = self.places[index].tolist()
        image, raster = self.images[which], self.rasters[which]
        if raster is not None:
            return {"real": raster.cut(top, left, self.size, self.size)}
        image = self.decode(which) if image is None else image
        return {"real": image[:, top : top + self.size, left : left + self.size].contiguous()}

    def decode(self, which: int) -> Tensor:
        """Returns an image (C, H, W); DataError if its file is not the one that was read before."""
        where = self.archive.where(self.names[which])
        with naming_file(where):
            data = self.archive.read(self.names[which])
            if zlib.crc32(data) != self.checksums[which]:
                raise DataError(f"{where} has changed since it was first read")
            if self.names[which].lower().endswith(ARRAY):
                return from_array(data)
            return to_tensor(read_image(data, self.channels))

    def tensors(self) -> None:
        return None

    def labels(self) -> None:
        return None

    def modes(self) -> None:
        return None

    @kept
    def fingerprint(self) -> str:
        """Returns a hash of names, file contents and the grid."""
        content = repr((self.names, self.checksums, self.size, self.stride))
        return short_hash(content)


def places(image: int, shape: tuple[int, int], size: int, step: int) -> Tensor:
    """Returns number, top and left (N, 3) of the patches of an image, row by row."""
    rows, columns = (starts(length, size, step) for length in shape)
    return torch.tensor([(image, top, left) for top in rows for left in columns])


def starts(length: int, size: int, step: int) -> list[int]:
    """Returns where patches start along an axis; the last ends at the border."""
    return [*range(0, length - size, step), length - size]
