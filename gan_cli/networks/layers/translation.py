"""What networks from image to image share."""

from torch import nn

from gan_cli.data.spec import Spec
from gan_cli.networks.layers.norm import Norm, normalization
from gan_cli.utils.errors import ConfigError


def check_images(spec: Spec, key: str) -> None:
    """Raises ConfigError unless the data set has images under the batch key `key`."""
    field = spec.fields.get(key)
    if field is None:
        raise ConfigError(
            f"name: this network makes images from images, and the data set has no '{key}'; use "
            "dataset=paired"
        )
    if field.kind != "image":
        raise ConfigError(
            f"name: this network is for images, and '{key}' is of kind {field.kind}; use a data "
            "set of images"
        )


def check_same_size(spec: Spec) -> None:
    """Raises ConfigError unless sources and targets have the same height and width."""
    source, target = (spec.fields[key].shape[1:] for key in ("source", "target"))
    if source != target:
        raise ConfigError(
            f"name: this network keeps the size of images, and one side has {source[0]} x "
            f"{source[1]}, the other {target[0]} x {target[1]}; set dataset.size, or dataset.crop "
            "of dataset=unpaired"
        )


def map_norm(norm: Norm, channels: int) -> nn.Module:
    """A norm layer of maps; instance norm without gain and bias, as in pix2pix and CycleGAN."""
    return normalization(norm, channels, affine=norm != "instance", maps=True)
