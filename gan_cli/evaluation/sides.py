"""The sides of a comparison: a data set, saved statistics, or samples of a model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from gan_cli.data.dataset import Dataset
from gan_cli.data.files.arrays import read_npz
from gan_cli.data.sets.folder import Folder
from gan_cli.data.sets.npz import read_samples
from gan_cli.data.spec import Field
from gan_cli.evaluation.class_numbers import renumbered
from gan_cli.evaluation.collect import dataset_protocol
from gan_cli.evaluation.generated import drawing_protocol, picked, request_of, seeds_of
from gan_cli.evaluation.metric_set import MetricSet
from gan_cli.evaluation.options import ImageFiles
from gan_cli.evaluation.sound_side import holds_sounds, open_sounds
from gan_cli.evaluation.statistics_side import Statistics, statistics_of
from gan_cli.games.request import Request
from gan_cli.metrics.metric import Collected
from gan_cli.sampling.model import Model
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import user_path

WITHOUT_LABELS = "or leave out the metrics that need labels"


class Side(Protocol):
    """One of the two sets of samples that metrics compare."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes that labels count; () if they have none."""
        ...

    def collect(self, metrics: MetricSet, seed: int) -> Collected:
        """Returns what the metrics need; `seed` selects the samples if they are drawn."""
        ...

    def protocol(self) -> dict[str, Any]:
        """Returns the entries of a metric card that must be equal for two cards to compare."""
        ...


@dataclass(frozen=True)
class Data:
    """The samples of a data set, at most `limit` of them; `images` says how files were read."""

    dataset: Dataset
    limit: int | None = None
    images: ImageFiles | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.dataset.spec.class_names

    def collect(self, metrics: MetricSet, seed: int) -> Collected:  # noqa: ARG002
        return metrics.data(self.dataset, self.limit)

    def protocol(self) -> dict[str, Any]:
        read = {} if self.images is None else self.images.protocol()
        return dataset_protocol(self.dataset, self.limit) | read


@dataclass(frozen=True)
class Generated:
    """Samples of the model of a checkpoint, with labels and inputs picked at random.

    They are the samples that an evaluation during training would draw.
    """

    model: Model
    data: Dataset | None  # source of labels and inputs; None: uniformly random classes
    count: int
    truncation: float | None = None
    truncation_cutoff: int | None = None
    sampler: Mapping[str, Any] | None = None  # of diffusion: name and options
    guidance: float | None = None
    temperature: float | None = None  # of text
    apart: bool = False  # whether `data` are others than the real samples

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.model.spec.class_names

    def collect(self, metrics: MetricSet, seed: int) -> Collected:
        request = self.request(seed)
        return metrics.generated(self.model.game, self.model.spec, request, self.data)

    def request(self, seed: int) -> Request:
        """Returns the request for the samples of `seed`; ConfigError if inputs are missing."""
        return replace(
            self.conditions(seed),
            truncation=self.truncation,
            truncation_cutoff=self.truncation_cutoff,
            sampler=self.sampler,
            guidance=self.guidance,
            temperature=self.temperature,
        )

    def conditions(self, seed: int) -> Request:
        """Returns a request with the labels and inputs of the samples of `seed`."""
        game, spec = self.model.game, self.model.spec
        if self.data is not None:
            request = request_of(game, self.data, self.count, seed)
            if request.label is None:
                return request
            names = self.data.spec.class_names, spec.class_names
            return replace(request, label=renumbered(request.label, *names))
        target = self.model.target()
        if game.inputs(target):
            raise ConfigError(
                f"dataset: the game makes its samples from {', '.join(game.inputs(target))}; type "
                "dataset=NAME of a data set that has them, instead of real"
            )
        label = picked(spec.classes, self.count, seed) if game.labelled else None
        return Request(seeds_of(seed, self.count), label, target=target)

    def protocol(self) -> dict[str, Any]:
        weights = "average" if self.model.averaged else "live"
        entries = {"count": self.count, "weights": weights, "truncation": self.truncation}
        entries["truncation_cutoff"] = self.truncation_cutoff
        entries |= drawing_protocol(self.model.game, self.request(0))
        if self.model.turned:
            entries["direction"] = "backward"
        if self.apart and self.data is not None:
            entries["inputs"] = self.data.fingerprint()
        return entries | ({"labels": self.label_source} if self.model.game.labelled else {})

    @property
    def label_source(self) -> str:
        return "of the data" if self.data is not None else "all classes alike"


def open_side(
    given: str,
    where: str,
    images: ImageFiles,
    *,
    like: Field | None,
    labelled: bool,
    limit: int | None,
) -> Data | Statistics:
    """Opens the file or folder `given`; ConfigErrors name the key `where`.

    `like` describes the samples of the other side, if they are known: files are read alike.
    """
    path = user_path(given)
    if path.suffix == ".npz":
        return open_npz(path, where, limit)
    labels: Literal["folders", "none"] = "folders" if labelled else "none"
    channels = like.shape[0] if like is not None and like.kind == "image" else 3
    read = asdict(images) | {"channels": images.channels or channels}
    try:
        if holds_sounds(path):
            return Data(open_sounds(path, like, labels), limit)
        folder = Folder(path=str(path), labels=labels, store=False, **read)
    except ConfigError as error:
        raise ConfigError(*(with_key(fault, where) for fault in error.faults)) from None
    return Data(folder, limit, images)


def with_key(fault: str, where: str) -> str:
    """Returns an error of dataset=folder with the keys of gan-fid, first of all real or fake."""
    told = fault.replace("or type dataset.labels=none to train without labels", WITHOUT_LABELS)
    told = told.replace("dataset.path", where).replace("dataset.labels: ", f"{where}: labels ")
    told = told.replace("dataset.", "images.")
    return told if told.startswith(where) else f"{where}: {told}"


def open_npz(path: Path, where: str, limit: int | None) -> Data | Statistics:
    arrays = read_npz(path, where)
    if "mu" not in arrays:
        return Data(read_samples(path, where), limit)
    try:
        return statistics_of(arrays)
    except ConfigError as error:
        raise ConfigError(*(f"{where}: {path}: {fault}" for fault in error.faults)) from None
