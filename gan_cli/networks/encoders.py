"""Encoders of images to latents (BiGAN, ALI), one for each family of networks."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_cli.config.ranges import Depth, Units
from gan_cli.data.spec import Spec
from gan_cli.networks import dcgan
from gan_cli.networks.layers import residual
from gan_cli.networks.layers.norm import Norm
from gan_cli.networks.layers.trunks import DenseTrunk, ResidualTrunk, StridedTrunk
from gan_cli.networks.network import networks


class Encoder(nn.Module):
    """Maps samples to latents: deterministic as in BiGAN, or `stochastic` as in ALI.

    BiGAN: Donahue et al. 2017 (arXiv:1605.09782). ALI: Dumoulin et al. 2017 (arXiv:1606.00704),
    Section 2.1, where the network predicts mean and log variance of a normal distribution. The
    latent is drawn from it in training mode, and is its mean in evaluation mode.
    """

    first_blocks: ClassVar = ("trunk",)

    def __init__(
        self, trunk: DenseTrunk | StridedTrunk | ResidualTrunk, latent_dim: int, stochastic: bool
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.trunk = trunk
        self.mean = nn.Linear(trunk.features, latent_dim)
        self.log_variance = nn.Linear(trunk.features, latent_dim) if stochastic else None

    def forward(self, image: Tensor) -> Tensor:
        """Samples (N, *shape) to latents (N, latent_dim)."""
        features = self.trunk(image)
        mean: Tensor = self.mean(features)
        if self.log_variance is None or not self.training:
            return mean
        deviation = (self.log_variance(features) / 2).exp()
        return mean + deviation * torch.randn_like(mean)


@networks.register("mlp_encoder")
def mlp_encoder(
    spec: Spec,
    *,
    latent_dim: Units = 64,  # length of the latent vector
    width: Units = 256,  # units of a hidden layer
    depth: Depth = 3,  # hidden layers
    norm: Norm = "batch",  # norm layers
    stochastic: bool = False,  # a Gaussian over latents, as in ALI
) -> Encoder:
    """Encoder with `depth` hidden layers of `width` units, for vectors and tiny images."""
    return Encoder(DenseTrunk(spec, width, depth, norm), latent_dim, stochastic)


@networks.register("dcgan_encoder")
def dcgan_encoder(
    spec: Spec,
    *,
    latent_dim: Units = 100,  # length of the latent vector
    width: Units = 64,  # channels at half the image's size; at most 16 times as many below
    norm: Norm = "batch",  # norm layers
    stochastic: bool = False,  # a Gaussian over latents, as in ALI
) -> Encoder:
    """Encoder with the strided convolutions of DCGAN's discriminator."""
    encoder = Encoder(StridedTrunk(spec, width, norm), latent_dim, stochastic)
    dcgan.initialize(encoder)
    return encoder


@networks.register("resnet_encoder")
def resnet_encoder(
    spec: Spec,
    *,
    latent_dim: Units = 128,  # length of the latent vector
    width: Units = 128,  # channels of every block
    norm: Norm = "batch",  # norm layers
    stochastic: bool = False,  # a Gaussian over latents, as in ALI
) -> Encoder:
    """Encoder with the residual blocks of WGAN-GP's discriminator."""
    encoder = Encoder(ResidualTrunk(spec, width, norm), latent_dim, stochastic)
    residual.initialize(encoder)
    return encoder
