"""Two unpaired sets of images between which the true translation is known."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from gan_cli.config.ranges import ProperShare, Seed
from gan_cli.config.registry import ConfigError
from gan_cli.data.dataset import Dataset, datasets
from gan_cli.data.sets.domain import Domain, split
from gan_cli.data.sets.joint import JointDataset
from gan_cli.data.sets.pair import DatasetNode, open_node
from gan_cli.data.spec import Field, Spec

INK, PAPER = (255, 160, 40), (20, 40, 90)  # RGB of white and of black pixels


def rotate(images: Tensor) -> Tensor:
    """Images (..., C, H, W) turned left by 90 degrees."""
    return images.rot90(1, (-2, -1))


def invert(images: Tensor) -> Tensor:
    """The negatives of images (..., C, H, W)."""
    return 255 - images


def tint(images: Tensor) -> Tensor:
    """Gray images (..., 1, H, W) in colour, (..., 3, H, W): orange on dark blue."""
    ink, paper = (torch.tensor(colour)[:, None, None] for colour in (INK, PAPER))
    share = images.float() / 255
    return (share * ink + (1 - share) * paper).round().to(torch.uint8)


MAPS: dict[str, Callable[[Tensor], Tensor]] = {"rotate": rotate, "invert": invert, "tint": tint}


@datasets.register("known_map")
class KnownMap(JointDataset):
    """Half of the `images` as "source", and the other half, changed by a `map`, as "target".

    A test of translation without pairs: the share `held_out` of the images is not trained on, and
    forms true pairs, with which translations are compared.
    """

    def __init__(
        self,
        *,
        images: DatasetNode,  # the images of both sides: dataset@dataset.images=NAME
        map: Literal["rotate", "invert", "tint"] = "tint",
        source_channels: Literal[1, 3] | None = None,  # 3: gray sources as RGB; null: as they are
        held_out: ProperShare = 0.1,
        seed: Seed = 0,
    ) -> None:
        opened = open_node(images, "images")
        check_images(opened.spec.fields[opened.spec.target], map)
        own = opened.spec.shape[0]
        if source_channels not in (None, 3, own):
            raise ConfigError(
                f"source_channels: must be 3 or null for images of {own} channels, got "
                f"{source_channels}"
            )
        train, test = split(len(opened), held_out, seed)
        first, second = train.chunk(2)
        channels, colours = 3 if map == "tint" else own, source_channels or own
        super().__init__(
            [side(opened, first, colours), Mapped(opened, map, second, channels)],
            "target",
            repr((map, held_out, seed) + ((colours,) if colours != own else ())),
        )
        self.held = (side(opened, test, colours), Mapped(opened, map, test, channels))

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return frozenset({"source", "target", "held_out"})

    def held_out(self, count: int | None = None) -> dict[str, Tensor]:
        """Returns the first `count` true pairs by batch key, images uint8 (N, C, H, W)."""
        return {key: value[:count] for part in self.held for key, value in part.stacked().items()}


class Mapped(Domain):
    """Images of a data set, changed by a map."""

    def __init__(self, dataset: Dataset, map: str, index: Tensor, channels: int) -> None:
        super().__init__(dataset, "target", index, channels)
        self.map, self.label = MAPS[map], None

    @property
    def spec(self) -> Spec:
        size = self.dataset.spec.shape[1:]
        field = replace(super().spec.fields[self.name], shape=(self.channels, *size))
        return Spec({self.name: field}, self.name)

    def colored(self, image: Tensor) -> Tensor:
        return self.map(image)


def side(dataset: Dataset, index: Tensor, channels: int) -> Domain:
    """Images of a data set, the sources, without their labels."""
    domain = Domain(dataset, "source", index, channels)
    domain.label = None
    return domain


def check_images(field: Field, map: str) -> None:
    """Raises ConfigError if the map does not apply to these images."""
    needs = {"tint": "gray images", "rotate": "square images"}.get(map, "images")
    fits = field.kind == "image" and (
        (map == "tint" and field.shape[0] == 1)
        or (map == "rotate" and field.shape[1] == field.shape[2])
        or map == "invert"
    )
    if not fits:
        raise ConfigError(
            f"dataset.map: '{map}' needs {needs}, and dataset.images has samples of kind "
            f"{field.kind} and shape {field.shape}; choose map=invert, or other images"
        )
