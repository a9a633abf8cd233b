"""Discriminators of pairs (image, latent), of BiGAN and ALI, one for each family."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.data.spec import Spec
from gan_cli.networks import dcgan
from gan_cli.networks.layers import residual
from gan_cli.networks.layers.checks import check_positive
from gan_cli.networks.layers.norm import Norm, normalize_spectra
from gan_cli.networks.layers.trunks import DenseTrunk, ResidualTrunk, StridedTrunk
from gan_cli.networks.network import networks


@networks.register("mlp_joint_discriminator")
class MLPJointDiscriminator(nn.Module):
    """BiGAN on MNIST, Donahue et al. 2017 (arXiv:1605.09782), Section 4.2: joined at the input."""

    def __init__(
        self,
        spec: Spec,
        *,
        latent_dim: int = 64,  # length of the latent vector
        width: int = 256,  # units of a hidden layer
        depth: int = 3,  # hidden layers
        norm: Norm = "none",  # norm layers
        spectral_norm: bool = False,  # spectral normalization of all weights
    ) -> None:
        super().__init__()
        check_positive(latent_dim=latent_dim, width=width, depth=depth)
        self.latent_dim = latent_dim
        self.trunk = DenseTrunk(spec, width, depth, norm, extra=latent_dim)
        self.head = nn.Linear(width, 1)
        if spectral_norm:
            normalize_spectra(self)

    def features(self, image: Tensor, latent: Tensor) -> Tensor:
        return self.trunk(torch.cat((image.flatten(1), latent.to(image.dtype)), 1))

    def forward(self, image: Tensor, latent: Tensor) -> Tensor:
        """Samples (N, *shape) with latents (N, latent_dim) to logits (N,)."""
        return self.head(self.features(image, latent)).squeeze(1)


class JointDiscriminator(nn.Module):
    """ALI, Dumoulin et al. 2017 (arXiv:1606.00704), appendix: one path each, then a common one.

    Image and latent meet in a layer of `joint_width` units. ALI has dropout in all three paths,
    which a gradient penalty would have to see through; there is none here.
    """

    def __init__(
        self, trunk: StridedTrunk | ResidualTrunk, latent_dim: int, joint_width: int
    ) -> None:
        super().__init__()
        check_positive(joint_width=joint_width)
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
    latent_dim: int = 100,  # length of the latent vector
    width: int = 64,  # channels at half the image's size; at most 16 times as many below
    joint_width: int = 512,  # units of the layers that join image and latent
    norm: Norm = "batch",  # norm layers
    spectral_norm: bool = False,  # spectral normalization of all weights
) -> JointDiscriminator:
    """DCGAN's strided convolutions see the image; two hidden layers join it with the latent."""
    check_positive(latent_dim=latent_dim, width=width)
    network = JointDiscriminator(StridedTrunk(spec, width, norm), latent_dim, joint_width)
    dcgan.initialize(network)
    return normalized(network, spectral_norm)


@networks.register("resnet_joint_discriminator")
def resnet_joint_discriminator(
    spec: Spec,
    *,
    latent_dim: int = 128,  # length of the latent vector
    width: int = 128,  # channels of every block
    joint_width: int = 512,  # units of the layers that join image and latent
    norm: Norm = "none",  # norm layers
    spectral_norm: bool = False,  # spectral normalization of all weights
) -> JointDiscriminator:
    """WGAN-GP's residual blocks see the image; two hidden layers join it with the latent."""
    check_positive(latent_dim=latent_dim, width=width)
    network = JointDiscriminator(ResidualTrunk(spec, width, norm), latent_dim, joint_width)
    residual.initialize(network)
    return normalized(network, spectral_norm)


def normalized(network: JointDiscriminator, spectral_norm: bool) -> JointDiscriminator:
    if spectral_norm:
        normalize_spectra(network)
    return network
