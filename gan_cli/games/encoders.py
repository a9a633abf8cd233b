"""What the games with an encoder have in common."""

from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.utils.errors import ConfigError


def beside(real: Tensor, found: Tensor) -> Tensor:
    """Each image of the first half of (N, C, H, W) with what was found of it to its right.

    Of vectors (N, F) what was found.
    """
    if real.ndim != 4:
        return found
    half = len(real) // 2 if len(real) > 1 else 1
    return torch.stack((real[:half], found[:half]), 1).flatten(0, 1)  # (2 half, C, H, W)


def check_weights(**weights: float) -> None:
    faults = [f"{key}: must be 0 or more, got {w}" for key, w in weights.items() if w < 0]
    if faults:
        raise ConfigError(*faults)


def check_latents(networks: nn.ModuleDict) -> None:
    """Generator, encoder and a discriminator of pairs must speak of latents of one length."""
    sizes: dict[str, Any] = {
        role: getattr(net, "latent_dim", None) for role, net in networks.items()
    }
    for role, size in sizes.items():
        if size != sizes["generator"]:
            raise ConfigError(
                f"model.networks.{role}.latent_dim: is {size}, and the generator's is "
                f"{sizes['generator']}; set it to ${{model.networks.generator.latent_dim}}"
            )
