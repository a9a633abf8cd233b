"""Features that need no training: random convolutions, pixels, and vectors as they are."""

import math
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.data.dataset import Dataset
from gan_cli.metrics.metric import Embedded, extractors

PIXEL_LIMIT = 256  # dimensions, since a covariance needs more samples than dimensions


class RandomFeatures(nn.Module):
    """A convolutional network with fixed random weights.

    Naeem et al. 2020 (arXiv:2002.09797), section 4, use a random VGG16; for small images, three
    strided convolutions do as well at a hundredth of the cost. The 128 features are 32 channel
    means of the second layer, which describe textures, and means over each quadrant of the 24
    channels of the third layer, which describe the layout of shapes.
    """

    widths = (16, 32, 24)

    def __init__(self, channels: int) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        for layer, width in enumerate(self.widths):
            self.register_buffer(f"weight{layer}", kaiming_uniform((width, channels, 3, 3), rng))
            channels = width

    def forward(self, images: Tensor) -> Tensor:
        """Features (N, 128) float32 of images (N, C, H, W) uint8."""
        maps = self.maps(images.float() / 127.5 - 1)
        textures = maps[1].mean((2, 3))  # (N, 32)
        layout = F.adaptive_avg_pool2d(maps[2], 2).flatten(1)  # (N, 24 * 4)
        return torch.cat([textures, layout], 1)

    def maps(self, images: Tensor) -> list[Tensor]:
        """Maps of all layers (N, width, H / 2^layer, W / 2^layer) of images in [-1, 1]."""
        h, maps = images, []
        for layer in range(len(self.widths)):
            h = F.conv2d(h, self.get_buffer(f"weight{layer}"), stride=2, padding=1).relu()
            maps.append(h)
        return maps


def kaiming_uniform(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Random weights with the variance of He et al. 2015 (arXiv:1502.01852), equation 10.

    They are uniform, since uniform numbers are computed from the integers of the Mersenne Twister;
    normal ones differ in the last bit between processors.
    """
    bound = math.sqrt(6 / math.prod(shape[1:]))
    return (torch.rand(shape, generator=rng) * 2 - 1) * bound


class PixelFeatures(nn.Module):
    """Pixels in [0, 1], downsampled to at most PIXEL_LIMIT values."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        shrink = min(1.0, math.sqrt(PIXEL_LIMIT / (channels * height * width)))
        self.size = (max(1, int(height * shrink)), max(1, int(width * shrink)))

    def forward(self, images: Tensor) -> Tensor:
        """Features (N, C * h * w) float32 of images (N, C, H, W) uint8."""
        return F.adaptive_avg_pool2d(images.float() / 255, self.size).flatten(1)


class ModuleFeatures:
    """Features computed by a module; `version` is raised whenever its values change."""

    kinds: ClassVar[frozenset[str]] = frozenset({"image"})
    classifies: ClassVar[bool] = False
    version: ClassVar[int] = 1
    name: str

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        self.module = module.to(device)

    def __call__(self, samples: Tensor) -> Embedded:
        return Embedded(self.module(samples))

    def describe(self) -> dict[str, Any]:
        return {"version": self.version}


@extractors.register("random")
class Random(ModuleFeatures):
    """Features of a fixed random network, for images of any size; needs no download."""

    name = "random"

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        super().__init__(RandomFeatures(dataset.spec.shape[0]), device)


@extractors.register("pixels")
class Pixels(ModuleFeatures):
    """Downsampled pixels, which show layout and colour but no texture."""

    name = "pixels"

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        channels, height, width = dataset.spec.shape
        super().__init__(PixelFeatures(channels, height, width), device)


@extractors.register("identity")
class Identity(ModuleFeatures):
    """The vectors themselves."""

    name = "identity"
    kinds = frozenset({"vector"})

    def __init__(self, dataset: Dataset, device: torch.device) -> None:  # noqa: ARG002
        super().__init__(nn.Identity(), device)
