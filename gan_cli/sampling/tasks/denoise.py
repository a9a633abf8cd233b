"""task=denoise: how noise becomes samples, as a film or as a picture."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.kinds import Context, kind_of
from gan_cli.sampling.steps import evenly, game_in_steps, in_batches, request_of
from gan_cli.sampling.task import Job, task
from gan_cli.utils.clips import enlarged, rgb, save_gif, save_mp4
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import grid, save_png
from gan_cli.utils.text import unknown

FRAMES, COLUMNS = 60, 10  # states that a film and a strip show at most
FPS, HELD = 10, 2  # frames per second, and seconds for which the last one is shown
IMAGES, POINTS, ROWS = 16, 1000, 4  # default number of samples: of a film, of a plot, of a strip
WRITERS: dict[str, Callable[..., Path]] = {"gif": save_gif, "mp4": save_mp4}
KEYS = ["count", "seeds", "label", "sampler", "steps", "guidance", "format", "batch_size"]


@task("denoise", needs=["model"], keys=KEYS)
def denoise(job: Job) -> list[str]:
    """Writes denoise.gif or denoise.mp4: samples after each step of the sampler.

    format=strip writes strip.png, a row for each sample.
    """
    options, model = job.options, job.model
    game, field = game_in_steps(model, "denoise"), model.field()
    formats = options.formats or ["gif"]
    strips = kind_of(field).default_format(field) == "grid"
    known = [*WRITERS, *(["strip"] if strips else [])]
    for name in formats:
        if name not in known:
            raise ConfigError(f"format: {unknown('format of task=denoise', name, known)}")
    usual = ROWS if formats == ["strip"] else IMAGES if strips else POINTS
    request = request_of(model, options, options.all_seeds(usual))
    count = COLUMNS if formats == ["strip"] else FRAMES
    states = in_batches(
        model,
        request,
        options.batch_size,
        lambda part, _: torch.stack(evenly(game.path(part), count), 1),
    )  # (N, states, *shape)
    return [str(write(job, name, states)) for name in formats]


def write(job: Job, name: str, states: Tensor) -> Path:
    """Writes the states (N, states, *shape) in one format."""
    if name == "strip":
        shown = torch.stack(evenly(iter(states.unbind(1)), COLUMNS), 1)
        stored = kind_of(job.model.field()).to_stored(shown.flatten(0, 1))
        save_png(job.folder / "strip.png", grid(stored, shown.shape[1]))
        return job.folder / "strip.png"
    frames = [enlarged(rgb(picture)) for picture in pictures(job, states)]
    return WRITERS[name](job.folder / f"denoise.{name}", [*frames, *frames[-1:] * HELD * FPS], FPS)


def pictures(job: Job, states: Tensor) -> list[np.ndarray]:
    """Returns a picture of all samples for each state, beside those of the last one if points."""
    field, last = job.model.field(), states[:, -1]
    found = [
        kind_of(field).picture(field, (x,), Context(last, real_name="at the end"))
        for x in states.unbind(1)
    ]
    if any(picture is None for picture in found):
        raise ConfigError(
            f"task: samples of kind {field.kind} and shape {field.shape} have no picture"
        )
    return [picture for picture in found if picture is not None]
