"""Embeds pictures in a page: unchanged if they are small, else as JPEG of limited size."""

import base64
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from gan_cli.report.html import Markup, tag

T = TypeVar("T")
QUALITY = 85  # of JPEGs; smaller pictures look better than a lower quality
SMALL = 30_000  # bytes of a picture, of which thousands may be remembered


def evenly_spaced(items: Sequence[T], most: int) -> list[T]:
    """At most `most` items at even intervals, including the first and the last."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def embed_image(path: Path, budget: int, alt: str, rows: int | None = None) -> Markup:
    """An <img> of at most about `budget` bytes, cropped to the top `rows` pixel rows if given."""
    encode = encode_small if budget <= SMALL else encode_large
    try:
        kind, data, (width, height) = encode(path, path.stat().st_mtime_ns, budget, rows)
    except (OSError, SyntaxError):  # a truncated PNG, e.g. after the disk was full
        return tag("p", f"{path.name} cannot be read", class_="muted")
    return embedded(kind, data, (width, height), alt)


def embed_array(picture: np.ndarray, alt: str) -> Markup:
    """An <img> of pixels (height, width, C) uint8, as PNG."""
    image, data = Image.fromarray(picture.squeeze()), BytesIO()
    image.save(data, "png")
    return embedded("png", data.getvalue(), image.size, alt)


def embedded(kind: str, data: bytes, size: tuple[int, int], alt: str) -> Markup:
    """An <img> that holds its data; small ones are enlarged without interpolation."""
    width, height = size
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    pixels = "pixels" if width <= 400 else None
    return tag("img", src=uri, alt=alt, width=width, height=height, class_=pixels)


def encode_image(
    path: Path,
    changed: int,  # noqa: ARG001  # when the file was, for the caches below
    budget: int,
    rows: int | None,
) -> tuple[str, bytes, tuple[int, int]]:
    """Format ("png" or "jpeg"), bytes, and (width, height) of the picture to embed."""
    with Image.open(path) as image:
        height, size = min(rows or image.height, image.height), path.stat().st_size
        if height == image.height and size <= budget:
            return "png", path.read_bytes(), image.size
        picture = image.crop((0, 0, image.width, height))
        data = BytesIO()
        if size * height <= 2 * budget * image.height:  # PNG is slow; is it likely to fit?
            picture.save(data, "png")
            if len(data.getvalue()) <= budget:
                return "png", data.getvalue(), picture.size
        picture = without_alpha(picture)
        while True:
            data = BytesIO()
            picture.save(data, "jpeg", quality=QUALITY)
            if len(data.getvalue()) <= budget or min(picture.size) < 64:
                return "jpeg", data.getvalue(), picture.size
            picture = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4))


# The report of a run is written anew at each evaluation, that of a sweep after each job.
encode_large = lru_cache(maxsize=128)(encode_image)
encode_small = lru_cache(maxsize=4096)(encode_image)


def without_alpha(image: Image.Image) -> Image.Image:
    """The image as RGB, composited over white, since JPEG has no alpha channel."""
    if "A" not in image.getbands():
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
