"""Sample grids inside a page: as they are while they are small, else as JPEG within a budget."""

import base64
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TypeVar

from PIL import Image

from gan_cli.report.html import Markup, tag

T = TypeVar("T")
QUALITY = 85  # of a JPEG; halving the size costs less than a lower quality shows


def thinned(items: Sequence[T], most: int) -> list[T]:
    """At most `most`, evenly spread; the first and the last always."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def embedded(path: Path, budget: int, alt: str, rows: int | None = None) -> Markup:
    """An <img> of at most about `budget` bytes; `rows` pixel rows of its top where given."""
    try:
        kind, data, (width, height) = encoded(path, budget, rows)
    except (OSError, SyntaxError):  # a PNG that a full disk cut short
        return tag("p", f"{path.name} cannot be read", class_="muted")
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    pixels = "pixels" if width <= 400 else None  # few enough that enlarging blurs them
    return tag("img", src=uri, alt=alt, width=width, height=height, class_=pixels)


def encoded(path: Path, budget: int, rows: int | None) -> tuple[str, bytes, tuple[int, int]]:
    with Image.open(path) as image:
        height = min(rows or image.height, image.height)
        if height == image.height and path.stat().st_size <= budget:
            return "png", path.read_bytes(), image.size
        picture = image.crop((0, 0, image.width, height))
        data = BytesIO()
        picture.save(data, "png")
        while len(data.getvalue()) > budget:
            data = BytesIO()
            opaque(picture).save(data, "jpeg", quality=QUALITY)
            if min(picture.size) < 64:
                break
            picture = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4))
        kind = "png" if data.getvalue().startswith(b"\x89PNG") else "jpeg"
        return kind, data.getvalue(), picture.size


def opaque(image: Image.Image) -> Image.Image:
    """On white: JPEG has no alpha."""
    if "A" not in image.getbands():
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
