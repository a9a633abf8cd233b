"""Which image sizes the convolutional networks fit, and how often they halve them."""

from dataclasses import dataclass

from gan_cli.data.spec import Spec
from gan_cli.utils.errors import ConfigError

LARGEST_SEED = 15  # above it most of a network would be its first, fully connected, layer


@dataclass(frozen=True)
class Pyramid:
    """From an image down to the smallest feature map, the seed that a generator grows from."""

    seed: tuple[int, int]  # (height, width)
    levels: int  # how often it is halved


def pyramid(spec: Spec) -> Pyramid:
    """Halve both sides while they stay whole and at least 4: 64 -> 4, 28 -> 7, 48x32 -> 6x4."""
    if spec.kind != "image":
        raise ConfigError(
            f"name: this network is for images, but the samples are of kind {spec.kind} and shape "
            f"{spec.shape}; "
            "use model=mlp"
        )
    _, height, width = spec.shape
    levels = 0
    while height % 2 == width % 2 == 0 and min(height, width) >= 8:
        height, width, levels = height // 2, width // 2, levels + 1
    if levels == 0 or min(height, width) > LARGEST_SEED:
        raise ConfigError(unfit(*spec.shape[1:]))
    return Pyramid((height, width), levels)


def unfit(height: int, width: int) -> str:
    smaller, larger = zip(nearest(height), nearest(width), strict=True)
    sizes = dict.fromkeys(f"{h} x {w}" for h, w in (smaller, larger))
    return (
        f"name: images of {height} x {width} cannot be halved to a small map; sizes are k * 2^n, "
        f"at least 8, k up to {LARGEST_SEED} (8, 16, 28, 32, 48, 64, 96, 128, ...): "
        f"resize to {' or '.join(sizes)}"
    )


def nearest(side: int) -> tuple[int, int]:
    """The sizes k * 2^n with k in 4..7 on either side of `side`."""
    fitting = [k << n for n in range(1, side.bit_length() + 1) for k in range(4, 8)]
    larger = min(size for size in fitting if size >= side)
    return max((size for size in fitting if size <= side), default=larger), larger


def widths(first: int, limit: int, count: int) -> list[int]:
    """Channels of `count` layers, the finest first: doubled from one to the next up to `limit`."""
    return [min(first << level, limit) for level in range(count)]
