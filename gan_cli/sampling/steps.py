"""What tasks do with models that draw samples in steps."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from gan_cli.games.abilities import HasSamplers
from gan_cli.games.draw import isolated_evaluation
from gan_cli.games.request import Request
from gan_cli.sampling.model import Model
from gan_cli.sampling.options import SampleOptions
from gan_cli.sampling.task import Job
from gan_cli.utils.errors import ConfigError


def game_in_steps(model: Model, task: str) -> HasSamplers:
    """Returns the game of a diffusion model; ConfigError for other models."""
    if not isinstance(model.game, HasSamplers):
        raise ConfigError(
            f"task: '{task}' is for diffusion models, and the checkpoint's game is "
            f"'{model.checkpoint.game['name']}'; train one with model=ddpm"
        )
    return model.game


def request_of(model: Model, options: SampleOptions, seeds: tuple[int, ...]) -> Request:
    """Returns the request for samples of these seeds, with the sampler that was asked for."""
    label = model.labels(options.labels, seeds)
    sampler, guidance = options.sampler_options, options.guidance
    request = Request(seeds, label, sampler=sampler, guidance=guidance)
    game_in_steps(model, options.task).check_request(request)
    return request


def request_for_inputs(job: Job) -> Request:
    """Returns a request with a seed, and the label, of each given sample."""
    options, inputs = job.options, job.inputs
    seeds = tuple(range(len(inputs)))
    request = request_of(job.model, options, seeds)
    if request.label is None or options.label is not None:
        return request
    if inputs.labels is None or inputs.dataset.spec.classes != job.model.spec.classes:
        raise ConfigError("label: the model needs the class of the inputs; type label=0, say")
    return replace(request, label=inputs.labels)


def in_batches(
    model: Model, request: Request, size: int, compute: Callable[[Request, slice], Tensor]
) -> Tensor:
    """Returns what `compute` makes of batches of a request, on the CPU.

    It takes a batch of `size` samples, of which the last ones may be repeated, and their place.
    """
    parts = []
    for i, part in enumerate(request.batches(size)):
        with isolated_evaluation(model.game.networks), model.runtime.autocast():
            parts.append(compute(part, slice(i * size, (i + 1) * size)).float().cpu())
    return torch.cat(parts)[: len(request)]


def filled(samples: Tensor, place: slice, size: int) -> Tensor:
    """Returns the samples at a place, filled up to `size` with the last one."""
    index = torch.arange(place.start, place.start + size).clamp(max=len(samples) - 1)
    return samples[index]


def evenly(states: Iterator[Tensor], count: int) -> list[Tensor]:
    """Returns at most `count` states at equal distances, the first and the last among them."""
    known = list(states)
    if len(known) <= count:
        return known
    return [known[round(i * (len(known) - 1) / (count - 1))] for i in range(count)]
