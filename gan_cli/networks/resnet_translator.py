"""Generator of CycleGAN: Zhu et al. 2017 (arXiv:1703.10593), Appendix 7.2; Johnson et al. 2016.

With `width` 64 and 3 channels it has 11,378,179 parameters with 9 blocks, 7,837,699 with 6.
"""

from itertools import pairwise
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Depth, Range, Units
from gan_cli.data.spec import Spec
from gan_cli.networks.dcgan import initialize
from gan_cli.networks.layers.norm import Norm
from gan_cli.networks.layers.translation import check_images, check_same_size, map_norm
from gan_cli.networks.network import networks
from gan_cli.networks.unet import Upsampling, check_multiple
from gan_cli.utils.errors import ConfigError

Halvings = Annotated[int, Range(least=0, most=8)]


@networks.register("resnet_translator")
class ResNetTranslator(nn.Module):
    """Halves the image, transforms it with residual blocks, and enlarges it again.

    It is fully convolutional: sides of images are multiples of 2^halvings. All maps are padded by
    reflection.
    """

    first_blocks: ClassVar = ("downs", "down_norms")

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 64,  # channels at the image's full size, doubled at each halving
        blocks: Depth = 9,  # residual blocks: 9 for 256 x 256 pixels, 6 for 128 x 128
        halvings: Halvings = 2,  # of the image, before the blocks
        norm: Norm = "instance",  # norm layers
        upsampling: Upsampling = "transposed",  # convolutions; resize: enlarges, then convolves
    ) -> None:
        super().__init__()
        for key in ("source", "target"):
            check_images(spec, key)
        check_same_size(spec)
        self.multiple = 2**halvings
        check_map(spec, self.multiple)
        inputs, outputs = (spec.fields[key].shape[0] for key in ("source", "target"))
        channels, bias = [width << i for i in range(halvings + 1)], norm != "batch"
        self.input = reflecting(inputs, width, 7, bias=bias)
        self.input_norm = map_norm(norm, width)
        self.downs = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1, bias=bias)
            for before, after in pairwise(channels)
        )
        self.down_norms = nn.ModuleList(map_norm(norm, count) for count in channels[1:])
        self.blocks = nn.ModuleList(Block(channels[-1], norm) for _ in range(blocks))
        self.ups = nn.ModuleList(
            enlarging(before, after, upsampling, bias) for before, after in pairwise(channels[::-1])
        )
        self.up_norms = nn.ModuleList(map_norm(norm, count) for count in channels[-2::-1])
        self.output = reflecting(width, outputs, 7)
        initialize(self)

    def forward(self, source: Tensor) -> Tensor:
        """Images (N, C, H, W) to images of the same size in [-1, 1]."""
        check_multiple(source, self.multiple)
        h = self.halved(source)[-1]
        for block in self.blocks:
            h = block(h)
        for up, norm in zip(self.ups, self.up_norms, strict=True):
            h = F.relu(norm(up(h)))  # (N, width / 2, 2 H, 2 W)
        return torch.tanh(self.output(h))

    def halved(self, source: Tensor) -> list[Tensor]:
        """Returns the outputs of the convolutions that halve, and the input of the blocks."""
        h, found = F.relu(self.input_norm(self.input(source))), []  # (N, width, H, W)
        for down, norm in zip(self.downs, self.down_norms, strict=True):
            found.append(down(h))  # (N, 2 width, H / 2, W / 2)
            h = F.relu(norm(found[-1]))
        return [*found, h]

    def maps(self, source: Tensor) -> list[Tensor]:
        """Returns what CUT compares (Park et al. 2020, arXiv:2007.15651, Appendix C.1).

        The image, the outputs of the convolutions that halve it, and those of the first block and
        of the middle one, if there is more than one.
        """
        *halved, h = self.halved(source)
        outputs = []
        for block in self.blocks[: middle(len(self.blocks))]:
            h = block(h)
            outputs.append(h)
        return [source, *halved, *outputs[:1], *outputs[1:][-1:]]

    @property
    def map_channels(self) -> tuple[int, ...]:
        """Channels of the maps of maps()."""
        layers: list[Any] = [*self.downs, *self.blocks[:2]]
        return (self.input.in_channels, *(layer.out_channels for layer in layers))


def middle(blocks: int) -> int:
    """Number of residual blocks up to the middle one: 5 of 9."""
    return max((blocks + 1) // 2, min(blocks, 2))


class Block(nn.Module):
    """Convolution, norm, ReLU, convolution, norm, plus the input."""

    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        self.out_channels, bias = width, norm != "batch"
        self.conv1, self.norm1 = reflecting(width, width, 3, bias), map_norm(norm, width)
        self.conv2, self.norm2 = reflecting(width, width, 3, bias), map_norm(norm, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))


def reflecting(inputs: int, outputs: int, size: int, bias: bool = True) -> nn.Conv2d:
    """A convolution that keeps the size of maps, which are padded by reflection."""
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, padding_mode="reflect", bias=bias)


def enlarging(inputs: int, outputs: int, upsampling: Upsampling, bias: bool) -> nn.Module:
    """A layer that doubles height and width."""
    if upsampling == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=1, bias=bias)
    return nn.Sequential(nn.Upsample(scale_factor=2), reflecting(inputs, outputs, 3, bias))


def check_map(spec: Spec, multiple: int) -> None:
    """Raises ConfigError if the images cannot be halved, or if too little is left of them."""
    height, width = spec.shape[1:]
    if height % multiple or width % multiple or min(height, width) < max(2 * multiple, 4):
        least = max(2 * multiple, 4)
        sides = f"multiples of {multiple}, at least {least}"
        raise ConfigError(
            f"halvings: images of {height} x {width} do not fit; sides are {sides}: resize the "
            "images with dataset.size, or choose fewer halvings"
        )
