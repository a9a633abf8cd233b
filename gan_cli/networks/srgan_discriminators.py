"""Discriminators of SRGAN (arXiv:1609.04802) and ESRGAN (arXiv:1809.00219)."""

import math
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Units
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.norm import Norm, Normalize, apply_spectral_norm
from gan_cli.networks.network import networks
from gan_cli.utils.errors import ConfigError

SMALLEST = 16  # side of images


class ConvolutionalDiscriminator(nn.Module):
    """Convolutions with leaky ReLU, of which all but the first have a norm, and two linear layers.

    `layers` are (inputs, outputs, kernel, stride); `bias` says whether convolutions with batch norm
    have one.
    """

    auxiliary = False
    first_blocks: ClassVar = ("convs", "norms")

    def __init__(
        self,
        spec: Spec,
        layers: list[tuple[int, int, int, int]],
        hidden: int,
        norm: Norm,
        spectral_norm: bool,
        bias: bool,
    ) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, kernel, stride, padding=1, bias=bias or norm == "none" or not k)
            for k, (i, o, kernel, stride) in enumerate(layers)
        )
        self.norms = nn.ModuleList(
            Normalize(norm if k else "none", o) for k, (_, o, _, _) in enumerate(layers)
        )
        self.hidden = nn.Linear(self.map_size(spec, layers), hidden)
        self.head = nn.Linear(hidden, 1)
        if spectral_norm:
            apply_spectral_norm(self)

    @staticmethod
    def map_size(spec: Spec, layers: list[tuple[int, int, int, int]]) -> int:
        """Returns the number of features of the last map."""
        if spec.kind != "image" or min(spec.shape[1:]) < SMALLEST:
            raise ConfigError(
                f"name: this network takes images of {SMALLEST} x {SMALLEST} or more, and the "
                f"samples are of kind {spec.kind} and shape {spec.shape}; choose larger ones"
            )
        height, width = spec.shape[1:]
        for _, _, kernel, stride in layers:
            height, width = ((side + 2 - kernel) // stride + 1 for side in (height, width))
        return layers[-1][1] * height * width

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:  # noqa: ARG002
        h = image
        for conv, norm in zip(self.convs, self.norms, strict=True):
            h = F.leaky_relu(norm(conv(h)), 0.2)
        return F.leaky_relu(self.hidden(h.flatten(1)), 0.2)

    def forward(self, image: Tensor) -> Tensor:
        """Images (N, C, H, W) to logits (N,)."""
        logit: Tensor = self.head(self.features(image))
        return logit.squeeze(1)


@networks.register("srgan_discriminator")
class SRGANDiscriminator(ConvolutionalDiscriminator):
    """Eight convolutions of 3 x 3, each second one of stride 2, for images of any size (Figure 4).

    The linear layers are built for the size of the data set's images.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 64,  # channels of the first two layers, doubled three times
        hidden: Units = 1024,  # units of the linear layer before the last
        norm: Norm = "batch",  # norm layers of all convolutions but the first
        spectral_norm: bool = False,  # spectral normalization of all weights
    ) -> None:
        channels = [width << level for level in range(4) for _ in range(2)]
        pairs = zip([spec.shape[0], *channels], channels, strict=False)
        layers = [(i, o, 3, 1 + k % 2) for k, (i, o) in enumerate(pairs)]
        super().__init__(spec, layers, hidden, norm, spectral_norm, bias=True)


@networks.register("esrgan_discriminator")
class ESRGANDiscriminator(ConvolutionalDiscriminator):
    """Pairs of convolutions in the style of VGG, of which the second halves the map.

    The number of pairs follows from the size: five for 128 x 128, six for 256 x 256.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 64,  # channels of the first pair, doubled up to 8 times as many
        hidden: Units = 100,  # units of the linear layer before the last
        norm: Norm = "batch",  # norm layers of all convolutions but the first
        spectral_norm: bool = False,  # spectral normalization of all weights
    ) -> None:
        pairs = max(int(math.log2(max(min(spec.shape[1:]), SMALLEST) / 4)), 1)
        channels = [min(width << level, 8 * width) for level in range(pairs)]
        layers, inputs = [], spec.shape[0]
        for outputs in channels:
            layers += [(inputs, outputs, 3, 1), (outputs, outputs, 4, 2)]
            inputs = outputs
        super().__init__(spec, layers, hidden, norm, spectral_norm, bias=False)
