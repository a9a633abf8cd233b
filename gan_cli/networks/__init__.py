"""Networks, one file per architecture; each is built to fit a data set's Spec."""

from gan_cli.networks import affine, dann, dcgan, encoders, joint, mlp, resnet  # noqa: F401  (registration)
from gan_cli.networks.registry import networks

__all__ = ["networks"]
