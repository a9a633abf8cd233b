"""What gan-sample does: open a checkpoint, draw what was asked for, write it down."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path

from gan_cli.checkpoints.files import Checkpoints, State, load
from gan_cli.data.spec import Spec
from gan_cli.sampling.exports import EXPORTS, Drawn
from gan_cli.sampling.request import SampleConfig, Source, several
from gan_cli.sampling.sampler import Sampler
from gan_cli.utils.errors import ConfigError, StorageError
from gan_cli.validation.validate import import_modules

POINTS = 2000  # of a plot
LISTED = 16  # seeds, labels and files that the report spells out


def generate(config: SampleConfig, run: Path | None) -> str:
    """Sample from the run in the folder `run`, else from config.checkpoint; tells what it wrote."""
    import_modules(config.imports)
    path, state = opened(config, run)
    sampler = Sampler(state, config.weights == "average", config.device)
    formats = formats_of(config, sampler.spec)
    seeds = config.all_seeds(POINTS if "plot" in formats else 64)
    labels = sampler.labels(None if config.label is None else several(config.label), seeds)
    check_labels(seeds, labels, walking=config.interpolate is not None)
    folder = output_folder(config.output, run or path.parent, state["step"])
    latents = sampler.latents(seeds, config.truncation)
    if config.interpolate is not None:  # within the one class that check_labels lets through
        latents = sampler.walk(latents, config.interpolate)
        labels = labels and labels[:1] * len(latents)
    images = sampler.draw(latents, labels)
    drawn = Drawn(images, seeds, labels, config.interpolate, config.columns)
    files = write(folder, formats, drawn)
    title = f"{path}: step {state['step']}, {config.weights} weights"
    return "\n".join([title, *facts(drawn, sampler.spec), *listed([str(file) for file in files])])


def opened(config: Source, run: Path | None) -> tuple[Path, State]:
    """The checkpoint that is meant; of a run the latest, the best or that of a step."""
    if run is None:
        path = Path(str(config.checkpoint))
        return path, load(path)
    checkpoints = Checkpoints(run / "checkpoints", keep_last=1, keep_every=0)
    if config.which == "latest":
        state = checkpoints.latest()
        if state is None:
            raise ConfigError(f"run: {run} has no checkpoint yet; every.checkpoint says when")
        return checkpoints.path(state["step"]), state
    best = config.which == "best"
    path = checkpoints.folder / "best.pt" if best else checkpoints.path(config.which)
    if not path.exists():
        steps = ", ".join(map(str, checkpoints.steps()))
        raise ConfigError(f"which: there is no {path}; type which=latest, or a step of: {steps}")
    return path, load(path)


def formats_of(config: SampleConfig, spec: Spec) -> list[str]:
    """What was asked for, or what suits the samples; ConfigError if that cannot show them."""
    drawable = len(spec.shape) == 3 and spec.shape[0] in (1, 3, 4)
    plottable = spec.shape in ((1,), (2,))
    if config.interpolate is not None and not drawable:
        raise ConfigError(
            f"interpolate: shows pictures, and samples of shape {spec.shape} are none; leave it out"
        )
    if not drawable and config.format is None and config.columns is None:
        return ["plot" if plottable else "npz"]
    for name in config.formats:
        if name != "npz" and not (plottable if name == "plot" else drawable):
            shown = "points of a plane or a line" if name == "plot" else "pictures"
            fitting = "plot or npz" if plottable else "grid or npz" if drawable else "npz"
            raise ConfigError(
                f"format: '{name}' shows {shown}, and samples of shape {spec.shape} are none; "
                f"type format={fitting}"
            )
    return config.formats


def check_labels(seeds: Sequence[int], labels: Sequence[int] | None, walking: bool) -> None:
    if walking and labels is not None and len(set(labels)) > 1:
        raise ConfigError("label: interpolation stays within one class; type label=0, say")
    pairs = Counter(zip(seeds, labels or [0] * len(seeds), strict=True))
    (seed, _), times = pairs.most_common(1)[0]
    if not walking and times > 1:
        raise ConfigError(f"seeds: {seed} would draw the same image {times} times; list it once")


def output_folder(output: str | None, home: Path, step: int) -> Path:
    """A folder that holds nothing yet: `output`, or a new one in `home`/generated."""
    if output is None:
        name = f"step-{step:07d}"
        names = chain([name], (f"{name}-{n}" for n in count(2)))
        return next(
            path for path in (home / "generated" / name for name in names) if not path.exists()
        )
    folder = Path(output)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"output: {folder} is there already; type output= another, or remove it")
    return folder


def write(folder: Path, formats: Sequence[str], drawn: Drawn) -> list[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [file for name in formats for file in EXPORTS[name](folder, drawn)]
    except OSError as error:
        raise StorageError(
            f"cannot write to {folder}: {error.strerror or error}; type output=FOLDER for another"
        ) from error


def facts(drawn: Drawn, spec: Spec) -> list[str]:
    """Which seeds and classes were drawn."""
    lines = [f"seeds: {', '.join(listed(ranges(drawn.seeds)))}"]
    if drawn.labels is not None:
        names = spec.class_names or range(spec.classes)
        lines.append(f"labels: {', '.join(listed([str(names[k]) for k in drawn.labels]))}")
    return lines


def ranges(seeds: Sequence[int]) -> list[str]:
    """3, 7, 10, 11, 12 as 3, 7, 10-12."""
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][-1] + 1:
            runs[-1][1:] = [seed]
        else:
            runs.append([seed])
    return ["-".join(map(str, run)) for run in runs]


def listed(words: list[str]) -> list[str]:
    more = len(words) - LISTED
    return words if more <= 0 else [*words[:LISTED], f"... ({more} more)"]
