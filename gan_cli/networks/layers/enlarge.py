"""Factors by which networks enlarge images, read from the sizes of a data set's fields."""

from torch import Tensor, nn

from gan_cli.data.spec import Field, Spec
from gan_cli.utils.errors import ConfigError

FACTORS = (1, 2, 3, 4, 8, 16)


def source_of(spec: Spec) -> Field:
    """Returns the field of the images to enlarge; ConfigError if there is none."""
    key = next((key for key in spec.inputs if spec.fields[key].kind == "image"), None)
    if key is None or spec.kind != "image":
        raise ConfigError(
            "name: this network enlarges images, and the data set has no small ones; type "
            "dataset=paired dataset.path=FOLDER degradation@dataset.degradation=downscale"
        )
    return spec.fields[key]


def factor_of(spec: Spec) -> int:
    """Returns how many times larger the target is than the source: 1, 2, 3, 4, 8 or 16."""
    small, large = source_of(spec).shape[1:], spec.shape[1:]
    factor = large[0] // small[0]
    if factor not in FACTORS or (small[0] * factor, small[1] * factor) != tuple(large):
        sizes = " and ".join(f"{height} x {width}" for height, width in (small, large))
        raise ConfigError(
            f"name: this network enlarges {FACTORS[0]}, {', '.join(map(str, FACTORS[1:-1]))} or "
            f"{FACTORS[-1]} times, the same in height and width, and source and target are "
            f"{sizes}; choose another dataset.degradation.factor"
        )
    return factor


def stages(factor: int) -> list[int]:
    """Returns the factors of single layers: 8 is 2, 2, 2."""
    return [3] if factor == 3 else [2] * (factor.bit_length() - 1)


class SubPixel(nn.Module):
    """A convolution and a rearrangement of channels: Shi et al. 2016 (arXiv:1609.05158)."""

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels * factor**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(factor)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W) to (N, C, factor H, factor W)."""
        return self.shuffle(self.conv(x))


def scale_weights(module: nn.Module, share: float) -> None:
    """Draws the convolutions of `module` anew, from Kaiming's distribution times `share`.

    Wang et al. 2018 (arXiv:1809.00219), Section 3.1: a smaller initialization trains deep residual
    networks without batch norm.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            layer.weight.data.mul_(share)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
