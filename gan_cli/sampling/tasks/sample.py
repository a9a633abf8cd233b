"""task=sample: draws samples and writes them in one or several formats."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch

from gan_cli.data.files.tokenization import prompt_tokens
from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Field
from gan_cli.games.request import Request
from gan_cli.games.spaces import at, points_of
from gan_cli.sampling.exports import DrawnSamples, check_formats, exports, fits, fitting
from gan_cli.sampling.inputs import open_inputs
from gan_cli.sampling.model import Model, class_names
from gan_cli.sampling.options import SampleOptions, plain_space
from gan_cli.sampling.task import Job, task
from gan_cli.sampling.translate import translate_photos, translates
from gan_cli.utils.errors import ConfigError

IMAGES, POINTS, ENDS = 64, 2000, 8  # default number of samples: in general, of a plot, of a walk
LISTED = 16  # largest number of seeds, labels or files listed in the report

WALK_KEYS = ("interpolate", "space", "way", "loop")
TRUNCATION = ("truncation", "truncation_cutoff")
SAMPLER = ("sampler", "steps", "guidance")
TEXT = ("prompt", "temperature")
KEYS = (
    "count",
    "seeds",
    "label",
    *TRUNCATION,
    *SAMPLER,
    *TEXT,
    *WALK_KEYS,
    "format",
    "columns",
    "batch_size",
)


PHOTOS = ("tile", "overlap")


@task("sample", needs=["model"], keys=[*KEYS, *PHOTOS, "target", "direction", "input", "dataset"])
def sample(job: Job) -> list[str]:
    """Writes one sample for each seed, or an interpolation from each seed to the next."""
    options, model = job.options, job.model
    target = model.target(wanted_target(options, model))
    if translates(model, options, target):
        return translate_photos(job, target)
    for key in PHOTOS:
        if getattr(options, key) is not None:
            raise ConfigError(f"{key}: is for photos; add input=PHOTO or FOLDER, or leave it out")
    if faults := [*check_formats(options.formats, options.interpolate is not None, "sample")]:
        raise ConfigError(*faults)
    field = model.spec.fields[target]
    formats = formats_of(options, field)
    drawn = draw_walk(model, options, field) if options.interpolate else draw_seeds(job, target)
    files = [file for name in formats for file in exports.entries[name].write(job.folder, drawn)]
    return [*summary(drawn), *shortened([str(file) for file in files])]


def wanted_target(options: SampleOptions, model: Model) -> str | None:
    """Returns options.target, or the one that options.direction stands for, if either is given."""
    if options.direction is None:
        return options.target
    if options.target is not None:
        raise ConfigError("direction: stands for a target, and target is given; leave one out")
    return model.directed(options.direction)


def draw_seeds(job: Job, target: str) -> DrawnSamples:
    """Draws one sample for each seed, or for each given input."""
    model, options = job.model, job.options
    model.check_truncation(options.truncation, options.truncation_cutoff)
    field, keys = model.spec.fields[target], model.game.inputs(target)
    count = POINTS if "plot" in formats_of(options, field) and field.kind == "vector" else IMAGES
    given = {}
    if keys:
        inputs = {key: open_inputs(options, model.checkpoint, key, count, job.run) for key in keys}
        count = min(len(one) for one in inputs.values())
        given = {
            key: kind_of(model.spec.fields[key]).to_model(one.samples[:count])
            for key, one in inputs.items()
        }
    elif options.input is not None or options.dataset is not None:
        raise ConfigError("input: the model draws samples from seeds only; leave it out")
    seeds = options.seeds or tuple(range(count if keys else options.count or count))
    if keys and len(seeds) != count:
        raise ConfigError(f"seeds: lists {len(seeds)}, and there are {count} inputs; leave it out")
    label = labels_of(model, options, seeds)
    check_distinct(seeds, label)
    request = Request(
        seeds,
        label,
        given,
        truncation=options.truncation,
        truncation_cutoff=options.truncation_cutoff,
        target=target,
        sampler=options.sampler_options,
        guidance=options.guidance,
        prompt=() if options.prompt is None else tuple(prompt_tokens(field, options.prompt)),
        temperature=options.temperature,
    )
    return drawn_samples(model, request, options, field)


def draw_walk(model: Model, options: SampleOptions, field: Field) -> DrawnSamples:
    """Draws an interpolation from each seed to the next, within one class."""
    if not model.walks:
        raise ConfigError("interpolate: the model's generator does not take a latent")
    seeds = options.all_seeds(ENDS)
    label = labels_of(model, options, seeds)
    if label is not None and len(label.unique()) > 1:
        raise ConfigError("label: interpolation stays within one class; type label=0, say")
    assert options.interpolate is not None
    psi, cutoff, space = options.truncation, options.truncation_cutoff, plain_space(options)
    ends = points_of(
        model.game, Request(seeds, label, truncation=psi, truncation_cutoff=cutoff), space
    )
    path = model.walk(ends, options.interpolate, options.way, options.loop, space)
    every = None if label is None else label[:1].expand(len(path))
    same = [seeds[0]] * len(path)
    whole = Request(same, every, truncation=psi, truncation_cutoff=cutoff)
    whole = replace(whole, sampler=options.sampler_options, guidance=options.guidance)
    frames = at(whole, path, space)
    return drawn_samples(model, frames, options, field, seeds)


def drawn_samples(
    model: Model,
    request: Request,
    options: SampleOptions,
    field: Field,
    seeds: Sequence[int] | None = None,
) -> DrawnSamples:
    """Draws the samples of a request; `seeds` are those of the end points of a walk."""
    labels = None if request.label is None else request.label.tolist()
    return DrawnSamples(
        model.draw(request, options.batch_size),
        field,
        tuple(request.seeds if seeds is None else seeds),
        labels,
        None if labels is None else class_names(labels, model.spec),
        options.interpolate,
        options.columns,
        bool(model.spec.class_names),
        options.loop,
    )


def labels_of(model: Model, options: SampleOptions, seeds: Sequence[int]) -> torch.Tensor | None:
    """Returns the label of each seed (N,), or None if the model takes no labels."""
    return model.labels(options.labels, seeds)


def check_distinct(seeds: Sequence[int], label: torch.Tensor | None) -> None:
    """Raises ConfigError if a sample would be drawn twice."""
    labels = [0] * len(seeds) if label is None else label.tolist()
    (seed, _), times = Counter(zip(seeds, labels, strict=True)).most_common(1)[0]
    if times > 1:
        raise ConfigError(f"seeds: {seed} would draw the same sample {times} times; list it once")


def formats_of(options: SampleOptions, field: Field) -> list[str]:
    """Returns the export formats, by default that of the kind; ConfigError if one does not fit."""
    walks = options.interpolate is not None
    possible = fitting(field, walks)
    shape = f"samples of kind {field.kind} and shape {field.shape}"
    if not possible:
        raise ConfigError(f"interpolate: there is no format for frames of {shape}; leave it out")
    if options.columns is not None and "grid" not in possible:
        raise ConfigError(f"columns: {shape} make no grid; leave it out")
    for name in options.formats:
        if not fits(name, field):
            raise ConfigError(
                f"format: '{name}' does not show {shape}; type format={' or '.join(possible)}"
            )
    if options.formats:
        return options.formats
    default = kind_of(field).default_format(field)
    if walks and default not in possible:
        return ["strip" if "strip" in possible else possible[0]]
    return [default]


def summary(drawn: DrawnSamples) -> list[str]:
    """Returns lines that list the seeds and classes."""
    lines = [f"seeds: {', '.join(shortened(ranges(drawn.seeds)))}"]
    if drawn.label_names is not None:
        lines.append(f"labels: {', '.join(shortened(drawn.label_names))}")
    return lines


def ranges(seeds: Sequence[int]) -> list[str]:
    """Returns ranges of consecutive seeds: 3, 7, 10, 11, 12 as 3, 7, 10-12."""
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][-1] + 1:
            runs[-1][1:] = [seed]
        else:
            runs.append([seed])
    return ["-".join(map(str, run)) for run in runs]


def shortened(words: list[str]) -> list[str]:
    """Returns at most LISTED words, and the number of those left out."""
    more = len(words) - LISTED
    return words if more <= 0 else [*words[:LISTED], f"... ({more} more)"]
