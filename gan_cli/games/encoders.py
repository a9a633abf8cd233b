"""Checks shared by the games with an encoder."""

from typing import Any

from torch import nn

from gan_cli.utils.errors import ConfigError


def check_latents(networks: nn.ModuleDict) -> None:
    """Raises ConfigError if the networks differ in the length of their latents."""
    sizes: dict[str, Any] = {
        role: getattr(net, "latent_dim", None) for role, net in networks.items()
    }
    for role, size in sizes.items():
        if size != sizes["generator"]:
            raise ConfigError(
                f"model.networks.{role}.latent_dim: is {size}, and the generator's is "
                f"{sizes['generator']}; set it to ${{model.networks.generator.latent_dim}}"
            )
