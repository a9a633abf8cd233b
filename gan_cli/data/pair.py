"""Two domains: a source with labels, and a target that is to be understood without them."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from gan_cli.data.domain import Domain, hidden, split
from gan_cli.data.mixtures import check
from gan_cli.data.registry import Dataset, datasets
from gan_cli.data.spec import Spec
from gan_cli.registry import Component, ConfigError


class DatasetNode(Component):
    """The config of a data set among the options of another."""

    @classmethod
    def from_config(cls, value: Any, where: str, faults: list[str]) -> Any:
        if not isinstance(value, Mapping):
            faults.append(f"{where}: expected the keys of a data set, got {value!r}")
            return value
        try:
            return cls(name=value.get("name"), **datasets.check(value, where))
        except ConfigError as error:
            faults += error.faults
            return value


@datasets.register("pair")
class Pair:
    """Batches {"source", "source_label", "target"}; of each domain a share is `held_out`.

    The labels of the target, if it has any, serve to score what was learned without them. So many
    `target_labels` of its training samples are known (null: all), as "target_label" in a batch;
    it is -1 for the others.
    """

    hflip = False  # each domain has its own

    def __init__(
        self,
        *,
        source: DatasetNode,
        target: DatasetNode,
        target_labels: int | None = 0,
        held_out: float = 0.2,
        seed: int = 0,
    ) -> None:
        check(seed)
        opened = {"source": opened_node(source, "source"), "target": opened_node(target, "target")}
        self.spec = common(opened["source"].spec, opened["target"].spec)
        self.kept, self.held = {}, {}
        for name, dataset in opened.items():
            train, test = split(len(dataset), held_out, seed)
            self.kept[name] = Domain(dataset, name, train, self.spec.shape[0])
            self.held[name] = Domain(dataset, name, test, self.spec.shape[0])
        self.kept["target"].label = hidden(self.kept["target"].label, target_labels)
        self.settings = repr((held_out, target_labels, seed))

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:
        keys = {"source", "target", "held_out"}
        labelled = {n for n in ("source", "target") if "label" in provided(options[n])}
        if options["target_labels"] == 0:
            labelled -= {"target"}
        return frozenset(keys | {f"{name}_label" for name in labelled})

    def parts(self) -> Sequence[Domain]:
        return list(self.kept.values())

    def held_out(self) -> dict[str, Tensor]:
        """{"source": uint8 (N, C, H, W), "source_label": (N,), "target": (M, C, H, W), ...}."""
        return {k: value for domain in self.held.values() for k, value in domain.stacked().items()}

    def __len__(self) -> int:
        return max(map(len, self.parts()))

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        samples = [domain[index % len(domain)] for domain in self.parts()]
        return {key: value for sample in samples for key, value in sample.items()}

    def tensors(self) -> None:
        return None

    def labels(self) -> None:
        return None

    def modes(self) -> None:
        return None

    def fingerprint(self) -> str:
        content = [domain.dataset.fingerprint() for domain in self.parts()]
        return hashlib.blake2b(repr((content, self.settings)).encode(), digest_size=8).hexdigest()


def provided(node: Mapping[str, Any]) -> frozenset[str]:
    provides: frozenset[str] = datasets.entries[node["name"]].provides(node)
    return provides


def opened_node(node: Component, name: str) -> Dataset:
    """Faults of a data set call their keys dataset.KEY; here it is dataset.source.KEY."""
    try:
        return datasets.build(node, where=f"dataset.{name}")
    except ConfigError as error:
        path = f"dataset.{name}"
        faults = (f.replace("dataset", path, 1) if path not in f else f for f in error.faults)
        raise ConfigError(*faults) from None


def common(source: Spec, target: Spec) -> Spec:
    """What samples of both domains look like; ConfigError if they cannot go together."""
    if len(source.shape) != 3 or source.shape[1:] != target.shape[1:]:
        raise ConfigError(
            f"dataset: the source has samples of shape {source.shape}, the target of "
            f"{target.shape}; make them images of one size, with dataset.source.size and "
            "dataset.target.size, say"
        )
    channels = max(source.shape[0], target.shape[0])
    if {source.shape[0], target.shape[0]} - {1, channels}:
        raise ConfigError(
            f"dataset: the source has {source.shape[0]} channels, the target {target.shape[0]}; "
            "one of them must be gray, or both alike"
        )
    known = [", ".join(s.class_names) or f"{s.classes} without names" for s in (source, target)]
    if target.classes and known[0] != known[1]:
        raise ConfigError(
            f"dataset: source and target must have the same classes; they have {known[0]}, and "
            f"{known[1]}"
        )
    return Spec((channels, *source.shape[1:]), source.classes, source.class_names)
