"""What the games with an encoder have in common."""

from typing import Any

from torch import nn

from gan_cli.utils.errors import ConfigError


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
