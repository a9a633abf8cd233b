"""Lengths of sound that convolutional networks support, and how they are divided."""

from dataclasses import dataclass

from gan_cli.data.spec import Spec
from gan_cli.networks.layers.sizes import MODELS
from gan_cli.utils.errors import ConfigError

SHORTEST_SEED, LARGEST_SEED = 16, 31  # steps of the map that a generator starts from
STRIDE = 4


@dataclass(frozen=True)
class Strides:
    """How often a sound is divided: `strides` from the seed to the sound, most of them 4."""

    seed: int  # steps of the smallest map
    strides: tuple[int, ...]


def strides_of(spec: Spec) -> Strides:
    """Divides a length to a seed of 16 to 31 steps: 16384 = 16 * 4^5, 32768 = 16 * 4^5 * 2."""
    check_sound(spec)
    length = spec.shape[1]
    seed, halvings = length, 0
    while seed % 2 == 0 and seed > LARGEST_SEED:
        seed, halvings = seed // 2, halvings + 1
    if not SHORTEST_SEED <= seed <= LARGEST_SEED or halvings < 2:
        raise ConfigError(unsupported(length))
    return Strides(seed, (STRIDE,) * (halvings // 2) + (2,) * (halvings % 2))


def check_sound(spec: Spec) -> None:
    """Raises ConfigError if samples are no sound."""
    if spec.kind != "audio":
        raise ConfigError(
            f"name: this network is for sound, but the samples are of kind {spec.kind} and shape "
            f"{spec.shape}; use model={MODELS.get(spec.kind, 'mlp')}, or dataset=audio"
        )


def unsupported(length: int) -> str:
    """The error for a length that cannot be divided, with the nearest ones that can."""
    fitting = sorted(k << n for n in range(2, 24) for k in range(SHORTEST_SEED, LARGEST_SEED + 1))
    smaller = max((x for x in fitting if x <= length), default=fitting[0])
    larger = min((x for x in fitting if x >= length), default=fitting[-1])
    nearest = " or ".join(f"dataset.length={x}" for x in dict.fromkeys((smaller, larger)))
    return (
        f"name: sounds of {length} samples cannot be divided to a short map; lengths are k * 2^n, "
        f"k from {SHORTEST_SEED} to {LARGEST_SEED} (4096, 8192, 16384, 65536, ...): type {nearest}"
    )
