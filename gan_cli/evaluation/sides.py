"""The sides of a comparison: a data set, saved statistics, a model's samples."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.dataset import Dataset
from gan_cli.data.sets.folder import Folder
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.evaluation.collect import Batch, about, draw_labels
from gan_cli.evaluation.evaluation import Panel
from gan_cli.metrics.frechet import Moments
from gan_cli.metrics.metric import Collected
from gan_cli.networks.layers.latent import draw_latent
from gan_cli.sampling.sampler import Sampler
from gan_cli.utils.errors import ConfigError, StorageError

IMAGES = ("images", "arr_0")  # of gan-sample, and of the sample batches that papers publish


class Side(Protocol):
    def collect(self, panel: Panel, seed: int) -> Collected: ...

    def about(self) -> dict[str, Any]:
        """What of it must be equal for two scores to compare."""
        ...


@dataclass(frozen=True)
class Data:
    dataset: Dataset
    limit: int | None = None

    def collect(self, panel: Panel, seed: int) -> Collected:  # noqa: ARG002
        return panel.data(self.dataset, self.limit)

    def about(self) -> dict[str, Any]:
        return about(self.dataset, self.limit)


@dataclass(frozen=True)
class Statistics:
    """Moments from a file, and what it says of the features that they are of."""

    moments: Moments
    features: Mapping[str, Any] = field(default_factory=dict)
    content: str | None = None

    def collect(self, panel: Panel, seed: int) -> Collected:  # noqa: ARG002
        described = {"name": panel.name, **panel.describe()}
        for key, value in self.features.items():
            if key in described and described[key] != value:
                raise ConfigError(
                    f"metrics.features: the saved statistics are of {key} {value}, not of "
                    f"{described[key]}; save them again, or ask for what they are of"
                )
        return Collected(self.moments.count, self.moments)

    def about(self) -> dict[str, Any]:
        known = {"count": self.moments.count, "content": self.content}
        return {key: value for key, value in known.items() if value is not None}


@dataclass(frozen=True)
class Model:
    """Samples of a checkpoint's generator, conditioned on the labels of data picked at random.

    The very samples that an evaluation in training would see: latents and labels of the same seed.
    """

    sampler: Sampler
    labels: Dataset | None
    count: int
    weights: str
    truncation: float | None

    def collect(self, panel: Panel, seed: int) -> Collected:
        return panel.generated(self.draw, self.count, seed)

    @torch.no_grad()
    def draw(self, count: int, rng: torch.Generator) -> Batch:
        labels = None if self.labels is None else draw_labels(self.labels, count, rng)
        if labels is None and self.sampler.conditional:  # all classes alike
            labels = torch.randint(self.sampler.spec.classes, (count,), generator=rng)
        device, generator = self.sampler.runtime.device, self.sampler.generator
        latent = draw_latent(generator, count, torch.device("cpu"), rng, self.truncation)
        given = labels if self.sampler.conditional else None
        images: Tensor = generator(latent.to(device), None if given is None else given.to(device))
        return images, labels

    def about(self) -> dict[str, Any]:
        told = {"count": self.count, "weights": self.weights, "truncation": self.truncation}
        return told | ({"labels": self.label_source} if self.sampler.conditional else {})

    @property
    def label_source(self) -> str:
        return "of the data" if self.labels is not None else "all classes alike"


def open_side(
    given: str, where: str, *, channels: int, labelled: bool, limit: int | None
) -> Data | Statistics:
    """What the file or folder `given` holds; ConfigError calls it by the key `where`."""
    path = Path(given).expanduser()
    if path.suffix == ".npz":
        return open_npz(path, where, limit)
    labels: Literal["folders", "none"] = "folders" if labelled else "none"
    try:
        folder = Folder(path=str(path), channels=channels, labels=labels)  # type: ignore[arg-type]
    except ConfigError as error:
        raise ConfigError(*(told(fault, where) for fault in error.faults)) from None
    return Data(folder, limit)


def told(fault: str, where: str) -> str:
    """A fault of dataset=folder, to someone who typed real=DIR."""
    return fault.replace("dataset.path", where).replace("dataset.labels", f"{where} (labels)")


def open_npz(path: Path, where: str, limit: int | None) -> Data | Statistics:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{where}: {path} is no sound npz file ({error})") from None
    try:
        return statistics_of(arrays) if "mu" in arrays else Data(samples_of(arrays), limit)
    except ConfigError as error:
        raise ConfigError(*(f"{where}: {path}: {fault}" for fault in error.faults)) from None


def statistics_of(arrays: Mapping[str, np.ndarray]) -> Statistics:
    about = json.loads(str(arrays["about"])) if "about" in arrays else {}
    return Statistics(Moments.from_state(arrays), about.get("features", {}), about.get("content"))


def samples_of(arrays: Mapping[str, np.ndarray]) -> Dataset:
    """Of uint8 images (N, H, W, C) or float vectors (N, F), and labels (N,) if there are any."""
    labels = next((arrays[key] for key in ("labels", "arr_1") if key in arrays), None)
    tensors = {} if labels is None else {"label": torch.from_numpy(labels).long()}
    name = next((key for key in (*IMAGES, "samples") if key in arrays), None)
    if name is None:
        raise ConfigError(
            f"holds {', '.join(arrays) or 'nothing'}; needed are mu and sigma (statistics), "
            f"{' or '.join(IMAGES)} (images) or samples (vectors)"
        )
    samples = torch.from_numpy(arrays[name])
    if name != "samples":
        if samples.ndim != 4 or samples.dtype != torch.uint8:
            shape = tuple(samples.shape)
            raise ConfigError(f"{name} must be uint8 (N, H, W, C), not {samples.dtype} {shape}")
        samples = samples.permute(0, 3, 1, 2).contiguous()
    classes = int(tensors["label"].max()) + 1 if tensors else 0
    return InMemory({"real": samples if name != "samples" else samples.float(), **tensors}, classes)


def save_statistics(path: Path, side: Statistics) -> None:
    """As pytorch-fid's files (mu, sigma), with the count, and what they are of."""
    about = json.dumps({"features": dict(side.features), "content": side.content})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, about=np.array(about), **side.moments.state_dict())  # type: ignore[arg-type]
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
