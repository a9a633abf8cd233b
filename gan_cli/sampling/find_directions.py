"""Directions of the latent of a model, by the method that the options choose."""

from typing import Any

import torch
from torch import Tensor

from gan_cli.games.request import Request
from gan_cli.networks.layers.latent import seeded_latent
from gan_cli.sampling.directions import (
    POINTS,
    Directions,
    Function,
    centred,
    eigenvectors,
    mean_metric,
    principal_components,
    whitened,
)
from gan_cli.sampling.latent_layer import activations, find_layer, named_layer
from gan_cli.sampling.model import Model
from gan_cli.sampling.options import SampleOptions
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.free_memory import CPU, check_free

LATENTS = 2048  # of GANSpace, or four times the length of the latent


def find_directions(model: Model, options: SampleOptions, count: int) -> tuple[str, Directions]:
    """Returns the name of the method and the first `count` directions, fewer if no more matter.

    The default is sefa, or jacobian if no layer of the generator reads the latent.
    """
    generator: Any = model.game.networks["generator"]
    length = generator.latent_dim
    if count > length:
        raise ConfigError(f"directions: is {count}, and the latent has {length} numbers")
    if options.method == "jacobian" and options.layer is not None:
        raise ConfigError("layer: does nothing with method=jacobian; leave it out")
    points = LatentPoints(model, options)
    method, layer = options.method, None
    if method != "jacobian":
        layer = points.layer(generator)
        if layer is None and method is not None:
            raise ConfigError(
                f"method: '{method}' needs a layer that reads the latent, and the generator has "
                "none; type method=jacobian"
            )
    if layer is None:
        latents, labels = points.of(POINTS)
        return "jacobian", eigenvectors(
            mean_metric(sampled(generator), latents, labels, options.batch_size), count
        )
    function = activations(generator, layer)
    if method == "ganspace":
        latents, labels = points.of(max(LATENTS, 4 * length))
        latents = whitened(latents, labels)
        rows = outputs(function, latents, labels, options.batch_size)
        return method, principal_components(centred(rows, labels), latents.cpu(), count)
    latents, labels = points.of(POINTS)
    return "sefa", eigenvectors(mean_metric(function, latents, labels, options.batch_size), count)


class LatentPoints:
    """Latents of the seeds 0, 1, 2, ... with labels, on the device of a model."""

    def __init__(self, model: Model, options: SampleOptions) -> None:
        self.model, self.options = model, options

    def of(self, count: int) -> tuple[Tensor, Tensor | None]:
        """Returns latents (N, D) and labels (N,), or None for a model without labels."""
        model, seeds = self.model, range(count)
        generator, device = model.game.networks["generator"], model.runtime.device
        labels = model.labels(self.options.labels, seeds)
        latents = seeded_latent(generator, Request(seeds).noise, self.options.truncation)
        return latents.to(device), None if labels is None else labels.to(device)

    def layer(self, generator: Any) -> torch.nn.Module | None:
        """Returns the layer that the options name, or the first one that reads the latent."""
        if self.options.layer is not None:
            return named_layer(generator, self.options.layer)
        latents, labels = self.of(2)
        return find_layer(generator, latents, labels)


def sampled(generator: Any) -> Function:
    """Returns a generator as a function of latents and labels, or None."""
    return lambda z, y: generator(z, **({} if y is None else {"label": y}))


def outputs(function: Function, latents: Tensor, labels: Tensor | None, size: int) -> Tensor:
    """Returns the outputs (N, F) for all latents, computed `size` at a time, on the CPU."""
    rows = []
    for start in range(0, len(latents), size):
        part = slice(start, start + size)
        rows.append(function(latents[part], None if labels is None else labels[part]))
        rows[-1] = rows[-1].flatten(1).float().cpu()
        if not start:
            needed = 2 * len(latents) * rows[0][0].nbytes
            check_free(needed, CPU, "layer: its activations", "choose a smaller layer")
    return torch.cat(rows)
