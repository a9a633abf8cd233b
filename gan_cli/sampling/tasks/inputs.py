"""The images that a task works on: a folder, a zip or npz file, or a data set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_cli.checkpoints.files import State
from gan_cli.data.dataset import Dataset
from gan_cli.data.sets import datasets
from gan_cli.data.sets.folder import Folder
from gan_cli.evaluation.sides import Data, open_npz
from gan_cli.sampling.request import SampleConfig
from gan_cli.sampling.sampler import read_spec
from gan_cli.utils.errors import ConfigError

# Images of a task that shows them; others take all.
SHOWN = {"reconstruct": 32, "interpolate": 8, "invert": 32}


@dataclass(frozen=True)
class Inputs:
    """Of `dataset` those picked."""

    dataset: Dataset
    samples: Tensor  # (N, *shape), uint8 images or float32 vectors
    labels: Tensor | None  # (N,) int64
    names: list[str]  # of files, else places in the data set

    def __len__(self) -> int:
        return len(self.samples)


def open_inputs(config: SampleConfig, state: State) -> Inputs:
    """Fewer than there are (config.count) are picked once and for all: data may be sorted."""
    dataset = open_dataset(config, state)
    expected = read_spec(state["spec"]).shape
    if tuple(dataset.spec.shape) != tuple(expected):
        where = "dataset" if config.input is None else "input"
        raise ConfigError(
            f"{where}: has samples of shape {tuple(dataset.spec.shape)}, and the model is for "
            f"{tuple(expected)}; type dataset=folder dataset.path=FOLDER dataset.size=... and "
            "dataset.resize=pad, crop or stretch"
        )
    if config.count is not None and config.count > len(dataset):
        raise ConfigError(f"count: is {config.count}, and there are {len(dataset)} images")
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))
    picked = order[: config.count or SHOWN.get(config.task)].sort().values
    labels = dataset.labels()
    names = getattr(dataset, "names", None) or [str(i) for i in range(len(dataset))]
    return Inputs(
        dataset,
        torch.stack([dataset[i]["real"] for i in picked.tolist()]),
        None if labels is None else labels[picked],
        [names[i] for i in picked.tolist()],
    )


def open_dataset(config: SampleConfig, state: State) -> Dataset:
    if config.input is None:
        node = dict(config.dataset)
        if "name" not in node:  # that of the training, with some keys changed
            node = {**state["config"]["dataset"], **node}
        return datasets.build(node, where="dataset")
    path = Path(config.input).expanduser()
    if path.suffix != ".npz":
        return open_folder(path, state["config"]["dataset"], read_spec(state["spec"]).shape)
    found = open_npz(path, "input", None)
    if not isinstance(found, Data):
        raise ConfigError(f"input: {path} holds statistics, and no images")
    return found.dataset


def open_folder(path: Path, trained_on: dict[str, Any], shape: tuple[int, ...]) -> Dataset:
    """Brought to size as the training data were; data sets without a policy of their own pad."""
    if len(shape) != 3:
        raise ConfigError("input: a folder holds images, and the model is for vectors; give an npz")
    channels, height, width = shape
    folder: Any = Folder
    sized = {"height": height, "width": width, "resize": trained_on.get("resize", "pad")}
    try:
        try:
            built: Dataset = folder(path=str(path), channels=channels, labels="folders", **sized)
        except ConfigError:  # no sub-folders to take labels from
            built = folder(path=str(path), channels=channels, labels="none", **sized)
    except ConfigError as error:
        raise ConfigError(*(f.replace("dataset.path", "input") for f in error.faults)) from None
    return built
