"""Pairs of images, source and target, from files, or from images that are degraded."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from gan_cli.config.ranges import Pixels, Range, Seed, Share
from gan_cli.config.registry import ConfigError
from gan_cli.data.dataset import MapDataset, datasets
from gan_cli.data.degradations.degradation import DegradationNode
from gan_cli.data.files.image import Resize
from gan_cli.data.files.store import Wanted
from gan_cli.data.sets.pair import DatasetNode, open_node, provided_keys
from gan_cli.data.sets.pair_origins import (
    check_origin,
    degraded,
    degraded_files,
    from_folders,
    side_by_side,
)
from gan_cli.data.sets.pair_sides import DatasetSide, Pairs, split_pairs
from gan_cli.data.sets.random_crop import RandomCrop
from gan_cli.utils.digest import short_hash

Channels = Literal[1, 3, 4]
Classes = Annotated[int, Range(least=2, most=255)]


@datasets.register("paired")
class Paired:
    """Pairs with the batch keys "source" and "target", cut, flipped and augmented alike.

    They are files of equal names in two folders or zip archives, `source` and `target`; images A|B
    side by side below `path`; or the images below `path`, or those of another data set, `images`,
    whose sources a `degradation` makes. The share `held_out` of the pairs is not trained on; it
    tells how far outputs are from the truth.
    """

    def __init__(
        self,
        *,
        source: str | None = None,
        target: str | None = None,
        path: str | None = None,
        images: DatasetNode | None = None,
        degradation: DegradationNode | None = None,
        direction: Literal["AtoB", "BtoA"] = "AtoB",
        source_channels: Channels | None = None,
        source_classes: Classes | None = None,
        channels: Channels | None = None,
        crop: Pixels | None = None,
        size: Pixels | None = None,
        height: Pixels | None = None,
        width: Pixels | None = None,
        resize: Resize = "none",
        hflip: bool = False,
        skip_broken: bool = False,
        store: Wanted = "auto",
        skip_unmatched: bool = False,
        held_out: Share = 0.1,
        seed: Seed = 0,
    ) -> None:
        check_origin({key: value for key, value in locals().items() if key != "self"})
        files: dict[str, Any] = {"size": size, "height": height, "width": width, "resize": resize}
        files |= {"skip_broken": skip_broken, "store": store}
        label, own, of_source = None, channels or 3, source_channels or channels or 3
        if images is not None:
            opened = open_node(images, "images")
            sides = degraded(DatasetSide(opened, torch.arange(len(opened))), degradation, seed)
            labels, key = opened.labels(), opened.spec.label
            if labels is not None and key is not None:
                label = (opened.spec.fields[key], labels)
        elif source is not None and target is not None:
            wanted = {"source": (source, of_source), "target": (target, own)}
            sides = from_folders(wanted, source_classes, files, skip_unmatched)
        elif degradation is not None:
            sides = degraded_files(str(path), own, files, degradation, seed)
        else:
            sides = side_by_side(str(path), direction, (of_source, own), source_classes, files)
        everything = torch.arange(len(sides[0]))
        kept_back = everything[:0]
        if held_out:
            everything, kept_back = split_pairs(sides[1], held_out, seed)
        pairs = Pairs(*sides, everything, label)
        self.content = short_hash(repr((pairs.content(), crop)))
        self.hflip = pairs.hflip = hflip
        self.pairs: MapDataset = pairs
        self.held: MapDataset = Pairs(*sides, kept_back, label)
        if crop is not None:
            self.whole = self.pairs  # of which feeds cut out random parts
            self.pairs, self.held = (
                RandomCrop(part, (crop, crop), "dataset.crop") for part in (self.pairs, self.held)
            )
        self.spec, self.label = self.pairs.spec, None if label is None else label[1][everything]

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:
        keys = {"source", "target"}
        if options["images"] is not None and "label" in provided_keys(options["images"]):
            keys |= {"label"}
        return frozenset(keys | ({"held_out"} if options["held_out"] else set()))

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.pairs[index]

    def tensors(self) -> dict[str, Tensor] | None:
        return self.pairs.tensors()

    def held_out(self, count: int | None = None) -> dict[str, Tensor]:
        """Returns the first `count` held-out pairs by batch key, images uint8 (N, C, H, W).

        Raises ConfigError if there are none.
        """
        if not len(self.held):
            raise ConfigError("dataset.held_out: is 0, so that no pair is held out; type 0.1, say")
        stacked = self.held.tensors()
        if stacked is not None:
            return {key: value[:count] for key, value in stacked.items()}
        samples = [self.held[i] for i in range(len(self.held))[:count]]
        return torch.utils.data.default_collate(samples)

    def labels(self) -> Tensor | None:
        return self.label

    def modes(self) -> None:
        return None

    def fingerprint(self) -> str:
        return self.content
