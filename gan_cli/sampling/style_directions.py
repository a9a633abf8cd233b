"""Directions of W: of the styles of a generator, for all layers or for some."""

from typing import Any

import torch
from torch import Tensor

from gan_cli.games.request import Request
from gan_cli.games.spaces import styles_of
from gan_cli.networks.layers.latent import HasStyles
from gan_cli.sampling.directions import (
    POINTS,
    Directions,
    Function,
    centred,
    check_metric,
    eigenvectors,
    mean_metric,
)
from gan_cli.sampling.model import Model
from gan_cli.sampling.options import SampleOptions
from gan_cli.utils.errors import ConfigError

STYLES = 2048  # of which principal components are computed, or four times the length of a style


def find_style_directions(
    model: Model, options: SampleOptions, layers: list[int], count: int
) -> tuple[str, Directions, Tensor]:
    """Returns the method, `count` directions, and the standard deviation of w along each (K,).

    - "sefa": eigenvectors of the sum of A^T A over the affine maps of the `layers`, which turn
      styles into scales of channels (Shen & Zhou 2021, Section 3.2).
    - "ganspace": principal components of w (Harkonen et al. 2020, Section 2.2).
    - "jacobian": as in Z, for samples whose `layers` move.
    """
    if options.layer is not None:
        raise ConfigError("layer: is for space=z; with space=w, type layers=coarse, or layers=0-3")
    generator: Any = model.game.networks["generator"]
    assert isinstance(generator, HasStyles)
    length = len(generator.w_avg)
    if count > length:
        raise ConfigError(f"directions: is {count}, and a style has {length} numbers")
    method = options.method or ("sefa" if hasattr(generator, "affines") else "ganspace")
    w, labels = styles(model, options, max(STYLES, 4 * length))
    rows = centred(w, labels).double()
    covariance = rows.T @ rows / len(rows)
    if method == "ganspace":
        metric = covariance
    elif method == "sefa":
        metric = affine_metric(generator, layers)
    else:
        function, device = moving(generator, layers), model.runtime.device
        metric = mean_metric(function, w[:POINTS].to(device), None, options.batch_size)
    check_metric(metric)
    found = eigenvectors(metric, count)
    vectors = found.vectors.double()
    variances = ((vectors @ covariance) * vectors).sum(1)
    return method, found, variances.clamp(min=0).sqrt().float()


def styles(model: Model, options: SampleOptions, count: int) -> tuple[Tensor, Tensor | None]:
    """Returns the styles w (N, D) of the seeds 0, 1, 2, ..., and their labels, if there are any."""
    seeds = range(count)
    labels = model.labels(options.labels, seeds)
    return styles_of(model.game, Request(seeds, labels))[:, 0], labels


def affine_metric(generator: Any, layers: list[int]) -> Tensor:
    """Returns the sum of A^T A (D, D) float64 over the affine maps that read styles of `layers`."""
    if not hasattr(generator, "affines"):
        raise ConfigError(
            "method: 'sefa' needs a generator that names the layers that read its styles; type "
            "method=ganspace or jacobian"
        )
    affine = generator.affines()
    length = len(generator.w_avg)
    inputs = torch.cat([torch.eye(length), torch.zeros(1, length)]).to(generator.w_avg)
    total = torch.zeros(length, length, dtype=torch.float64)
    for layer in layers:
        for module in affine[layer]:
            outputs = module(inputs).double().cpu()
            transposed = outputs[:-1] - outputs[-1]  # A^T
            total += transposed @ transposed.T
    return total


def moving(generator: Any, layers: list[int]) -> Function:
    """Returns samples as a function of the styles w (N, D) of `layers`; others stay."""
    chosen = torch.zeros(generator.styled, 1, dtype=torch.bool)
    chosen[layers] = True

    def function(w: Tensor, label: Tensor | None) -> Tensor:  # noqa: ARG001
        everywhere = w[:, None].expand(-1, generator.styled, -1)
        return generator.synthesis(
            torch.where(chosen.to(w.device), everywhere, everywhere.detach())
        )

    return function
