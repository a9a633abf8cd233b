"""task=directions: what changes along directions of the latent that were found without labels."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.kinds import Context, kind_of
from gan_cli.games.draw import isolated_evaluation
from gan_cli.games.request import Request
from gan_cli.games.spaces import Space, at, check_space, points_of
from gan_cli.runtime.numerics import exact_numerics
from gan_cli.sampling.arrays import write_npz
from gan_cli.sampling.directions import Directions
from gan_cli.sampling.find_directions import find_directions
from gan_cli.sampling.layer_range import layers_of
from gan_cli.sampling.model import Model
from gan_cli.sampling.options import SampleOptions, plain_space
from gan_cli.sampling.style_directions import find_style_directions
from gan_cli.sampling.task import Job, task
from gan_cli.utils.clips import clip, save_gif, save_mp4
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import grid, save_png
from gan_cli.utils.text import unknown

COUNT, ROWS, STRENGTH = 8, 5, 3.0  # defaults: directions, seeds, standard deviations
COLUMNS = 7  # pictures in a row, from -strength to strength
FRAMES, FPS = 20, 20  # frames of a film between the ends by default, and per second
WRITERS = {"gif": save_gif, "mp4": save_mp4}
DEVIATION = {"normal": 1.0, "uniform": 3**-0.5}  # standard deviation of a number of the latent

KEYS = ("method", "space", "layer", "layers", "directions", "strength", "count", "seeds", "label")
TRUNCATION = ("truncation", "truncation_cutoff")


@dataclass(frozen=True)
class Starts:
    """The samples from which the directions lead away."""

    model: Model
    options: SampleOptions
    request: Request
    space: Space
    points: Tensor  # latents (N, latent_dim), or styles (N, layers, style_dim)
    layers: list[int]  # whose styles move

    def moved(self, vector: Tensor, reach: float, steps: int) -> Tensor:
        """Returns samples (N, steps, *shape) in stored form, from -reach to reach along `vector`.

        With an odd number of steps, the middle one is where it starts.
        """
        moves = reach * torch.linspace(-1, 1, steps)[:, None] * vector  # (steps, D)
        if self.space == "w":
            chosen = torch.zeros(self.points.shape[1], 1)
            chosen[self.layers] = 1
            moves = moves[:, None] * chosen  # (steps, layers, D)
        points = self.points[:, None] + moves
        rows = [i for i in range(len(self.request)) for _ in range(steps)]
        request = at(self.request.select(rows), points.flatten(0, 1), self.space)
        drawn = self.model.draw(request, self.options.batch_size)
        return drawn.unflatten(0, (len(self.request), steps))


@task(
    "directions", needs=["model"], keys=[*KEYS, *TRUNCATION, "interpolate", "format", "batch_size"]
)
def directions(job: Job) -> list[str]:
    """Writes directions.npz, and a strip or a film for each direction."""
    model, options = job.model, job.options
    if not model.has_latent:
        raise ConfigError("task: 'directions' needs a generator with a latent")
    generator, space = model.game.networks["generator"], plain_space(options)
    check_space(generator, space)
    if options.layers is not None and space == "z":
        raise ConfigError("layers: is for space=w, in which each layer has a style; leave it out")
    length = len(generator.w_avg) if space == "w" else cast(int, generator.latent_dim)  # type: ignore[arg-type]
    formats, count = formats_of(job), options.directions or min(COUNT, length)
    strength = STRENGTH if options.strength is None else options.strength
    starts = starts_of(model, options, space)
    with isolated_evaluation(model.game.networks), exact_numerics(model.runtime.device):
        method, found, deviations = find(starts, count)
    arrays = {name: tensor.numpy() for name, tensor in vars(found).items()}
    arrays |= {"deviations": deviations.numpy(), "method": np.array(method)}
    arrays["strengths"] = np.linspace(-strength, strength, COLUMNS)
    files = [write_npz(job.folder / "directions.npz", arrays)]
    for number, vector in enumerate(found.vectors, 1):
        reach = strength * deviations[number - 1].item()
        moved = partial(starts.moved, vector, reach)
        files += write_shown(job, f"direction-{number}", formats, moved)
    return [*summary(method, found, count), *files]


def find(starts: Starts, count: int) -> tuple[str, Directions, Tensor]:
    """Returns the method, the directions, and the standard deviations of points along them."""
    model, options = starts.model, starts.options
    if starts.space == "w":
        return find_style_directions(model, options, starts.layers, count)
    method, found = find_directions(model, options, count)
    generator: Any = model.game.networks["generator"]
    return method, found, torch.full((len(found),), DEVIATION[generator.prior])


def starts_of(model: Model, options: SampleOptions, space: Space) -> Starts:
    """Returns the samples of the seeds."""
    seeds = options.all_seeds(ROWS)
    request = Request(
        seeds,
        model.labels(options.labels, seeds),
        truncation=options.truncation,
        truncation_cutoff=options.truncation_cutoff,
    )
    points = points_of(model.game, request, space)
    layers = layers_of(options.layers, points.shape[1]) if space == "w" else []
    return Starts(model, options, request, space, points, layers)


def formats_of(job: Job) -> list[str]:
    """Returns the formats, of images by default strips; ConfigError for others."""
    field = job.model.field()
    films = kind_of(field).default_format(field) == "grid"
    known = ["strip", *WRITERS] if films else ["strip"]
    for name in job.options.formats:
        if name not in known:
            raise ConfigError(f"format: {unknown('format of directions', name, known)}")
    return job.options.formats or ["strip"]


def write_shown(
    job: Job, name: str, formats: list[str], moved: Callable[[int], Tensor]
) -> list[str]:
    """Writes the samples that `moved` draws (seeds, steps, *shape), in stored form."""
    files = []
    films = [form for form in formats if form in WRITERS]
    if "strip" in formats:
        picture = strip(job, moved(COLUMNS))
        if picture is not None:
            save_png(job.folder / f"{name}.png", picture)
            files.append(str(job.folder / f"{name}.png"))
    if films:
        samples = moved((job.options.interpolate or FRAMES) + 2)
        there = [grid(samples[:, i]) for i in range(samples.shape[1])]
        frames = clip(np.stack([*there, *there[-2:0:-1]]))  # and back
        files += [str(WRITERS[form](job.folder / f"{name}.{form}", frames, FPS)) for form in films]
    return files


def strip(job: Job, samples: Tensor) -> np.ndarray | None:
    """Returns a picture of samples (seeds, steps, *shape), a row for each seed; None if none."""
    field = job.model.field()
    kind = kind_of(field)
    if kind.default_format(field) == "grid":
        return grid(samples.flatten(0, 1), samples.shape[1])
    if field.kind == "vector":
        from gan_cli.plots.paths import paths

        return paths(samples) if samples.shape[-1] <= 2 else None
    return kind.picture(field, [kind.to_model(x) for x in samples.unbind(1)], Context())


def summary(method: str, found: Directions, wanted: int) -> list[str]:
    """Returns lines on the method and the shares of the directions."""
    shares = ", ".join(f"{100 * share:.1f} %" for share in found.shares.tolist())
    lines = [f"method={method}, share of the change along each direction: {shares}"]
    if len(found) < wanted:
        lines.append(f"only {len(found)} directions of the latent change the samples")
    return lines
