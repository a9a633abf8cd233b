"""The config as typed dataclasses. The YAML files in configs/ explain the same keys."""

from dataclasses import dataclass, field
from typing import Literal

from gan_cli.config.ranges import (
    BatchSize,
    ClipBound,
    Count,
    Decay,
    Interval,
    NonNegative,
    Positive,
    Processes,
    Samples,
    Seed,
    Steps,
    Threads,
)
from gan_cli.config.registry import Component
from gan_cli.config.schedules import HalfLife, KeptShare, Schedule


@dataclass(frozen=True)
class Model:
    game: Component  # the rules of training, with their options
    networks: dict[str, Component]  # role -> network and its options
    pretrained: dict[str, str] = field(default_factory=dict)  # network -> run or checkpoint
    pretrained_strict: bool = True  # refuse weights that do not fit, or leave those tensors out
    freeze: dict[str, Count] = field(default_factory=dict)  # network -> its first blocks, fixed


@dataclass(frozen=True)
class Loss:
    """An adversarial loss, its penalties, and the settings that it needs elsewhere in the config.

    Games without a critic keep all defaults.
    """

    adversarial: Component | None = None  # name and options
    penalties: dict[str, Component] = field(default_factory=dict)
    critic_steps: Count = 1
    weight_clip: ClipBound | None = None
    top_k: KeptShare = Schedule(1.0)  # share of the fakes that the generator learns from
    critic_norm: str = "batch"  # of the model's discriminator, which interpolates it
    critic_spectral_norm: bool = False  # of the model's discriminator, likewise
    betas: tuple[Decay, Decay] = (0.5, 0.999)  # of the Adam optimizers, likewise


@dataclass(frozen=True)
class Device:
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    channels_last: Literal["auto", True, False] = "auto"  # auto: on CPU and CUDA
    tf32: bool = True
    compile: bool = False
    graphs: Literal["auto", True, False] = "auto"  # auto: on CUDA, where a turn can be recorded
    deterministic: bool = False
    threads: Threads | None = None  # None: torch decides
    resident: bool | None = None  # data on the device; None: if it fits resident_gib
    resident_gib: NonNegative = 2.0
    workers: Processes = 2  # loader processes of a streaming feed
    timeout: Positive = 1440.0  # minutes that the processes of a run wait for each other


@dataclass(frozen=True)
class EMA:
    """Exponential moving average of the generator's weights; half-life 0 turns it off."""

    half_life: HalfLife = Schedule(10_000)  # in images
    warmup: Positive = 0.05  # the half-life is at most this share of the images seen so far


@dataclass(frozen=True)
class Every:
    """Intervals in steps; 0 means never. All but `keep` also apply to the last step."""

    log: Interval = 50
    preview: Interval = 500
    checkpoint: Interval = 1000
    evaluate: Interval = 1000
    keep: Interval = 0  # checkpoints at these steps are never deleted


@dataclass(frozen=True)
class Metrics:
    """Metrics, their features and the numbers of samples; the first metric decides what is best.

    In the YAML, `features` is a name, and the options of the features are keys of `metrics`.
    """

    count: Samples = 2000  # generated samples
    real_count: Samples | None = 10_000  # real samples, at most; None: all
    compute: dict[str, Component] = field(default_factory=dict)
    features: Component = field(default_factory=lambda: {"name": "random"})


@dataclass(frozen=True)
class Config:
    model: Model
    loss: Loss
    dataset: Component
    optimizer: Component  # the shared options, and "players": {player: its own}
    augment: Component = field(default_factory=lambda: {"name": "none"})  # of what critics see
    device: Device = field(default_factory=Device)
    metrics: Metrics = field(default_factory=Metrics)
    ema: EMA = field(default_factory=EMA)
    every: Every = field(default_factory=Every)
    logger: dict[str, Component] = field(default_factory=dict)  # options of loggers by name
    steps: Steps = 10_000
    batch_size: BatchSize = 64  # of all processes together
    accumulate: Count = 1  # parts into which a batch is split
    clip_norm: ClipBound | None = None  # of each player's gradient
    nan_to_num: Positive | None = None  # what replaces infinities in gradients; NaN becomes 0
    seed: Seed = 0
    run: str = "run"
    pretrained: str | None = None  # all networks of model.pretrained; validate() spreads it
    log: Literal["text", "json", "quiet"] = "text"  # what is printed
    keep_last: Count = 2  # newest checkpoints to keep, besides `best` and those of every.keep
    score_scale: bool = True  # also score the data themselves, and the untrained generator
    health: bool = True  # diagnose the training and report findings in words
    on_nonfinite: Literal["stop", "rollback"] = "stop"
    allow_changes: bool = False  # resume although the settings differ
    imports: tuple[str, ...] = ()
    preset: Literal["none", "auto", "quality", "fast", "tiny"] = "none"  # what chose the settings
    check: bool | str = False  # a file: a new one, for a page about the data
