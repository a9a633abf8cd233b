"""The discriminator of StyleGAN2: Karras et al. 2020 (arXiv:1912.04958), Figure 7c.

With labels it is that of Karras et al. 2020 (arXiv:2006.06676), Appendix C.
"""

import math
from itertools import pairwise
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from gan_cli.config.ranges import Depth, Units
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.checks import check_conditioning
from gan_cli.networks.layers.conditioning import (
    Discriminator,
    DiscriminatorConditioning,
    SampleLabel,
)
from gan_cli.networks.layers.equalized import (
    EqualConv2d,
    EqualLinear,
    activate,
    at_least_float32,
    full_precision,
)
from gan_cli.networks.layers.mapping import Mapping
from gan_cli.networks.layers.minibatch import GroupedMinibatchStd, Minibatch, minibatch_layer
from gan_cli.networks.layers.norm import apply_spectral_norm
from gan_cli.networks.layers.resample import Downsample, Smooth
from gan_cli.networks.layers.sizes import block_widths, pyramid
from gan_cli.networks.network import networks

Architecture = Literal["resnet", "orig"]


@networks.register("stylegan2_discriminator")
class StyleGAN2Discriminator(Discriminator):
    """Discriminator: residual blocks that halve the size, and fully connected layers."""

    first_blocks: ClassVar = ("input", "blocks")

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 64,  # channels at the image's full size
        max_width: Units | None = 512,  # doubled at every halving up to this; None: never
        architecture: Architecture = "resnet",  # with residual connections; orig: without
        spectral_norm: bool = False,  # spectral normalization of all weights
        minibatch: Minibatch = "std",  # statistics over the batch, beside the features
        group: Units = 4,  # samples over which minibatch=std is computed
        conditioning: DiscriminatorConditioning = "none",  # label: as input, projected, predicted
        mapping_depth: Depth = 8,  # layers of the mapping network of labels, with projection
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, "none")
        size = pyramid(spec)
        channels = block_widths(width, max_width, size.levels + 1)
        last = channels[-1]
        self.auxiliary = conditioning == "auxiliary"
        self.condition = SampleLabel(conditioning, (1, *spec.shape[1:]), spec.classes)
        self.input = EqualConv2d(spec.shape[0] + self.condition.channels, channels[0], 1)
        self.blocks = nn.ModuleList(
            Block(before, after, architecture == "resnet") for before, after in pairwise(channels)
        )
        self.deviation = GroupedMinibatchStd(group) if minibatch == "std" else nn.Identity()
        self.conv = EqualConv2d(last + (minibatch == "std"), last, 3)
        self.linear = EqualLinear(last * math.prod(size.seed), last)
        pairwise_layer = minibatch if minibatch == "discrimination" else "none"
        self.minibatch, features = minibatch_layer(pairwise_layer, last)
        depth = mapping_depth if conditioning == "projection" else 0
        self.head = StyleHead(features, last, spec.classes, depth)
        self.classifier: Any = EqualLinear(features, spec.classes) if self.auxiliary else None
        if spectral_norm:
            normalize_weights(self)

    def features(self, image: Tensor, label: Tensor | None) -> Tensor:
        h = activate(self.input(self.condition(image, label)))
        for block in self.blocks:
            h = block(h)
        with full_precision(h):
            h = activate(self.conv(self.deviation(at_least_float32(h))))
            return self.minibatch(activate(self.linear(h.flatten(1))))  # (N, max_width)

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) to logits (N,)."""
        return self.head(self.features(image, label), label)

    def class_logits(self, features: Tensor) -> Tensor:
        return self.classifier(features)


class Block(nn.Module):
    """Two convolutions, the second of which halves the size, and a residual connection."""

    def __init__(self, before: int, after: int, residual: bool) -> None:
        super().__init__()
        self.first = EqualConv2d(before, before, 3)
        self.smooth = Smooth(before)
        self.second = EqualConv2d(before, after, 3, stride=2)
        self.skip: nn.Module | None = None
        if residual:
            shortcut = EqualConv2d(before, after, 1, bias=False)
            self.skip = nn.Sequential(Downsample(before), shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) to (N, after, H / 2, W / 2)."""
        h = activate(self.second(self.smooth(activate(self.first(x)))))
        return h if self.skip is None else (h + self.skip(x)) * math.sqrt(0.5)


class StyleHead(nn.Module):
    """Features (N, F) to logits (N,); with `depth` layers of a mapping network, by label.

    The logit is then the product of the mapped label and of as many features, over the root of
    their number. There is no logit besides.
    """

    def __init__(self, features: int, width: int, classes: int, depth: int) -> None:
        super().__init__()
        self.mapping = Mapping(0, classes, width, depth) if depth else None
        self.linear = EqualLinear(features, width if depth else 1)

    def forward(self, features: Tensor, label: Tensor | None) -> Tensor:
        with full_precision(features):
            h = self.linear(features)
            if self.mapping is None:
                return h.squeeze(1)
            return (h * self.mapping(None, label)).sum(1) / math.sqrt(h.shape[1])


def normalize_weights(network: nn.Module) -> None:
    """Applies spectral normalization in place of the equalized scales."""
    for module in network.modules():
        if isinstance(module, EqualLinear):
            module.scale = module.multiplier = 1.0
        elif isinstance(module, EqualConv2d):
            module.scale = 1.0
    apply_spectral_norm(network)
