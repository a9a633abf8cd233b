"""StyleGAN2: Karras et al. 2020 (arXiv:1912.04958), Config F, for images of k * 2^n pixels.

A mapping network turns latents into styles, which modulate the convolutions of the generator. Both
networks have the form of Karras et al. 2020 (arXiv:2006.06676), Appendix C.
"""

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from gan_cli.config.ranges import Depth, Share, Units
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.checks import check_conditioning
from gan_cli.networks.layers.equalized import full_precision
from gan_cli.networks.layers.latent import Prior, draw_latent, truncated_styles
from gan_cli.networks.layers.mapping import Mapping
from gan_cli.networks.layers.modulated import StyledLayer, ToImage
from gan_cli.networks.layers.resample import Upsample
from gan_cli.networks.layers.sizes import block_widths, pyramid
from gan_cli.networks.network import networks

W_DECAY = 0.995  # of the mean style, per pass in training


@networks.register("stylegan2_generator")
class StyleGAN2Generator(nn.Module):
    """Mapping network, and a synthesis network that adds up an image from all sizes.

    In training, every layer draws its own noise. Otherwise `noise` is an input of forward, without
    which there is none.
    """

    w_avg: Tensor

    def __init__(
        self,
        spec: Spec,
        *,
        latent_dim: Units = 512,  # length of the latent vector
        prior: Prior = "normal",  # of the latents, which are normalized
        style_dim: Units = 512,  # length of a style, i.e. width of the mapping network
        mapping_depth: Depth = 8,  # layers of the mapping network
        style_mixing: Share = 0.9,  # share of steps whose later layers have the style of others
        width: Units = 64,  # channels at the image's full size
        max_width: Units | None = 512,  # doubled at every halving up to this; None: never
        conditioning: Literal["none", "concat"] = "none",  # how the label enters; none: not at all
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, "none")
        size = pyramid(spec)
        channels = block_widths(width, max_width, size.levels + 1)[::-1]
        self.conditional = conditioning != "none"
        self.latent_dim, self.prior, self.style_mixing = latent_dim, prior, style_mixing
        classes = spec.classes if self.conditional else 0
        self.mapping = Mapping(latent_dim, classes, style_dim, mapping_depth)
        self.register_buffer("w_avg", torch.zeros(style_dim))
        self.basis = nn.Parameter(torch.randn(channels[0], *size.seed))
        heights, widths = ([side << level for level in range(len(channels))] for side in size.seed)
        sizes = list(zip(heights, widths, strict=True))
        self.blocks = nn.ModuleList([Block([channels[0]] * 2, spec.shape[0], style_dim, sizes[0])])
        self.blocks.extend(
            Block([before, after, after], spec.shape[0], style_dim, sizes[i], up=True)
            for i, (before, after) in enumerate(pairwise(channels), 1)
        )
        # The first size has one layer, the others two.
        self.noise_sizes = [math.prod(sizes[(i + 1) // 2]) for i in range(2 * len(sizes) - 1)]
        self.noise_size = sum(self.noise_sizes)  # numbers of noise in a sample
        self.styled = 2 * len(sizes)  # those layers, and the last image, have styles of their own

    def forward(
        self,
        latent: Tensor,
        label: Tensor | None = None,
        noise: Tensor | None = None,
        truncation: float | None = None,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Latents (N, latent_dim) to images (N, C, H, W), which are not bounded.

        `noise` is (N, noise_size). Styles w become w_avg + truncation * (w - w_avg), in the first
        `truncation_cutoff` layers.
        """
        styles = self.styles(latent, label)
        if truncation is not None:
            styles = truncated_styles(styles, self.w_avg, truncation, truncation_cutoff)
        return self.synthesis(styles, noise)

    def styles(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents (N, latent_dim) to the styles of all layers (N, styled, style_dim)."""
        w = self.mapping(latent, label)
        if self.training:
            with torch.no_grad():
                self.w_avg.lerp_(w.mean(0), 1 - W_DECAY)
            if self.style_mixing > 0:
                return self.mixed(w, label)
        return w[:, None].expand(-1, self.styled, -1)

    def affines(self) -> list[list[nn.Module]]:
        """Returns, for each style, the affine maps that read it."""
        found: list[list[nn.Module]] = [[] for _ in range(self.styled)]
        position = 0
        for block in self.blocks:
            for layer in block.layers:  # type: ignore[union-attr]
                found[position].append(layer.conv.style)
                position += 1
            found[position].append(block.to_image.style)  # type: ignore[union-attr,arg-type]
        return found

    def mixed(self, w: Tensor, label: Tensor | None) -> Tensor:
        """Replaces the styles after a random layer by those of other latents.

        All samples change at the same layer, as in the code of the authors.
        """
        device = w.device
        other = self.mapping(draw_latent(self, len(w), device), label)
        change = torch.randint(1, self.styled, (), device=device)
        change = change.where(torch.rand((), device=device) < self.style_mixing, self.styled)
        late = torch.arange(self.styled, device=device) >= change
        return torch.where(late[:, None], other[:, None], w[:, None])

    def synthesis(self, styles: Tensor, noise: Tensor | None = None) -> Tensor:
        """Styles (N, styled, style_dim) and noise (N, noise_size) to images (N, C, H, W)."""
        count = styles.shape[0]  # unlike len(), not a constant of a trace
        if noise is None and self.training:
            noise = torch.randn(count, self.noise_size, device=styles.device)
        planes = iter([None] * self.styled if noise is None else noise.split(self.noise_sizes, 1))
        w = styles.unbind(1)
        x, image, position = self.basis.expand(count, -1, -1, -1), None, 0
        for block in self.blocks:
            layers = len(block.layers)  # type: ignore[arg-type]  # a ModuleList
            own = [next(planes) for _ in range(layers)]
            # The style of an image is also that of the first layer of the next block.
            x, image = block(x, image, w[position : position + layers + 1], own)
            position += layers
        assert image is not None
        return image


class Block(nn.Module):
    """The layers of one size, which add to the image: Figure 7b."""

    def __init__(
        self,
        channels: list[int],
        colours: int,
        style_dim: int,
        size: tuple[int, int],
        up: bool = False,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            StyledLayer(*pair, style_dim, size, up and i == 0)
            for i, pair in enumerate(pairwise(channels))
        )
        self.to_image = ToImage(channels[-1], colours, style_dim)
        self.up = Upsample(colours) if up else None

    def forward(
        self,
        x: Tensor,
        image: Tensor | None,
        w: tuple[Tensor, ...],
        noise: list[Tensor | None],
    ) -> tuple[Tensor, Tensor]:
        """Returns features (N, C, H, W) and the image so far, at the size of the block."""
        for layer, style, plane in zip(self.layers, w, noise, strict=False):
            x = layer(x, style, plane)
        added = self.to_image(x, w[-1])
        if image is None or self.up is None:
            return x, added
        with full_precision(image):
            return x, self.up(image) + added
