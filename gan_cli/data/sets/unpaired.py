"""Two unpaired sets of images, to learn how one is translated to the other."""

from collections.abc import Mapping
from typing import Any, Literal

import torch

from gan_cli.config.ranges import Pixels
from gan_cli.config.registry import ConfigError
from gan_cli.data.dataset import Dataset, MapDataset, datasets
from gan_cli.data.files.image import Resize
from gan_cli.data.files.store import Wanted
from gan_cli.data.sets.domain import Domain
from gan_cli.data.sets.joint import JointDataset
from gan_cli.data.sets.pair import DatasetNode, open_node
from gan_cli.data.sets.pair_origins import open_folder
from gan_cli.data.sets.random_crop import RandomCrop
from gan_cli.data.spec import Spec
from gan_cli.utils.text import as_typed

Channels = Literal[1, 3, 4]


class ImageSet(DatasetNode):
    """The path of a folder or a zip archive, or the config of a data set."""

    @classmethod
    def from_config(cls, value: Any, where: str, faults: list[str]) -> Any:
        if isinstance(value, Mapping):
            return super().from_config(value, where, faults)
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            faults.append(
                f"{where}: expected a folder, a zip archive or a data set, got {as_typed(value)}; "
                f"type {where}=FOLDER, or dataset@{where}=NAME"
            )
            return value
        return str(value)


@datasets.register("unpaired")
class Unpaired(JointDataset):
    """Images with the batch keys "source" and "target", drawn independently of each other.

    Each side is a folder or zip archive, or another data set, without its labels. Both may differ
    in number, size and channels. With `crop`, batches hold random crops.
    """

    def __init__(
        self,
        *,
        source: ImageSet,
        target: ImageSet,
        crop: Pixels | None = None,
        source_channels: Channels | None = None,
        channels: Channels | None = None,
        size: Pixels | None = None,
        height: Pixels | None = None,
        width: Pixels | None = None,
        resize: Resize = "none",
        hflip: bool = False,
        skip_broken: bool = False,
        store: Wanted = "auto",
    ) -> None:
        files: dict[str, Any] = {"size": size, "height": height, "width": width, "resize": resize}
        files |= {"hflip": hflip, "skip_broken": skip_broken, "store": store}
        nodes: dict[str, Any] = {"source": source, "target": target}
        check_unread(nodes, {**files, "channels": channels}, source_channels)
        counts = {"source": source_channels or channels or 3, "target": channels or 3}
        domains = [
            domain_of(
                key,
                open_folder(key, node, counts[key], files)
                if isinstance(node, str)
                else open_node(node, key),
            )
            for key, node in nodes.items()
        ]
        super().__init__(domains, "target", repr(crop))
        self.sides: list[MapDataset] = list(domains)
        if crop is not None:
            self.sides = [RandomCrop(d, (crop, crop), "dataset.crop") for d in domains]
            self.spec = Spec({k: f for s in self.sides for k, f in s.spec.fields.items()}, "target")

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return frozenset({"source", "target"})

    def parts(self) -> list[MapDataset]:
        return self.sides


def domain_of(key: str, dataset: Dataset) -> Domain:
    """The images of a data set, under the batch key `key`; ConfigError if there are none."""
    field = dataset.spec.fields[dataset.spec.target]
    if field.kind != "image":
        raise ConfigError(
            f"dataset.{key}: has samples of kind {field.kind} and shape {field.shape}; choose a "
            "data set of images"
        )
    domain = Domain(dataset, key, torch.arange(len(dataset)), field.shape[0])
    domain.label = None
    return domain


def check_unread(
    nodes: Mapping[str, Any], of_folders: Mapping[str, Any], source_channels: int | None
) -> None:
    """Raises ConfigError for options of folders where no side is one that would read them."""
    folders = [key for key, node in nodes.items() if isinstance(node, str)]
    unread = {"source_channels": source_channels} if "source" not in folders else {}
    unread |= of_folders if not folders else {}
    wrong = [key for key, value in unread.items() if value not in (None, False, "none", "auto")]
    if wrong:
        own = wrong[0].removeprefix("source_")
        raise ConfigError(
            f"dataset.{wrong[0]}: is of sides that are folders; type dataset.source.{own} or "
            f"dataset.target.{own}, if their data sets have it"
        )
