"""Small networks of StyleGAN2 for tests."""

import torch
from torch import nn

from gan_cli.data.spec import image_spec
from gan_cli.networks import networks

SIDES = ("generator", "discriminator")
TINY = {"width": 4, "max_width": 16}
SHORT = {"latent_dim": 8, "style_dim": 12, "mapping_depth": 2}


def build(side: str, shape: tuple[int, ...], classes: int = 0, **options) -> nn.Module:
    torch.manual_seed(0)
    node = {"name": f"stylegan2_{side}", **TINY, **(SHORT if side == "generator" else {})}
    return networks.build(node | options, image_spec(shape, classes), where="model.networks.it")


def shaken(network: nn.Module) -> nn.Module:
    """The network as if it had been trained: noise and biases have an effect."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
