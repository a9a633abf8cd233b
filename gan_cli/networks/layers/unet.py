"""The U-Net of DDPM: Ho, Jain & Abbeel 2020 (arXiv:2006.11239), Appendix B; of images or sounds."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.checks import check_conditioning
from gan_cli.networks.layers.denoising import LabelConditioning, StepStyles
from gan_cli.networks.layers.time import TimeEmbedding
from gan_cli.networks.layers.unet_blocks import (
    CONVOLUTIONS,
    AttentionBlock,
    Downsample,
    ResidualBlock,
    Upsample,
    group_norm,
    initialize,
    zero,
)
from gan_cli.utils.errors import ConfigError


class Stage(nn.Module):
    """A residual block and, at some sizes, attention."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        time: int,
        dropout: float,
        attends: bool,
        heads: int,
        style: int,
        dimensions: int,
    ) -> None:
        super().__init__()
        self.block = ResidualBlock(inputs, outputs, time, dropout, style, dimensions)
        self.attention = AttentionBlock(outputs, heads, dimensions) if attends else nn.Identity()

    def forward(self, x: Tensor, time: Tensor, style: Tensor | None = None) -> Tensor:
        attended: Tensor = self.attention(self.block(x, time, style))
        return attended


class UNet(nn.Module):
    """Residual blocks at several sizes, with shortcuts between the way down and the way up.

    Maps have `channels` x `size` at the start, with one more side of any length if `dimensions`
    is 2.
    """

    def __init__(
        self,
        spec: Spec,
        channels: int,
        size: int,
        dimensions: int,
        *,
        width: int,
        multipliers: tuple[int, ...],
        blocks: int,
        attention: tuple[int, ...],
        heads: int,
        dropout: float,
        conditioning: LabelConditioning,
        predicts_variance: bool,
        step_latent_dim: int = 0,
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, "none")
        check_heads([m * width for m in multipliers], heads)
        self.conditional = conditioning != "none"
        self.classes = spec.classes if self.conditional else 0
        self.shape, self.predicts_variance = spec.shape, predicts_variance
        self.latent_dim, self.prior = math.prod(spec.shape), "normal"
        self.bounded = kind_of(spec.fields[spec.target]).bounded
        self.step_latent_dim = step_latent_dim
        time = 4 * width
        style = time if step_latent_dim else 0
        sizes = [size >> level for level in range(len(multipliers))]
        widths = [width * m for m in multipliers]

        def stage(inputs: int, outputs: int, attends: bool) -> Stage:
            return Stage(inputs, outputs, time, dropout, attends, heads, style, dimensions)

        self.time = TimeEmbedding(width, time, self.classes)
        self.styles = StepStyles(step_latent_dim, style) if style else None
        self.input = CONVOLUTIONS[dimensions](channels, width, 3, padding=1)
        skips, downs, last = [width], nn.ModuleList(), width
        for i, (side, outputs) in enumerate(zip(sizes, widths, strict=True)):
            for _ in range(blocks):
                downs.append(stage(last, outputs, side in attention))
                skips.append(last := outputs)
            if i + 1 < len(widths):
                downs.append(Downsample(last, dimensions))
                skips.append(last)
        self.downs = downs
        self.middle = nn.ModuleList((stage(last, last, True), stage(last, last, False)))
        ups = nn.ModuleList()
        for i, (side, outputs) in reversed(list(enumerate(zip(sizes, widths, strict=True)))):
            for _ in range(blocks + 1):
                ups.append(stage(last + skips.pop(), outputs, side in attention))
                last = outputs
            if i > 0:
                ups.append(Upsample(last, dimensions))
        self.ups = ups
        self.norm = group_norm(last)
        copies = 2 if predicts_variance else 1
        self.output = CONVOLUTIONS[dimensions](last, copies * channels, 3, padding=1)
        initialize(self)
        zero(self.output)

    def forward(
        self,
        sample: Tensor,
        time: Tensor,
        label: Tensor | None = None,
        latent: Tensor | None = None,
    ) -> Tensor:
        """Maps (N, C, *map) and times (N,) to outputs (N, C, *map), or (N, 2 C, *map)."""
        style = None if self.styles is None else self.styles(latent)
        embedded = silu(self.time(time, label if self.conditional else None))  # (N, 4 width)
        h = self.input(sample)
        skips = [h]
        for down in self.downs:
            h = down(h, embedded, style) if isinstance(down, Stage) else down(h)
            skips.append(h)
        for stage in self.middle:
            h = stage(h, embedded, style)
        for up in self.ups:
            if isinstance(up, Stage):
                h = up(torch.cat((h, skips.pop()), 1), embedded, style)
            else:
                h = up(h)
        outputs: Tensor = self.output(silu(self.norm(h)))
        return outputs


def check_heads(widths: list[int], heads: int) -> None:
    """Raises ConfigError unless `heads` divides the channels."""
    wrong = next((width for width in widths if width % heads), None)
    if wrong is not None:
        raise ConfigError(f"heads: {heads} do not divide {wrong} channels; use 1")
