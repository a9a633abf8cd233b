"""The options of gan-sample and their validation. Imports no torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from gan_cli.config.key_names import conform_options
from gan_cli.config.named import Named
from gan_cli.config.quoting import typed_word
from gan_cli.config.ranges import (
    LARGEST_DRAW,
    BatchSize,
    Count,
    Finite,
    Natural,
    NonNegative,
    Pixels,
    Positive,
    Range,
    Samples,
    Share,
)
from gan_cli.config.schema import Device
from gan_cli.sampling.cutoff import cutoff_errors
from gan_cli.sampling.exports import check_formats, exports
from gan_cli.sampling.source import source_errors
from gan_cli.sampling.tasks import BUILT_IN
from gan_cli.utils.discovery import import_modules
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.lists import several
from gan_cli.utils.paths import user_path
from gan_cli.utils.text import unknown

EVERY_TASK = frozenset({"task", "run", "checkpoint", "output", "imports", "device"})
EVERY_MODEL = frozenset({"which", "weights", "blend", "alpha"})  # of tasks with a checkpoint
Direction = Literal["forward", "backward"]  # of models that translate both ways
Way = Literal["slerp", "linear", "cubic"]  # of interpolations


class Seeds(tuple[int, ...]):
    """A tuple of seeds; in configs 5, "0-63", or a list of these."""

    @classmethod
    def from_config(cls, value: Any, where: str, faults: list[str]) -> "Seeds":
        seeds: list[int] = []
        for item in several(value):
            first, dash, last = str(item).partition("-")
            if not (first.isdecimal() and (last.isdecimal() or not dash)):
                faults.append(
                    f"{where}: cannot read {item!r}; type {where}=0-63 or {where}=3,7,10-12"
                )
            elif dash and int(last) < int(first):
                faults.append(f"{where}: {item} runs backwards; type {last}-{first}")
            elif int(last or first) >= 2**64:
                faults.append(f"{where}: {item} is too large; seeds are below 2^64")
            elif len(seeds) + int(last or first) - int(first) >= LARGEST_DRAW:
                faults.append(f"{where}: must list at most {LARGEST_DRAW:,}; draw them in parts")
            else:
                seeds += range(int(first), int(last or first) + 1)
        if not seeds and not faults:
            faults.append(f"{where}: lists none; type {where}=0-63")
        return cls(seeds)


@dataclass(frozen=True)
class SampleOptions:
    """The keys of configs/sample.yaml, which explains them."""

    task: str = "sample"
    run: str | None = None
    checkpoint: str | None = None
    which: Any = "latest"  # "best", or a step
    weights: Literal["average", "live"] = "average"
    input: str | None = None
    dataset: Any = None  # keys and values
    target: str | None = None  # which field of a sample; None: the first
    direction: Direction | None = None  # stands for a target
    anomalous: Any = None  # classes, by number or name
    attribute: Any = None  # two of them
    method: Literal["sefa", "ganspace", "jacobian"] | None = None  # None: as the generator allows
    layer: str | None = None  # None: the first one that reads the latent
    directions: Count | None = None
    strength: Finite | None = None
    steps: Count | None = None
    distance: Named = field(default_factory=lambda: Named(name="pixels"))  # of samples
    candidates: Annotated[int, Range(least=0, limit=10**5)] = 256
    noise_maps: bool = False  # of the layers of StyleGAN2 are found, too
    pull: NonNegative = 0.0
    sampler: Named | None = None  # of diffusion
    guidance: NonNegative | None = None
    prompt: str | None = None  # of text
    temperature: Positive | None = None  # of text
    mask: str | None = None  # of inpainting: a half, or an image file
    count: Samples | None = None
    seeds: Seeds | None = None
    styles: Seeds | None = None
    layers: Any = None  # coarse, middle, fine, numbers or ranges of numbers
    label: Any = None  # a class, by number or name, or a list of them
    truncation: Finite | None = None
    truncation_cutoff: Count | None = None  # layers with styles
    interpolate: Count | None = None
    space: Literal["z", "w", "wplus"] | None = None  # None: as the task suggests
    way: Way | None = None  # None: as the space suggests
    loop: bool = False
    format: Any = None  # names of export formats
    columns: Count | None = None
    batch_size: BatchSize = 64  # samples drawn at a time
    tile: Pixels | None = None  # of photos; None: as the memory of an output of 2048 x 2048 allows
    overlap: Natural | None = None  # of tiles; None: as far as the networks see
    blend: str | None = None  # a run whose weights are mixed in
    alpha: Share | None = None  # of the model's own weights; None: 0.8
    output: str | None = None
    imports: tuple[str, ...] = ()
    device: Device = field(default_factory=Device)

    @property
    def formats(self) -> list[str]:
        """The export formats asked for; [] if none."""
        return [] if self.format is None else several(self.format)

    @property
    def labels(self) -> list[Any] | None:
        """The classes asked for, by number or name; None if none."""
        return None if self.label is None else several(self.label)

    @property
    def sampler_options(self) -> dict[str, Any] | None:
        """The sampler asked for: its name and options, with `steps`; None if none is."""
        return sampler_options(self.sampler, self.steps)

    def given_keys(self) -> set[str]:
        """Returns the keys that differ from their defaults, except those of all tasks."""
        default = SampleOptions()
        names = {f.name for f in fields(self)} - EVERY_TASK
        return {name for name in names if getattr(self, name) != getattr(default, name)}

    def all_seeds(self, default_count: int) -> tuple[int, ...]:
        """Returns `seeds`, or the first `count` or `default_count` seeds."""
        return self.seeds or tuple(range(default_count if self.count is None else self.count))


def checked_options(tree: Any) -> SampleOptions:
    """Returns validated options; raises one ConfigError that lists all errors."""
    faults: list[str] = []
    options = conform_options(SampleOptions, tree, "sample", faults)
    if not faults:
        import_modules(options.imports)
        if options.task not in BUILT_IN and not options.imports:  # imports may register tasks
            faults.append(f"task: {unknown('task', options.task, BUILT_IN)}")
        faults += [*source_errors(options, "gan-sample"), *number_errors(options)]
        faults += cutoff_errors(options)
        walk = options.interpolate is not None
        photos = options.task == "sample" and options.input is not None
        faults += check_formats(options.formats, walk, options.task, photos)
        faults += output_errors(options)
    if faults:
        raise ConfigError(*faults)
    return options


def sampler_options(sampler: Mapping[str, Any] | None, steps: int | None) -> dict[str, Any] | None:
    """Returns the options of a sampler of diffusion, with `steps`; None if none are given."""
    return {**(sampler or {}), **({} if steps is None else {"steps": steps})} or None


def plain_space(options: SampleOptions) -> Literal["z", "w"]:
    """Returns the space of a task that moves latents, by default z."""
    if options.space == "wplus":
        raise ConfigError("space: 'wplus' is for task=invert; type space=w")
    return options.space or "z"


def code_space(options: SampleOptions) -> Literal["z", "w"] | None:
    """Returns the space of the codes of an encoder; None: that which it finds."""
    if options.space == "wplus" and options.task == "invert":
        return "w"
    return options.space and plain_space(options)


def number_errors(options: SampleOptions) -> Iterator[str]:
    """Yields errors of numbers of samples."""
    if options.seeds and options.count not in (None, len(options.seeds)):
        yield f"count: is {options.count}, but seeds lists {len(options.seeds)}; leave one out"
    walks = options.task == "sample" and options.interpolate
    if walks and len(options.all_seeds(default_count=8)) < 2:
        yield "interpolate: goes from seed to seed; name two or more, as in seeds=3,7"
    if options.task == "sample" and not options.interpolate:
        for key in ("space", "way", "loop"):
            if getattr(options, key):
                yield f"{key}: is for interpolations; add interpolate=8, or leave it out"


def output_errors(options: SampleOptions) -> Iterator[str]:
    """Yields errors of inputs and outputs."""
    if options.columns is not None and options.formats and "grid" not in options.formats:
        yield "columns: is for format=grid; leave it out"
    if options.alpha is not None and options.blend is None:
        yield "alpha: is of blend; add blend=RUN, or leave it out"
    if options.input is not None and not user_path(options.input).exists():
        yield f"input: no file or folder {options.input}"
    if options.input is not None and options.dataset is not None:
        yield "input: excludes dataset; leave one of them out"
    output = Path(options.output or "")
    if output.suffix[1:] in exports.entries:
        yield f"output: is a folder; type {typed_word('output', output.with_suffix(''))}"


def no_inputs(options: SampleOptions) -> str:
    """Returns the error of a task, or a model, that needs inputs and has none."""
    return (
        f"input: task={options.task} needs samples; type input=FOLDER (or a zip or npz file), or "
        "dataset=NAME, one of the two"
    )
