"""What may be asked of gan-fid. Imports no torch for what is wrong without it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gan_cli.config.registry import conform
from gan_cli.config.schema import Device
from gan_cli.sampling.request import Seeds, sources
from gan_cli.utils.errors import ConfigError


@dataclass(frozen=True)
class FidConfig:
    """The keys of configs/fid.yaml, which explains them."""

    run: str | None = None
    checkpoint: str | None = None
    which: Any = "latest"
    weights: Literal["average", "live"] = "average"
    truncation: float | None = None
    seeds: Seeds | None = None
    real: str | None = None
    fake: str | None = None
    dataset: Any = None  # keys and values
    metrics: Any = None  # config.Metrics, once torch is imported
    save: str | None = None
    output: str | None = None
    imports: tuple[str, ...] = ()
    device: Device = field(default_factory=Device)

    @property
    def all_seeds(self) -> tuple[int, ...]:
        return self.seeds or (0,)


def checked(tree: Any) -> FidConfig:
    """ConfigError lists all that is wrong before anything is opened."""
    faults: list[str] = []
    config: FidConfig = conform(FidConfig, tree, "", faults)
    faults = faults or [*sides(config), *files(config)]
    if faults:
        raise ConfigError(*faults)
    return config


def sides(config: FidConfig) -> Iterator[str]:
    if config.fake is None:
        yield from sources(config, instead=" or, for files, real=PATH fake=PATH")
    else:
        for key in "run", "checkpoint", "truncation", "seeds":
            if getattr(config, key) is not None:
                yield f"{key}: is for samples of a model, and fake={config.fake} has them; drop one"
        if config.real is None and not config.dataset:
            yield "real: has no value; type real=PATH, or dataset=NAME"
    if config.real is not None and config.dataset:
        yield "real: excludes dataset; leave one of them out"


def files(config: FidConfig) -> Iterator[str]:
    for key in "real", "fake":
        path = getattr(config, key)
        if path is not None and not Path(path).expanduser().exists():
            yield f"{key}: no file or folder {path}"
    for key, suffix in (("save", ".npz"), ("output", ".json")):
        path = getattr(config, key)
        if path is not None and Path(path).exists():
            yield f"{key}: {path} is there already; type another, or remove it"
        if path is not None and Path(path).suffix != suffix:
            yield f"{key}: is a {suffix} file; type {key}={Path(path).with_suffix(suffix)}"
