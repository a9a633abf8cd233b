"""Data for domain adaptation: labelled sources and a target, whose labels may be masked."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gan_cli.config.named import Node
from gan_cli.config.ranges import Natural, ProperShare, Seed
from gan_cli.config.registry import Component, ConfigError
from gan_cli.data.dataset import Dataset, datasets
from gan_cli.data.sets.domain import Domain, mask_labels, split
from gan_cli.data.sets.joint import JointDataset
from gan_cli.data.spec import Spec


class DatasetNode(Node):
    """The config of a data set among the options of another."""

    registry = datasets
    by_name = False
    expected = "the keys of a data set"


@datasets.register("pair")
class Pair(JointDataset):
    """Unpaired domains with the batch keys "source", "source_label" and "target".

    Each of `more_sources` adds a domain with the keys "source_NAME" and "source_NAME_label". The
    share `held_out` of each domain is not trained on.

    If the target has labels, `target_labels` of its training samples (null: all) keep them as
    "target_label", which is -1 for the others.
    """

    def __init__(
        self,
        *,
        source: DatasetNode,  # the domain with labels
        target: DatasetNode,  # the domain to adapt to
        more_sources: dict[str, DatasetNode] | None = None,
        target_labels: Natural | None = None,
        held_out: ProperShare = 0.2,
        seed: Seed = 0,
    ) -> None:
        nodes = {"source": source, **by_batch_key(more_sources), "target": target}
        opened = {key: open_node(node, config_path(key)) for key, node in nodes.items()}
        shape = common_shape({key: dataset.spec for key, dataset in opened.items()})
        kept: dict[str, Domain] = {}
        self.held: dict[str, Domain] = {}
        for name, dataset in opened.items():
            train, test = split(len(dataset), held_out, seed)
            kept[name] = Domain(dataset, name, train, shape[0])
            self.held[name] = Domain(dataset, name, test, shape[0])
        kept["target"].label = mask_labels(kept["target"].label, target_labels)
        settings = repr((held_out, target_labels, seed))
        super().__init__(list(kept.values()), "target", settings)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:
        nodes = {"target": options["target"], **by_batch_key(options["more_sources"])}
        nodes["source"] = options["source"]
        labelled = {key for key, node in nodes.items() if "label" in provided_keys(node)}
        if options["target_labels"] == 0:
            labelled -= {"target"}
        return frozenset({*nodes, "held_out"} | {f"{key}_label" for key in labelled})

    def held_out(self, count: int | None = None) -> dict[str, Tensor]:
        """Returns held-out samples by batch key, images uint8 (N, C, H, W) and labels (N,)."""
        stacked = (domain.stacked() for domain in self.held.values())
        return {key: value[:count] for one in stacked for key, value in one.items()}


def provided_keys(node: Mapping[str, Any]) -> frozenset[str]:
    provides: frozenset[str] = datasets.entries[node["name"]].provides(node)
    return provides


def by_batch_key(more_sources: Mapping[str, Component] | None) -> dict[str, Component]:
    """Returns the nodes of more sources by batch key."""
    for name in more_sources or {}:
        if name.endswith("label"):
            raise ConfigError(
                f"dataset.more_sources.{name}: names ending in 'label' are reserved; take another"
            )
    return {f"source_{name}": node for name, node in (more_sources or {}).items()}


def config_path(key: str) -> str:
    """Returns the config key, below dataset, of the domain with this batch key."""
    return key.replace("source_", "more_sources.", 1)


def open_node(node: Component, path: str) -> Dataset:
    """Builds the data set of a domain; errors name keys such as dataset.source.KEY."""
    where = f"dataset.{path}"
    try:
        return datasets.build(node, where=where)
    except ConfigError as error:
        raise ConfigError(*(with_domain(fault, where) for fault in error.faults)) from None


def with_domain(fault: str, where: str) -> str:
    """Returns an error of a data set with the keys of a domain, in its advice, too."""
    own = re.escape(where.removeprefix("dataset"))
    told = re.sub(rf"(?<![\w.@/])dataset(?=[.:])(?!\.json|{own}\b)", where, fault)
    told = re.sub(r"(?<![\w.@/])dataset=", f"dataset@{where}=", told)
    return told if where in told else f"{where}: {told}"


def common_shape(specs: Mapping[str, Spec]) -> tuple[int, ...]:
    """Returns the shape of samples of all domains; ConfigError if they are incompatible."""
    source, channels = specs["source"], max(spec.shape[0] for spec in specs.values())
    expected = ", ".join(source.class_names) or f"{source.classes} without names"
    for key, spec in specs.items():
        name = config_path(key)
        if source.kind != "image" or source.shape[1:] != spec.shape[1:]:
            raise ConfigError(
                f"dataset: the source has samples of shape {source.shape}, dataset.{name} of "
                f"{spec.shape}; use images of one size, for example with dataset.source.size and "
                f"dataset.{name}.size"
            )
        if spec.shape[0] not in (1, channels):
            raise ConfigError(
                f"dataset: dataset.{name} has {spec.shape[0]} channels, another domain "
                f"{channels}; one of them must be gray, or both have equal channels"
            )
        classes = ", ".join(spec.class_names) or f"{spec.classes} without names"
        if classes != expected and (spec.classes or key != "target"):
            raise ConfigError(
                f"dataset: all domains must have the same classes; the source has {expected}, "
                f"dataset.{name} {classes}"
            )
    return (channels, *source.shape[1:])
