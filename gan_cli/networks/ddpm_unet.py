"""The U-Net of DDPM: Ho, Jain & Abbeel 2020 (arXiv:2006.11239), Appendix B.

With width=128, multipliers=[1,2,2,2], 2 blocks and attention at 16 pixels it has the 35,746,307
parameters of the CIFAR-10 model.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from gan_cli.config.ranges import Count, Depth, Natural, Pixels, ProperShare, Units
from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.checks import check_conditioning
from gan_cli.networks.layers.denoising import InWords, LabelConditioning, StepStyles
from gan_cli.networks.layers.sizes import check_halvings
from gan_cli.networks.layers.time import TimeEmbedding
from gan_cli.networks.layers.unet_blocks import (
    AttentionBlock,
    Downsample,
    ResidualBlock,
    Upsample,
    group_norm,
    initialize,
    zero,
)
from gan_cli.networks.network import networks
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
        style: int = 0,
    ) -> None:
        super().__init__()
        self.block = ResidualBlock(inputs, outputs, time, dropout, style)
        self.attention = AttentionBlock(outputs, heads) if attends else nn.Identity()

    def forward(self, x: Tensor, time: Tensor, style: Tensor | None = None) -> Tensor:
        attended: Tensor = self.attention(self.block(x, time, style))
        return attended


@networks.register("ddpm_unet")
class DDPMUNet(nn.Module):
    """Residual blocks at several sizes, with shortcuts between the way down and the way up."""

    inputs_in_words = InWords

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 128,  # channels at full size
        multipliers: tuple[Count, ...] = (1, 2, 2, 2),  # of the channels, at each size
        blocks: Depth = 2,  # residual blocks at each size
        attention: tuple[Pixels, ...] = (16,),  # heights of the maps with self-attention
        heads: Count = 1,  # of the attention
        dropout: ProperShare | None = 0.1,  # share of features left out in training; null: none
        conditioning: LabelConditioning = "none",  # embed: the label is added to the time
        predicts_variance: bool = False,  # twice the outputs, for a learned variance
        step_latent_dim: Natural = 0,  # length of the latent of each step, for model=ddgan
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, "none")
        check_halvings(spec, len(multipliers) - 1, "mlp_denoiser")
        check_heads([m * width for m in multipliers], heads)
        self.conditional = conditioning != "none"
        self.classes = spec.classes if self.conditional else 0
        self.shape, self.predicts_variance = spec.shape, predicts_variance
        self.latent_dim, self.prior = math.prod(spec.shape), "normal"
        self.bounded = kind_of(spec.fields[spec.target]).bounded
        channels, height, _ = spec.shape
        time, drop, self.step_latent_dim = 4 * width, dropout or 0.0, step_latent_dim
        style = time if step_latent_dim else 0
        sizes = [height >> level for level in range(len(multipliers))]
        widths = [width * m for m in multipliers]

        self.time = TimeEmbedding(width, time, self.classes)
        self.styles = StepStyles(step_latent_dim, style) if style else None
        self.input = nn.Conv2d(channels, width, 3, padding=1)
        skips, downs, last = [width], nn.ModuleList(), width
        for i, (size, outputs) in enumerate(zip(sizes, widths, strict=True)):
            for _ in range(blocks):
                downs.append(Stage(last, outputs, time, drop, size in attention, heads, style))
                skips.append(last := outputs)
            if i + 1 < len(widths):
                downs.append(Downsample(last))
                skips.append(last)
        self.downs = downs
        self.middle = nn.ModuleList(
            (
                Stage(last, last, time, drop, True, heads, style),
                Stage(last, last, time, drop, False, heads, style),
            )
        )
        ups = nn.ModuleList()
        for i, (size, outputs) in reversed(list(enumerate(zip(sizes, widths, strict=True)))):
            for _ in range(blocks + 1):
                ups.append(
                    Stage(last + skips.pop(), outputs, time, drop, size in attention, heads, style)
                )
                last = outputs
            if i > 0:
                ups.append(Upsample(last))
        self.ups = ups
        self.norm = group_norm(last)
        copies = 2 if predicts_variance else 1
        self.output = nn.Conv2d(last, copies * channels, 3, padding=1)
        initialize(self)
        zero(self.output)

    def forward(
        self,
        sample: Tensor,
        time: Tensor,
        label: Tensor | None = None,
        latent: Tensor | None = None,
    ) -> Tensor:
        """Images (N, C, H, W) and times (N,) to outputs (N, C, H, W), or (N, 2 C, H, W)."""
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
        return self.output(silu(self.norm(h)))


def check_heads(widths: list[int], heads: int) -> None:
    """Raises ConfigError unless `heads` divides the channels."""
    wrong = next((width for width in widths if width % heads), None)
    if wrong is not None:
        raise ConfigError(f"heads: {heads} do not divide {wrong} channels; use 1")
