"""Archives whose images are parts of, or made from, those of another archive."""

import io
from typing import Any, Literal

import numpy as np
from PIL import Image

from gan_cli.data.files.archive import Archive
from gan_cli.data.files.image import upright
from gan_cli.data.files.stamps import Stamp

Half = Literal["left", "right"]
STORED = ("1", "L", "LA", "P", "RGB", "RGBA")  # modes that a PNG holds as they are
UNLABELLED = 255  # pixels without a class, by convention


class View:
    """The files of another archive, as PNG files with other content."""

    def __init__(self, archive: Archive, name: str) -> None:
        self.archive, self.name, self.names = archive, name, archive.names

    @property
    def source(self) -> str:
        return f"{self.archive.source}, {self.name}"

    def stamp(self, name: str) -> Stamp:
        return self.archive.stamp(name)

    def where(self, name: str) -> str:
        return self.archive.where(name)

    def read(self, name: str) -> bytes:
        data = self.archive.read(name)
        if not data:
            return data  # the survey says so
        image = upright(data)
        options: dict[str, Any] = {}
        if (clear := image.info.get("transparency")) is not None:
            options["transparency"] = clear
        changed, file = self.changed(image), io.BytesIO()
        changed.save(file, "PNG", compress_level=0, **options)
        return file.getvalue()

    def changed(self, image: Image.Image) -> Image.Image:
        """Returns the image in a mode that a PNG holds; ValueError for one that does not fit."""
        raise NotImplementedError


class HalfArchive(View):
    """The left or right halves of the images A|B of an archive."""

    def __init__(self, archive: Archive, half: Half) -> None:
        super().__init__(archive, f"{half} halves")
        self.half = half

    def changed(self, image: Image.Image) -> Image.Image:
        if image.width % 2:
            raise ValueError(f"its width is odd, {image.width}: the halves of A|B are equally wide")
        left, middle = image.width // 2 * (self.half == "right"), image.width // 2
        half = image.crop((left, 0, left + middle, image.height))
        return half if half.mode in STORED else half.convert("RGB")


class LabelMaps(View):
    """Gray or palette images, whose pixels are numbers of `classes`, as gray images."""

    def __init__(self, archive: Archive, classes: int) -> None:
        super().__init__(archive, f"maps of {classes} classes")
        self.classes = classes

    def changed(self, image: Image.Image) -> Image.Image:
        return Image.fromarray(class_numbers(image, self.classes))


def class_numbers(image: Image.Image, classes: int) -> np.ndarray:
    """Returns the pixels (H, W) uint8 of a label map; ValueError if they are no classes."""
    if image.mode not in ("1", "L", "P"):
        raise ValueError(
            f"an image of mode {image.mode}; label maps are gray or have a palette, and their "
            "pixels are numbers of classes"
        )
    numbers = np.asarray(image).astype(np.uint8)
    wrong = numbers[(numbers >= classes) & (numbers != UNLABELLED)]
    if wrong.size:
        raise ValueError(
            f"has class {wrong.max()}, and the classes of dataset.source_classes={classes} are "
            f"0 to {classes - 1} (255: none)"
        )
    return numbers
