"""The spaces in which latents move: z, that of the prior, and w, that of styles."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.games.draw import BATCH, isolated_evaluation
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.networks.layers.latent import (
    HasLayerLatents,
    HasStyles,
    Space,
    check_truncation,
    seeded_latent,
    truncated_styles,
)
from gan_cli.utils.errors import ConfigError


def check_space(generator: nn.Module, space: str) -> None:
    """Raises ConfigError if the generator has no such space."""
    if space != "z" and not isinstance(generator, HasStyles):
        raise ConfigError(
            f"space: '{space}' is that of styles, as of model=stylegan2, and this generator has "
            "none; type space=z"
        )


def points_of(game: Game, request: Request, space: Space) -> Tensor:
    """Returns what a request starts from, on the CPU: latents (N, D), or styles (N, layers, D).

    They are truncated as the request says.
    """
    generator = game.networks[game.samples_from]
    check_truncation(generator, request.truncation, request.truncation_cutoff)
    check_space(generator, space)
    if space == "w":
        return styles_of(game, request)
    if request.latent is not None:
        return request.latent
    return seeded_latent(generator, request.noise, request.truncation)


def styles_of(game: Game, request: Request) -> Tensor:
    """Returns the latents (N, layers, D) of the layers, for the latents of a request; on the CPU.

    Styles are truncated as the request says.
    """
    generator: Any = game.networks["generator"]
    assert isinstance(generator, HasLayerLatents)
    parts = []
    for part in request.batches(BATCH):
        with isolated_evaluation(game.networks):
            labels = () if part.label is None else (part.label.to(game.device),)
            styles = generator.styles(game.latent(part), *labels)
            if isinstance(generator, HasStyles) and request.truncation is not None:
                psi, cutoff = request.truncation, request.truncation_cutoff
                styles = truncated_styles(styles, generator.w_avg, psi, cutoff)
        parts.append(styles.cpu())
    return torch.cat(parts)[: len(request)]


def at(request: Request, points: Tensor, space: Space) -> Request:
    """Returns the request with other points of a space; those of w are not truncated again."""
    if space == "z":
        return replace(request, latent=points)
    return replace(request, styles=points, truncation=None, truncation_cutoff=None)
