"""Checks shared by the games with an encoder."""

from typing import Any, cast

from torch import Tensor, nn

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


def check_codes(networks: nn.ModuleDict, space: str) -> None:
    """Raises ConfigError if codes do not have the length of latents, or that of styles in w."""
    if space == "z":
        check_latents(nn.ModuleDict({r: networks[r] for r in ("generator", "encoder")}))
        return
    found: Any = networks["encoder"].latent_dim
    needed = len(cast(Tensor, networks["generator"].w_avg))
    if found != needed:
        raise ConfigError(
            f"model.networks.encoder.latent_dim: is {found}, and the styles of the generator have "
            f"{needed} numbers; set it to {needed}"
        )
