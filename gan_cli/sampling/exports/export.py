"""Export formats of gan-sample and their registry. Imports no torch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.config.registry import Registry
from gan_cli.utils.text import unknown

if TYPE_CHECKING:
    from torch import Tensor

    from gan_cli.data.spec import Field


@dataclass(frozen=True)
class DrawnSamples:
    """Samples to be written: one for each seed, or interpolations from each seed to the next."""

    samples: "Tensor"  # (N, *shape) in stored form: uint8 images, int16 sound, ...
    field: "Field"
    seeds: tuple[int, ...]
    labels: list[int] | None  # of the samples
    label_names: list[str] | None  # of the samples
    between: int | None = None  # frames between two seeds of a walk
    columns: int | None = None  # of a grid
    named: bool = False  # do the classes have names, besides numbers?
    loop: bool = False  # does a walk end where it begins?


@dataclass(frozen=True)
class Export:
    """A function that writes samples into a folder and returns its files.

    `kinds` are the kinds of samples that it writes. If `walk` is true, it writes interpolations,
    else one sample for each seed; None: both. `modules` are those that it needs, `install` what to
    pip install.
    """

    write: Callable[[Path, DrawnSamples], list[Path]]
    kinds: frozenset[str] | None  # None: all
    walk: bool | None
    modules: tuple[str, ...]
    install: str
    shows: Callable[["Field"], bool]


exports: Registry[Export] = Registry("format")
# Of photos and videos that a model translates; `input` is the format of the file itself.
PHOTO_FORMATS = ("png", "input", "mp4", "gif")
Write = Callable[[Path, DrawnSamples], list[Path]]


def export(
    name: str,
    *,
    kinds: Sequence[str] | None = None,
    walk: bool | None = False,
    modules: tuple[str, ...] = (),
    install: str = "",
    shows: Callable[["Field"], bool] = lambda _: True,
) -> Callable[[Write], Write]:
    """Registers an export format; `shows` may exclude some shapes of these kinds."""

    def decorate(write: Write) -> Write:
        of_kinds = None if kinds is None else frozenset(kinds)
        exports.register(name)(Export(write, of_kinds, walk, modules, install, shows))
        return write

    return decorate


def fits(name: str, field: "Field") -> bool:
    """Returns whether samples of this kind and shape can be written in this format."""
    found = exports.entries[name]
    return (found.kinds is None or field.kind in found.kinds) and found.shows(field)


def fitting(field: "Field", walk: bool) -> list[str]:
    """Returns the formats for samples of this kind and shape."""
    return [
        name for name, e in exports.entries.items() if e.walk in (walk, None) and fits(name, field)
    ]


def check_formats(
    names: Sequence[str], walk: bool, task: str, photos: bool = False
) -> Iterator[str]:
    """Yields errors of the formats that can be detected without the samples.

    With `photos`, samples may be the outputs of photos and videos, which have PHOTO_FORMATS.
    """
    known = {*exports.entries, *(PHOTO_FORMATS if photos else ())}
    for name in names:
        if not isinstance(name, str) or name not in known:
            yield f"format: {unknown('format', name, known)}"
            continue
        if name not in exports.entries:
            continue
        found = exports.entries[name]
        of_photos = photos and name in PHOTO_FORMATS
        if task == "sample" and found.walk and not walk and not of_photos:
            yield f"format: '{name}' shows interpolations from seed to seed; add interpolate=8"
        elif task == "sample" and walk and found.walk is False:
            yield f"format: '{name}' shows one sample per seed; to interpolate type format=gif"
        elif not all(map(find_spec, found.modules)):
            yield f"format: '{name}' needs pip install '{found.install}'"
