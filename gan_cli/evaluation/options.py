"""The options of gan-fid and their validation. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gan_cli.config.key_names import conform_options
from gan_cli.config.named import Named
from gan_cli.config.quoting import typed_word
from gan_cli.config.ranges import Count, Finite, NonNegative, Pixels, Positive
from gan_cli.config.schema import Device
from gan_cli.sampling.cutoff import cutoff_errors
from gan_cli.sampling.options import Direction, Seeds
from gan_cli.sampling.source import source_errors
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import user_path

# Keys of the group metrics that may be typed without the prefix "metrics.".
SHORT_KEYS = ("features", "count", "real_count", "resize", "fast", "inception_weights")


def full_key(key: str) -> str:
    """Returns the full name of a short key, and other keys unchanged."""
    if key == "metrics":
        return "metrics.compute"
    return f"metrics.{key}" if key in SHORT_KEYS else key


@dataclass(frozen=True)
class ImageFiles:
    """How images in the folders and zip archives of `real` and `fake` are read."""

    channels: Literal[1, 3, 4] | None = None  # None: those of the other side, else 3
    size: Pixels | None = None
    height: Pixels | None = None
    width: Pixels | None = None
    resize: Literal["none", "crop", "stretch", "pad"] = "none"
    skip_broken: bool = False

    def protocol(self) -> dict[str, Any]:
        """Returns the entries of a metric card, which are empty for images as they are."""
        if self.resize == "none":
            return {}
        height, width = self.height or self.size, self.width or self.size
        return {"images": f"{self.resize} to {width}x{height}"}


@dataclass(frozen=True)
class FidOptions:
    """The keys of configs/fid.yaml, which explains them."""

    run: str | None = None
    checkpoint: str | None = None
    which: Any = "latest"
    weights: Literal["average", "live"] = "average"
    direction: Direction | None = None  # of models that translate both ways
    truncation: Finite | None = None
    truncations: tuple[Finite, ...] | None = None
    truncation_cutoff: Count | None = None
    sampler: Named | None = None  # of diffusion
    steps: Count | None = None
    guidance: NonNegative | None = None
    temperature: Positive | None = None  # of text
    seeds: Seeds | None = None
    real: str | None = None
    fake: str | None = None
    images: ImageFiles = field(default_factory=ImageFiles)
    dataset: Any = None  # keys and values
    metrics: Any = None  # config.Metrics, once torch is imported
    save: str | None = None
    output: str | None = None
    imports: tuple[str, ...] = ()
    device: Device = field(default_factory=Device)

    @property
    def all_seeds(self) -> tuple[int, ...]:
        return self.seeds or (0,)


def checked_options(tree: Any) -> FidOptions:
    """Returns validated options; raises one ConfigError that lists all errors."""
    faults: list[str] = []
    options = conform_options(FidOptions, tree, "fid", faults)
    faults = faults or [*side_errors(options), *file_errors(options), *device_errors(options)]
    if faults:
        raise ConfigError(*faults)
    return options


def device_errors(options: FidOptions) -> Iterator[str]:
    """Yields an error for reduced precision, which would change values that cards compare."""
    if options.device.precision != Device().precision:
        yield (
            "device.precision: gan-fid computes in float32, as evaluations in training do; leave "
            "it out (fast=true computes the Inception network in half precision)"
        )


def side_errors(options: FidOptions) -> Iterator[str]:
    """Yields errors in the choice of the two sides."""
    if options.fake is None:
        yield from source_errors(options, "gan-fid", " or, for files, real=PATH fake=PATH")
    else:
        truncation = ("truncation", "truncations", "truncation_cutoff")
        keys: tuple[str, ...] = ("run", "checkpoint", "direction", *truncation)
        keys += ("sampler", "steps", "guidance", "temperature", "seeds")
        for key in keys:
            if getattr(options, key) is not None:
                yield f"{key}: is for samples of a model, not of fake={options.fake}; drop one"
        if options.real is None and not options.dataset:
            yield "real: has no value; type real=PATH, or dataset=NAME"
    if options.truncations is not None:
        yield from curve_errors(options)
    elif options.fake is None:
        yield from cutoff_errors(options)
    if options.real is not None and options.dataset:
        yield "real: excludes dataset; leave one of them out"
    if options.images != ImageFiles() and not any(map(holds_images, (options.real, options.fake))):
        yield (
            "images: says how folders and zip archives of real= and fake= are read, and there are "
            "none; leave it out, or with dataset=folder type dataset.size=, dataset.resize=, ..."
        )


def curve_errors(options: FidOptions) -> Iterator[str]:
    """Yields errors of a curve of scores against the truncation."""
    if not options.truncations:
        yield "truncations: lists none; type truncations=0.5,0.7,1,1.5,2"
    if options.truncation is not None:
        yield "truncation: is one of truncations; leave one of them out"
    for key in "output", "save":
        if getattr(options, key) is not None:
            yield f"{key}: is one file, and truncations write several; leave it out"


def holds_images(path: str | None) -> bool:
    """Returns whether a side is a folder or a zip archive of images."""
    return path is not None and Path(path).suffix != ".npz"


def file_errors(options: FidOptions) -> Iterator[str]:
    """Yields errors of paths."""
    for key in "real", "fake":
        path = getattr(options, key)
        if path is not None and not user_path(path).exists():
            yield f"{key}: no file or folder {path}"
    for key, suffix in (("save", ".npz"), ("output", ".json")):
        path = getattr(options, key)
        if path is not None and user_path(path).exists():
            yield f"{key}: {path} already exists; type another, or remove it"
        if path is not None and Path(path).suffix != suffix:
            named = Path(path).with_suffix(suffix) if Path(path).name else Path(path, f"x{suffix}")
            yield f"{key}: is a {suffix} file; type {typed_word(key, named)}"
