"""The typed config tree. The YAML files in configs/ hold the same keys, with their comments."""

from dataclasses import dataclass, field
from typing import Any, Literal

from gan_cli.config.registry import Component, keys_of_dataclass
from gan_cli.config.schedules import Schedule


@dataclass(frozen=True)
class Model:
    game: Component
    networks: dict[str, Component]
    pretrained: dict[str, str] = field(default_factory=dict)  # network -> run or checkpoint


@dataclass(frozen=True)
class Loss:
    """An adversarial loss, its penalties, and what it asks of the rest of the config.

    Games without a critic have none of it.
    """

    adversarial: Component | None = None
    penalties: dict[str, Component] = field(default_factory=dict)
    critic_steps: int = 1
    weight_clip: float | None = None
    critic_norm: str = "batch"  # the model's discriminator interpolates these two
    critic_spectral_norm: bool = False
    betas: tuple[float, float] = (0.5, 0.999)  # and the Adam optimizers this one


@dataclass(frozen=True)
class Device:
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    channels_last: bool = False
    tf32: bool = True
    compile: bool = False
    deterministic: bool = False
    threads: int | None = None  # None: torch decides
    resident: bool | None = None  # data on the device; None: if it fits resident_gib
    resident_gib: float = 2.0
    workers: int = 2  # loader processes of a streaming feed


@dataclass(frozen=True)
class EMA:
    """Moving average of the generator. Half-life 0 switches it off."""

    half_life: Schedule = Schedule(10_000)  # in images
    warmup: float = 0.05  # the half-life is at most this share of the images seen so far


@dataclass(frozen=True)
class Every:
    """In steps; 0: never. All but `keep` also happen at the last step."""

    log: int = 50
    preview: int = 500
    checkpoint: int = 1000
    evaluate: int = 1000
    keep: int = 0  # checkpoints of every n-th step are kept for good


@dataclass(frozen=True)
class Metrics:
    """What is computed, of which features, over how many samples; the first decides what is best.

    In the YAML `features` is a name, and the options of those features lie beside the other keys.
    """

    count: int = 2000  # generated samples
    real_count: int | None = 10_000  # real samples, at most; None: all
    compute: dict[str, Component] = field(default_factory=dict)
    features: Component = field(default_factory=lambda: {"name": "random"})

    @classmethod
    def from_config(cls, value: Any, where: str, faults: list[str]) -> "Metrics":
        from gan_cli.metrics.settings import settled  # the registries import torch

        return cls(**settled(keys_of_dataclass(cls), value, where, faults))


@dataclass(frozen=True)
class Config:
    model: Model
    loss: Loss
    dataset: Component
    optimizer: Component  # the shared options, and "players": {player: its own}
    device: Device = field(default_factory=Device)
    metrics: Metrics = field(default_factory=Metrics)
    ema: EMA = field(default_factory=EMA)
    every: Every = field(default_factory=Every)
    steps: int = 10_000
    batch_size: int = 64  # of all processes together
    accumulate: int = 1  # a batch is played in this many parts
    clip_norm: float | None = None  # of each player's gradient
    seed: int = 0
    run: str = "run"
    keep_last: int = 2  # checkpoints; `best` and every.keep come on top
    health: bool = True  # look for what goes wrong, and say it in words
    on_nonfinite: Literal["stop", "rollback"] = "stop"
    allow_changes: bool = False  # resume although the settings differ
    imports: tuple[str, ...] = ()
    check: bool = False
