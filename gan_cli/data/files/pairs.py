"""Pairs of image files: of equal names in two places, or the halves of images side by side."""

import io
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from gan_cli.data.files.archive import Archive
from gan_cli.data.files.image import upright
from gan_cli.data.files.stamps import Stamp
from gan_cli.utils.errors import ConfigError

Half = Literal["left", "right"]
LISTED = 5  # names in an error
STORED = ("1", "L", "LA", "P", "RGB", "RGBA")  # modes that a PNG holds as they are


class HalfArchive:
    """The left or right halves of the images A|B of an archive."""

    def __init__(self, archive: Archive, half: Half) -> None:
        self.archive, self.half, self.names = archive, half, archive.names

    @property
    def source(self) -> str:
        return f"{self.archive.source}, {self.half} halves"

    def stamp(self, name: str) -> Stamp:
        return self.archive.stamp(name)

    def read(self, name: str) -> bytes:
        """Returns a PNG file of the half; ValueError if there are no halves of equal width."""
        image = upright(self.archive.read(name))
        if image.width % 2:
            raise ValueError(f"its width is odd, {image.width}: the halves of A|B are equally wide")
        middle = image.width // 2
        box = (0, 0, middle, image.height)
        if self.half == "right":
            box = (middle, 0, image.width, image.height)
        half, file = image.crop(box), io.BytesIO()
        clear = image.info.get("transparency")
        kept = half if half.mode in STORED else half.convert("RGB")
        options = {} if clear is None else {"transparency": clear}
        kept.save(file, "PNG", compress_level=0, **options)
        return file.getvalue()

    def where(self, name: str) -> str:
        return self.archive.where(name)


@dataclass(frozen=True)
class Matched:
    """Positions of files of equal names on both sides; `names` are without suffixes."""

    names: list[str]
    source: list[int]
    target: list[int]


def matched(
    source: Sequence[str],
    target: Sequence[str],
    skip_unmatched: bool,
    broken: frozenset[str] = frozenset(),
) -> Matched:
    """Pairs the files of two places by their names without suffixes.

    Raises ConfigError, with the names, for files without a partner, unless these are left out or
    the partner is one of the names `broken`, and for two files of a place with one name.
    """
    sides = {"source": by_stem(source, "source"), "target": by_stem(target, "target")}
    names = sorted(sides["source"].keys() & sides["target"].keys())
    faults = []
    for key, other in (("source", "target"), ("target", "source")):
        alone = sorted(sides[key].keys() - sides[other].keys() - broken)
        if alone and (not skip_unmatched or not names):
            faults.append(
                f"dataset.{key}: {listed(alone)} of {len(sides[key])} images without a partner of "
                f"the same name in dataset.{other}; rename them"
                + (", or type dataset.skip_unmatched=true to leave them out" if names else "")
            )
    if faults:
        raise ConfigError(*faults)
    return Matched(names, *([sides[key][name] for name in names] for key in sides))


def by_stem(names: Sequence[str], key: str) -> dict[str, int]:
    """Positions of files by name without suffix; ConfigError if two have the same."""
    found = defaultdict(list)
    for position, name in enumerate(names):
        found[os.path.splitext(name)[0]].append(position)
    double = [positions for positions in found.values() if len(positions) > 1]
    if double:
        shown = "; ".join(" and ".join(names[i] for i in group) for group in double[:LISTED])
        more = f"; and {len(double) - LISTED} more" if len(double) > LISTED else ""
        raise ConfigError(
            f"dataset.{key}: {len(double)} names occur more than once: {shown}{more}; a pair has "
            "one image of each name, whatever its format: remove or rename the others"
        )
    return {stem: positions[0] for stem, positions in found.items()}


def without_suffixes(names: Iterable[str]) -> frozenset[str]:
    return frozenset(os.path.splitext(name)[0] for name in names)


def listed(names: Sequence[str]) -> str:
    """The number of names, and the first of them."""
    more = ", ..." if len(names) > LISTED else ""
    return f"{len(names)} ({', '.join(names[:LISTED])}{more})"
