"""U-Net generator of pix2pix: Isola et al. 2017 (arXiv:1611.07004), Appendix 6.1.1.

For 256 x 256 pixels and `width` 64 it is the U-Net-256 of the authors' code, with 8 halvings; for
128 x 128 its U-Net-128.
"""

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Depth, Share, Units
from gan_cli.data.spec import Spec
from gan_cli.networks.dcgan import initialize
from gan_cli.networks.layers.norm import Norm
from gan_cli.networks.layers.seeded_dropout import SeededDropout
from gan_cli.networks.layers.sizes import widths
from gan_cli.networks.layers.translation import check_images, check_same_size, map_norm
from gan_cli.networks.network import networks
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.noise import Noise

LARGEST = 8  # halvings by default, those of U-Net-256
Upsampling = Literal["transposed", "resize"]


@networks.register("unet")
class UNet(nn.Module):
    """An encoder of `depth` halvings and a decoder, which sees the maps of the encoder, too.

    Width doubles at each halving, up to 8 times `width`. The blocks of the decoder that are as wide
    as that, but for the innermost, drop units: the only noise of pix2pix.

    It is fully convolutional: sides of images are multiples of 2^depth.
    """

    first_blocks: ClassVar = ("downs", "down_norms")

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 64,  # channels at half the image's size; at most 8 times as many below
        depth: Depth | None = None,  # halvings; null: as many as the size allows, at most 8
        norm: Norm = "instance",  # norm layers
        dropout: Share = 0.5,  # share of units dropped in the decoder; 0: none
        sampling_noise: bool = True,  # drop units of samples, too, and not only in training
        upsampling: Upsampling = "transposed",  # convolutions; resize: enlarges, then convolves
    ) -> None:
        super().__init__()
        check_images(spec, "source")
        check_images(spec, "target")
        check_same_size(spec)
        inputs, outputs = spec.fields["source"].shape[0], spec.fields["target"].shape[0]
        self.depth = halvings(spec.fields["source"].shape[1:], depth)
        channels = widths(width, 8 * width, self.depth)
        self.multiple, self.sampling_noise = 2**self.depth, sampling_noise
        bias = norm != "batch"
        self.downs, self.down_norms = nn.ModuleList(), nn.ModuleList()
        self.ups, self.up_norms = nn.ModuleList(), nn.ModuleList()
        self.dropouts = nn.ModuleList()
        noisy = min(max(self.depth - 5, 1), self.depth - 2)  # blocks after the innermost
        for i, count in enumerate(channels):
            outermost, innermost = i == 0, i == self.depth - 1
            before = channels[i - 1] if i else inputs
            self.downs.append(nn.Conv2d(before, count, 4, stride=2, padding=1, bias=bias))
            # A norm of the innermost map, which may be a single pixel, would leave zeros.
            self.down_norms.append(map_norm("none" if outermost or innermost else norm, count))
            twice = count if innermost else 2 * count  # with the map of the encoder
            after = channels[i - 1] if i else outputs
            self.ups.append(enlarging(twice, after, upsampling, bias or outermost))
            self.up_norms.append(map_norm("none" if outermost else norm, after))
            drops = not innermost and i >= self.depth - 1 - noisy
            self.dropouts.append(SeededDropout(dropout if drops else 0.0))
        initialize(self)

    def forward(self, source: Tensor, noise: Noise | None = None) -> Tensor:
        """Images (N, C, H, W) to images of the same size in [-1, 1].

        In eval mode units are dropped only if there is `noise`, which chooses them.
        """
        check_multiple(source, self.multiple)
        maps, h = [], source
        for i, (down, norm) in enumerate(zip(self.downs, self.down_norms, strict=True)):
            h = norm(down(F.leaky_relu(h, 0.2) if i else h))  # (N, width, H / 2, W / 2)
            maps.append(h)
        for i in reversed(range(self.depth)):
            h = h if i == self.depth - 1 else torch.cat([maps[i], h], 1)
            h = self.up_norms[i](self.ups[i](F.relu(h)))  # (N, width, 2 H, 2 W)
            h = self.dropouts[i](h, noise if self.sampling_noise else None)
        return torch.tanh(h)


def enlarging(inputs: int, outputs: int, upsampling: Upsampling, bias: bool) -> nn.Module:
    """A layer that doubles height and width."""
    if upsampling == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=bias)
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect", bias=bias),
    )


def halvings(size: tuple[int, ...], depth: int | None) -> int:
    """The number of halvings of images (height, width); ConfigError if they do not allow it."""
    height, width = size
    possible = 0
    while height % 2 ** (possible + 1) == width % 2 ** (possible + 1) == 0:
        possible += 1
    wanted = min(possible, LARGEST) if depth is None else depth
    if wanted > possible or wanted < 2:
        most = f"{possible} times" if possible else "not once"
        raise ConfigError(
            f"depth: images of {height} x {width} can be halved {most}, and the U-Net halves them "
            f"{max(wanted, 2)} times or more; use sides that are multiples of "
            f"{2 ** max(wanted, 2)}, with dataset.size"
            + (f", or depth={possible}" if possible >= 2 else "")
        )
    return wanted


def check_multiple(images: Tensor, multiple: int) -> None:
    """Raises ConfigError if a side of the images is no multiple of `multiple`."""
    height, width = images.shape[2:]
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return
    if height % multiple or width % multiple:
        raise ConfigError(
            f"input: images of {height} x {width}, and the network takes multiples of {multiple}; "
            "resize or pad them"
        )
