"""PatchGAN, the discriminator of pix2pix: Isola et al. 2017 (arXiv:1611.07004), Appendix 6.1.2.

It judges overlapping patches of an image, each on its own, and so has as many logits.
"""

import math
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Range, Units
from gan_cli.data.spec import Spec
from gan_cli.networks.dcgan import initialize
from gan_cli.networks.layers.norm import Norm, apply_spectral_norm
from gan_cli.networks.layers.sizes import widths
from gan_cli.networks.layers.translation import map_norm
from gan_cli.networks.network import networks
from gan_cli.utils.errors import ConfigError

Layers = Annotated[int, Range(least=0, most=10)]
Scales = Annotated[int, Range(least=1, most=8)]


@networks.register("patchgan")
class PatchGAN(nn.Module):
    """Strided convolutions; `layers` is the number of halvings.

    Each logit sees a patch of 70 pixels with 3 layers, 1 with 0, 16 with 1, 34 with 2, 142 with 4
    and 286 with 5. With `layers` null there are as many as the images allow: the last map is then
    as small as possible, and each logit sees the whole image.

    With `scales` > 1, further networks judge the image at a half, a quarter, ... of its size
    (pix2pixHD: Wang et al. 2018, arXiv:1711.11585, Section 3.2).
    """

    conditional: ClassVar[bool] = False  # on labels
    auxiliary: ClassVar[bool] = False
    first_blocks: ClassVar = ("blocks",)

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 64,  # channels of the first layer; at most 8 times as many below
        layers: Layers | None = 3,  # halvings, which set the patch; null: the whole image
        norm: Norm = "instance",  # norm layers
        spectral_norm: bool = False,  # spectral normalization of all weights
        scales: Scales = 1,  # networks for the image at 1, 1/2, 1/4, ... of its size
    ) -> None:
        super().__init__()
        if spec.kind != "image":
            raise ConfigError(
                f"name: this network is for images, but the samples are of kind {spec.kind} and "
                f"shape {spec.shape}; use another"
            )
        smallest = min(spec.shape[1:]) // 2 ** (scales - 1)
        count = whole_image(smallest) if layers is None else layers
        check_size(spec, smallest, count, scales)
        self.scales = nn.ModuleList(
            Patches(spec.shape[0], width, count, norm) for _ in range(scales)
        )
        initialize(self)
        if spectral_norm:
            apply_spectral_norm(self)

    @property
    def blocks(self) -> nn.ModuleList:
        """The layers from the image on, each of all scales with its norm."""
        scales: Any = self.scales
        rows = zip(*(zip(one.convolutions, one.norms, strict=True) for one in scales), strict=True)
        return nn.ModuleList(nn.ModuleList(part for pair in row for part in pair) for row in rows)

    def forward(self, image: Tensor) -> Tensor:
        """Images (N, C, H, W) to logits (N, P) of all patches."""
        return joined([maps[-1] for maps in self.maps(image)])

    def maps(self, image: Tensor) -> list[list[Tensor]]:
        """Returns the maps of all layers, the logits (N, 1, H, W) last, for each scale."""
        found = []
        for i, patches in enumerate(self.scales):
            image = F.avg_pool2d(image, 3, 2, 1, count_include_pad=False) if i else image
            found.append(patches(image))
        return found


class Patches(nn.Module):
    """The layers for one scale."""

    def __init__(self, inputs: int, width: int, layers: int, norm: Norm) -> None:
        super().__init__()
        bias = norm != "batch"
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        size, padding = (4, 1) if layers else (1, 0)  # PixelGAN has kernels of 1 x 1
        before = inputs
        for i, count in enumerate(widths(width, 8 * width, max(layers, 1) + 1)):
            stride = 2 if i < layers else 1
            plain = i == 0
            self.convolutions.append(
                nn.Conv2d(before, count, size, stride, padding, bias=bias or plain)
            )
            self.norms.append(map_norm("none" if plain else norm, count))
            before = count
        self.head = nn.Conv2d(before, 1, size, 1, padding, bias=bool(layers) or bias)

    def forward(self, h: Tensor) -> list[Tensor]:
        """Images (N, C, H, W) to the maps of all layers, the logits last."""
        found = []
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            h = F.leaky_relu(norm(convolution(h)), 0.2)
            found.append(h)
        return [*found, self.head(h)]


def joined(logits: list[Tensor]) -> Tensor:
    """Joins logits (N, 1, H, W) of all scales to (N, P); each scale gets about as many entries."""
    size = logits[0].shape[2:]
    return torch.cat([F.interpolate(x.float(), size) for x in logits], 1).flatten(1)


def receptive_field(layers: int) -> int:
    """Side in pixels of the patch that a logit sees."""
    side = 1
    for stride in ([1, 1] + [2] * layers) if layers else []:
        side = side * stride + 4 - stride
    return side


def whole_image(side: int) -> int:
    """Layers after which two convolutions of stride 1 and kernel 4 leave one logit or few."""
    return max(int(math.log2(max(side, 1))) - 2, 1)


def check_size(spec: Spec, smallest: int, layers: int, scales: int) -> None:
    """Raises ConfigError if the images are too small for all layers, the last two of stride 1."""
    if layers and smallest // 2**layers < 3:
        height, width = spec.shape[1:]
        most = max(int(math.log2(max(smallest // 3, 1))), 0)
        also = ", or fewer scales" if scales > 1 else ""
        raise ConfigError(
            f"layers: images of {height} x {width} are too small for {layers}; type "
            f"layers={most}{also}, or use larger images"
        )
