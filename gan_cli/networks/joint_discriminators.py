"""Discriminators of pairs (image, latent) (BiGAN, ALI), one for each family of networks."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Depth, Units
from gan_cli.data.spec import Spec
from gan_cli.networks import dcgan
from gan_cli.networks.layers import residual
from gan_cli.networks.layers.norm import Norm, apply_spectral_norm
from gan_cli.networks.layers.trunks import DenseTrunk, ResidualTrunk, StridedTrunk
from gan_cli.networks.network import networks


@networks.register("mlp_joint_discriminator")
class MLPJointDiscriminator(nn.Module):
    """Fully connected discriminator whose input is the concatenation of sample and latent.

    BiGAN on MNIST: Donahue et al. 2017 (arXiv:1605.09782), Section 4.2.
    """

    first_blocks: ClassVar = ("trunk",)

    def __init__(
        self,
        spec: Spec,
        *,
        latent_dim: Units = 64,  # length of the latent vector
        width: Units = 256,  # units of a hidden layer
        depth: Depth = 3,  # hidden layers
        norm: Norm = "none",  # norm layers
        spectral_norm: bool = False,  # spectral normalization of all weights
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.trunk = DenseTrunk(spec, width, depth, norm, extra=latent_dim)
        self.head = nn.Linear(width, 1)
        if spectral_norm:
            apply_spectral_norm(self)

    def features(self, image: Tensor, latent: Tensor) -> Tensor:
        return self.trunk(torch.cat((image.flatten(1), latent.to(image.dtype)), 1))

    def forward(self, image: Tensor, latent: Tensor) -> Tensor:
        """Samples (N, *shape) with latents (N, latent_dim) to logits (N,)."""
        return self.head(self.features(image, latent)).squeeze(1)


class JointDiscriminator(nn.Module):
    """Discriminator with separate layers for image and latent, followed by common ones.

    ALI: Dumoulin et al. 2017 (arXiv:1606.00704), appendix. The features of both are concatenated
    and passed to a layer of `joint_width` units. ALI uses dropout in all layers; it is omitted
    here, since it would disturb gradient penalties.
    """

    first_blocks: ClassVar = ("trunk",)

    def __init__(
        self, trunk: StridedTrunk | ResidualTrunk, latent_dim: int, joint_width: int
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.trunk = trunk
        self.latent = nn.Linear(latent_dim, joint_width)
        self.joint = nn.Linear(trunk.features + joint_width, joint_width)
        self.head = nn.Linear(joint_width, 1)

    def features(self, image: Tensor, latent: Tensor) -> Tensor:
        h = self.trunk(image)  # (N, F)
        z = F.leaky_relu(self.latent(latent), 0.2)  # (N, joint_width)
        return F.leaky_relu(self.joint(torch.cat((h, z.to(h.dtype)), 1)), 0.2)

    def forward(self, image: Tensor, latent: Tensor) -> Tensor:
        """Images (N, C, H, W) with latents (N, latent_dim) to logits (N,)."""
        return self.head(self.features(image, latent)).squeeze(1)


@networks.register("dcgan_joint_discriminator")
def dcgan_joint_discriminator(
    spec: Spec,
    *,
    latent_dim: Units = 100,  # length of the latent vector
    width: Units = 64,  # channels at half the image's size; at most 16 times as many below
    joint_width: Units = 512,  # units of the layers that join image and latent
    norm: Norm = "batch",  # norm layers
    spectral_norm: bool = False,  # spectral normalization of all weights
) -> JointDiscriminator:
    """DCGAN's strided convolutions for the image; two hidden layers combine it with the latent."""
    network = JointDiscriminator(StridedTrunk(spec, width, norm), latent_dim, joint_width)
    dcgan.initialize(network)
    return normalized(network, spectral_norm)


@networks.register("resnet_joint_discriminator")
def resnet_joint_discriminator(
    spec: Spec,
    *,
    latent_dim: Units = 128,  # length of the latent vector
    width: Units = 128,  # channels of every block
    joint_width: Units = 512,  # units of the layers that join image and latent
    norm: Norm = "none",  # norm layers
    spectral_norm: bool = False,  # spectral normalization of all weights
) -> JointDiscriminator:
    """WGAN-GP's residual blocks for the image; two hidden layers combine it with the latent."""
    network = JointDiscriminator(ResidualTrunk(spec, width, norm), latent_dim, joint_width)
    residual.initialize(network)
    return normalized(network, spectral_norm)


def normalized(network: JointDiscriminator, spectral_norm: bool) -> JointDiscriminator:
    """The network, with spectral normalization if asked for."""
    if spectral_norm:
        apply_spectral_norm(network)
    return network
