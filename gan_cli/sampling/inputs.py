"""Given samples of a task, from a folder, a zip or npz file, or a data set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from gan_cli.checkpoints.contents import Checkpoint
from gan_cli.checkpoints.trust import dataset_node
from gan_cli.config.quoting import typed_word
from gan_cli.data.dataset import Dataset, part_with, pick
from gan_cli.data.files.image import Resize
from gan_cli.data.sets import datasets
from gan_cli.data.sets.folder import Folder
from gan_cli.data.sets.npz import read_samples
from gan_cli.data.spec import Field
from gan_cli.sampling.options import SampleOptions, no_inputs
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import user_path

RESIZES = get_args(Resize)


@dataclass(frozen=True)
class Inputs:
    """Samples picked from a data set."""

    dataset: Dataset
    samples: Tensor  # (N, *shape) in stored form
    labels: Tensor | None  # (N,) int64
    names: list[str]  # of files, else positions in the data set

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def label_names(self) -> list[str] | None:
        """The class name of each sample, or the class number if classes have no names."""
        names = self.dataset.spec.class_names
        if self.labels is None:
            return None
        return [names[k] if names else str(k) for k in self.labels.tolist()]


def open_inputs(
    options: SampleOptions,
    checkpoint: Checkpoint,
    key: str,
    usual: int | None,
    run: Path | None,
) -> Inputs:
    """Returns the given samples for the batch key `key`: options.count, or `usual`, or all.

    `run` is the folder of the run that was asked for, if any.

    A subset is picked at random with a fixed seed, since data may be sorted.
    """
    if options.input is None and options.dataset is None:
        raise ConfigError(no_inputs(options))
    field = checkpoint.spec.fields[key]
    dataset = open_dataset(options, checkpoint, field, run)
    part: Any = part_with(dataset, key) if key in dataset.spec.fields else dataset
    key = key if key in part.spec.fields else part.spec.target
    check_shape(options, part.spec.fields[key], field)
    if options.count is not None and options.count > len(part):
        raise ConfigError(f"count: is {options.count}, and there are {len(part)} samples")
    order = torch.randperm(len(part), generator=torch.Generator().manual_seed(0))
    picked = order[: options.count or usual].sort().values
    labels = dataset.labels()
    names = getattr(part, "names", None) or [str(i) for i in range(len(part))]
    return Inputs(
        dataset,
        pick(part, key, picked),
        None if labels is None else labels[picked],
        [names[i] for i in picked.tolist()],
    )


def check_shape(options: SampleOptions, found: Field, expected: Field) -> None:
    """Raises ConfigError if kind or shape of the given samples are not those of the model."""
    if (found.kind, tuple(found.shape)) == (expected.kind, tuple(expected.shape)):
        return
    where = "dataset" if options.input is None else "input"
    raise ConfigError(
        f"{where}: has samples of kind {found.kind} and shape {tuple(found.shape)}, and the model "
        f"takes {expected.kind} of shape {tuple(expected.shape)}; of images type dataset=folder "
        "dataset.path=FOLDER dataset.size=... and dataset.resize=pad, crop or stretch"
    )


def open_dataset(
    options: SampleOptions, checkpoint: Checkpoint, field: Field, run: Path | None
) -> Dataset:
    """Opens options.input or options.dataset."""
    if options.input is None:
        node = dataset_node(options.dataset, checkpoint, run, "input=FOLDER")
        return datasets.build(node, where="dataset")
    path = user_path(options.input)
    if path.suffix == ".npz":
        return read_samples(path, "input", field)
    return open_folder(path, checkpoint.dataset, field)


def open_folder(path: Path, trained_on: dict[str, Any], field: Field) -> Dataset:
    """Opens a folder of images, resized like the training data, or padded if those have no way."""
    if field.kind != "image":
        raise ConfigError(
            f"input: a folder holds images, and the model takes {field.kind}; type input=FILE.npz"
        )
    channels, height, width = field.shape
    folder: Any = Folder
    resize = trained_on.get("resize")
    sized = {"height": height, "width": width, "resize": resize if resize in RESIZES else "pad"}
    try:
        try:
            built: Dataset = folder(path=str(path), channels=channels, labels="folders", **sized)
        except ConfigError as error:
            if not error.faults[0].startswith("dataset.labels"):
                raise
            # no sub-folders to take labels from
            built = folder(path=str(path), channels=channels, labels="none", **sized)
    except ConfigError as error:
        raise ConfigError(*(with_input(f, path, sized) for f in error.faults)) from None
    return built


def with_input(fault: str, path: Path, sized: dict[str, Any]) -> str:
    """Returns an error of dataset=folder for input=DIR, with advice that gan-sample understands."""
    folder = " ".join(typed_word(f"dataset.{key}", sized[key]) for key in ("height", "width"))
    typed = f"dataset=folder {typed_word('dataset.path', path)} {folder}"
    resize = "" if "type dataset.resize=" in fault else f" dataset.resize={sized['resize']}"
    told = fault.replace("type dataset.", f"instead of input type {typed}{resize} dataset.")
    told = told.replace("dataset.path:", "input:", 1)
    return told if told.startswith("input:") else f"input: {told}"
