"""Image sizes that convolutional networks support, and how often they halve them."""

from dataclasses import dataclass

from gan_cli.data.spec import Spec
from gan_cli.utils.errors import ConfigError

MODELS = {"image": "dcgan", "vector": "mlp", "audio": "wavegan", "tokens": "seqgan"}  # by kind
LARGEST_SEED = 15  # for larger maps, most weights would be in the fully connected layer


@dataclass(frozen=True)
class Pyramid:
    """Sizes of feature maps, from the image down to the seed that a generator starts from."""

    seed: tuple[int, int]  # (height, width) of the smallest map
    levels: int  # number of halvings


def pyramid(spec: Spec) -> Pyramid:
    """Halves both sides while they are even and at least 8: 64 -> 4, 28 -> 7, 48x32 -> 6x4."""
    if spec.kind != "image":
        raise ConfigError(
            f"name: this network is for images, but the samples are of kind {spec.kind} and shape "
            f"{spec.shape}; use model={MODELS.get(spec.kind, 'mlp')}"
        )
    _, height, width = spec.shape
    levels = 0
    while height % 2 == width % 2 == 0 and min(height, width) >= 8:
        height, width, levels = height // 2, width // 2, levels + 1
    if levels == 0 or min(height, width) > LARGEST_SEED:
        raise ConfigError(unsupported(*spec.shape[1:]))
    return Pyramid((height, width), levels)


def unsupported(height: int, width: int) -> str:
    """The error for a size that cannot be halved, with the nearest sizes that can."""
    smaller, larger = zip(nearest_sizes(height), nearest_sizes(width), strict=True)
    sizes = dict.fromkeys(f"{h} x {w}" for h, w in (smaller, larger))
    return (
        f"name: images of {height} x {width} cannot be halved to a small map; sizes are k * 2^n, "
        f"at least 8, k up to {LARGEST_SEED} (8, 16, 28, 32, 48, 64, 96, 128, ...): "
        f"resize to {' or '.join(sizes)}"
    )


def nearest_sizes(side: int) -> tuple[int, int]:
    """The nearest sizes k * 2^n with k in 4..7 below and above `side`."""
    fitting = [k << n for n in range(1, side.bit_length() + 1) for k in range(4, 8)]
    larger = min(size for size in fitting if size >= side)
    return max((size for size in fitting if size <= side), default=larger), larger


def widths(first: int, limit: int, count: int) -> list[int]:
    """Channels of `count` layers, the finest first: doubled at each layer up to `limit`."""
    return [min(first << level, limit) for level in range(count)]


def block_widths(width: int, max_width: int | None, count: int) -> list[int]:
    """Channels of `count` blocks, the finest first: doubled up to `max_width`, or constant."""
    limit = width if max_width is None else max_width
    if limit < width:
        raise ConfigError(
            f"max_width: {limit} is below width={width}; set max_width={width} or more"
        )
    return widths(width, limit, count)


def check_halvings(spec: Spec, count: int, instead: str) -> None:
    """Raises ConfigError unless samples are images that can be halved `count` times.

    `instead` is the network for other samples.
    """
    if spec.kind != "image":
        raise ConfigError(
            f"name: this network is for images, but the samples are of kind {spec.kind}; use "
            f"{instead}"
        )
    _, height, width = spec.shape
    factor = 2**count
    if height % factor or width % factor:
        raise ConfigError(
            f"multipliers: {count + 1} of them halve images {count} times, and {height} x {width} "
            f"is not divisible by {factor}; use fewer multipliers, or resize the images"
        )
