"""What may be asked of gan-sample. Imports no torch: what is wrong here is told at once."""

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Protocol

from gan_cli.config.registry import conform
from gan_cli.config.schema import Device
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import unknown

STILLS = ("grid", "png", "plot", "npz")  # one sample a seed
WALKS = ("strip", "gif", "mp4")  # frames from seed to seed
Task = Literal[
    "sample",
    "reconstruct",
    "encode",
    "interpolate",
    "attribute",
    "anomaly",
    "evaluate",
    "invert",
    "film",
]
DRAWS = ("seeds", "label", "truncation", "format", "columns")  # keys of task=sample alone
READS = ("input", "dataset")  # keys of the tasks on given images
OWN = {"anomalous": "anomaly", "attribute": "attribute", "strength": "attribute", "steps": "invert"}
FILMS = ("gif", "mp4")
FILMED = ("task", "run", "format", "output", "device")  # keys of task=film
TRAINING_ONLY = ("compile", "resident", "resident_gib", "workers")  # of the device group


class Seeds(tuple[int, ...]):
    """Config: 5, "0-63", or a list of such."""

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
            else:
                seeds += range(int(first), int(last or first) + 1)
        if not seeds and not faults:
            faults.append(f"{where}: lists none; type {where}=0-63")
        return cls(seeds)


@dataclass(frozen=True)
class SampleConfig:
    """The keys of configs/sample.yaml, which explains them."""

    task: Task = "sample"
    run: str | None = None
    checkpoint: str | None = None
    which: Any = "latest"  # "best", or a step
    weights: Literal["average", "live"] = "average"
    input: str | None = None
    dataset: Any = None  # keys and values
    anomalous: Any = None  # classes, by number or name
    attribute: Any = None  # two of them
    strength: float | None = None
    steps: int | None = None
    count: int | None = None
    seeds: Seeds | None = None
    label: Any = None  # a class, by number or name, or a list of them
    truncation: float | None = None
    interpolate: int | None = None
    format: Any = None  # of STILLS or, to interpolate, of WALKS
    columns: int | None = None
    output: str | None = None
    imports: tuple[str, ...] = ()
    device: Device = field(default_factory=Device)

    @property
    def formats(self) -> list[str]:
        usual = "gif" if self.task == "film" else "strip" if self.interpolate else "grid"
        return several(self.format or usual)

    def all_seeds(self, usual: int = 64) -> tuple[int, ...]:
        """What was asked for, or the first `usual` ones; of a walk there are 8."""
        default = 8 if self.interpolate else usual
        return self.seeds or tuple(range(default if self.count is None else self.count))


def several(value: Any) -> list[Any]:
    """One value or a list of them; on a command line "3,5" is a list."""
    if isinstance(value, str):
        return [item.strip() for item in value.split(",")]
    return list(value) if isinstance(value, list | tuple) else [value]


def checked(tree: Any) -> SampleConfig:
    """ConfigError lists all that is wrong before a checkpoint is opened."""
    faults: list[str] = []
    config: SampleConfig = conform(SampleConfig, tree, "", faults)
    faults = faults or [*sources(config), *tasks(config), *numbers(config), *formats(config)]
    if faults:
        raise ConfigError(*faults)
    return config


class Source(Protocol):
    """Which checkpoint, on which device: the part of a config that gan-fid has too."""

    @property
    def run(self) -> str | None: ...
    @property
    def checkpoint(self) -> str | None: ...
    @property
    def which(self) -> Any: ...
    @property
    def device(self) -> Device: ...


def sources(config: Source, instead: str = "") -> Iterator[str]:
    if config.run is None and config.checkpoint is None:
        runs = ", ".join(known_runs()[:5]) or "none in ./outputs"
        yield f"run: has no value; type run=NAME or checkpoint=PATH{instead}. Newest runs: {runs}"
    if config.run is not None and config.checkpoint is not None:
        yield "run: excludes checkpoint; leave one of them out"
    if config.checkpoint is not None and not Path(config.checkpoint).is_file():
        yield f"checkpoint: no file {config.checkpoint}; type run=NAME for the newest one of a run"
    if config.which not in ("latest", "best") and type(config.which) is not int:
        yield f"which: {unknown('choice', config.which, ('latest', 'best', 'a step'))}"
    if config.run is None and config.which != "latest":
        yield "which: chooses among the checkpoints of a run; leave it out, or type run=NAME"
    for key in TRAINING_ONLY:
        if getattr(config.device, key) != getattr(Device(), key):
            yield f"device.{key}: is for training; leave it out"


def tasks(config: SampleConfig) -> Iterator[str]:
    """What goes with sampling does not go with tasks on given images, and the reverse."""
    if config.task == "film":
        yield from filmed(config)
        return
    reads = config.task != "sample"
    for key in DRAWS if reads else READS:
        if getattr(config, key) is not None:
            yield f"{key}: does nothing with task={config.task}; leave it out"
    if reads and (config.input is None) == (config.dataset is None):
        yield (
            f"input: task={config.task} needs images; type input=FOLDER (or a zip or npz file), "
            "or dataset=NAME, one of the two"
        )
    if config.input is not None and not Path(config.input).expanduser().exists():
        yield f"input: no file or folder {config.input}"
    if reads and config.task != "interpolate" and config.interpolate is not None:
        yield "interpolate: goes from image to image; add task=interpolate"
    for key, task in OWN.items():
        if getattr(config, key) is not None and config.task != task:
            yield f"{key}: does nothing with task={config.task}; leave it out"
    if config.task == "attribute" and config.attribute is None:
        yield "attribute: has no value; type the two classes that it leads between: attribute=7,1"


def filmed(config: SampleConfig) -> Iterator[str]:
    """A film is made of pictures that are there; no network draws any."""
    if config.run is None:
        yield "run: has no value; task=film shows the pictures of a run, type run=NAME"
    for key in fields(SampleConfig):
        if key.name not in FILMED and getattr(config, key.name) != key.default:
            yield f"{key.name}: does nothing with task=film; leave it out"


def numbers(config: SampleConfig) -> Iterator[str]:
    for key in "count", "interpolate", "columns", "steps":
        value = getattr(config, key)
        if value is not None and value < 1:
            yield f"{key}: must be at least 1, got {value}"
    if config.seeds and config.count not in (None, len(config.seeds)):
        yield f"count: is {config.count}, but seeds lists {len(config.seeds)}; leave one out"
    if config.task == "sample" and config.interpolate and len(config.all_seeds()) < 2:
        yield "interpolate: goes from seed to seed; name two or more, as in seeds=3,7"


def formats(config: SampleConfig) -> Iterator[str]:
    fitting = FILMS if config.task == "film" else WALKS if config.interpolate else STILLS
    for name in config.formats:
        if name in fitting:
            continue
        if config.task == "film":
            yield f"format: {unknown('format of films', name, fitting)}"
        elif name in STILLS:
            yield f"format: '{name}' shows one image a seed; to interpolate type format=gif"
        elif name in WALKS:
            yield f"format: '{name}' shows the way from seed to seed; add interpolate=8"
        else:
            yield f"format: {unknown('format', name, fitting)}"
    if config.columns is not None and "grid" not in config.formats:
        yield "columns: are those of format=grid; leave it out"
    if "mp4" in config.formats and not all(map(importlib.util.find_spec, ("imageio", "av"))):
        yield "format: 'mp4' needs pip install 'gan-cli[video]'; format=gif does without"
    if Path(config.output or "").suffix[1:] in (*STILLS, *WALKS):
        yield f"output: is a folder; type output={Path(config.output or '').with_suffix('')}"


def known_runs() -> list[str]:
    """Names of the runs below ./outputs, the newest first."""
    folders = {file.parent.parent for file in Path("outputs").glob("**/checkpoints/*.pt")}
    newest = sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)
    return [str(folder.relative_to("outputs")) for folder in newest]
