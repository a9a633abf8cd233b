"""Random crops of the images of a data set, which feeds cut out anew for every batch."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol, runtime_checkable

from torch import Tensor

from gan_cli.data.dataset import MapDataset
from gan_cli.data.spec import Field, Spec
from gan_cli.utils.errors import ConfigError


@runtime_checkable
class Cropped(Protocol):
    """A data set whose feed cuts crops of the size of its spec from the images of `whole`.

    The samples that it returns itself, to metrics and health, are the same whenever they are asked
    for.
    """

    whole: MapDataset
    spec: Spec


class RandomCrop:
    """The images of `whole`, cut to `size` (height, width) at random places in training.

    Images of the same sample are cut at the same place; of those that are n times smaller than the
    target, parts of size / n. Indexed samples are cut in the middle.
    """

    def __init__(self, whole: MapDataset, size: tuple[int, int], where: str) -> None:
        self.whole, self.hflip = whole, whole.hflip
        fields, target = whole.spec.fields, whole.spec.fields[whole.spec.target]
        check_crop(whole.spec.target, target, size, where)
        sizes = {k: scaled(k, f, target, size, where) for k, f in fields.items()}
        self.spec = replace(whole.spec, fields={k: cropped(f, sizes[k]) for k, f in fields.items()})

    def __len__(self) -> int:
        return len(self.whole)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.middle(self.whole[index])

    def tensors(self) -> dict[str, Tensor] | None:
        stacked = self.whole.tensors()
        return None if stacked is None else self.middle(stacked)

    def middle(self, samples: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Cuts images (..., H, W) in the middle."""
        images = [v for k, v in samples.items() if self.spec.fields[k].kind == "image"]
        grid = [min(image.shape[i] for image in images) for i in (-2, -1)]
        cut = {}
        for key, value in samples.items():
            if self.spec.fields[key].kind == "image":
                height, width = self.spec.fields[key].shape[1:]
                times = value.shape[-2] // grid[0]  # corners lie on the grid of the smallest image
                top, left = (
                    (value.shape[i] - side) // times // 2 * times
                    for i, side in ((-2, height), (-1, width))
                )
                value = value[..., top : top + height, left : left + width]
            cut[key] = value
        return cut


def cropped(field: Field, size: tuple[int, int]) -> Field:
    """The field of crops; fields that are no images stay as they are."""
    return replace(field, shape=(field.shape[0], *size)) if field.kind == "image" else field


def scaled(
    key: str, field: Field, target: Field, size: tuple[int, int], where: str
) -> tuple[int, int]:
    """The size of the crops of a field; ConfigError if those of the target do not scale to it."""
    if field.kind != "image" or field.shape[1:] == target.shape[1:]:
        return size
    (height, width), (rows, columns) = target.shape[1:], field.shape[1:]
    times = max(height // rows, 1)
    if (rows * times, columns * times) != (height, width):
        raise ConfigError(
            f"{where}: the images of '{key}' have {rows} x {columns}, which does not divide the "
            f"{height} x {width} of the target; leave crop out, or resize them"
        )
    if size[0] % times or size[1] % times:
        raise ConfigError(
            f"{where}: crops of {size[0]} x {size[1]} are no multiples of {times}, and the images "
            f"of '{key}' are that many times smaller; type {where}={size[0] // times * times}"
        )
    return size[0] // times, size[1] // times


def check_crop(key: str, field: Field, size: tuple[int, int], where: str) -> None:
    """Raises ConfigError, about the key `where`, if the images are smaller than their crops."""
    height, width = field.shape[1:] if field.kind == "image" else size
    if height < size[0] or width < size[1]:
        raise ConfigError(
            f"{where}: crops of {size[0]} x {size[1]} do not fit into the images of '{key}', which "
            f"have {height} x {width}; type {where}={min(height, width)} or less"
        )
