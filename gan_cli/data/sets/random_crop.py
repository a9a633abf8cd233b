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

    Images of the same sample are cut at the same place. Indexed samples are cut in the middle.
    """

    def __init__(self, whole: MapDataset, size: tuple[int, int], where: str) -> None:
        self.whole, self.size, self.hflip = whole, size, whole.hflip
        fields = whole.spec.fields
        for key, field in fields.items():
            check_crop(key, field, size, where)
        self.spec = replace(whole.spec, fields={k: cropped(f, size) for k, f in fields.items()})

    def __len__(self) -> int:
        return len(self.whole)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.middle(self.whole[index])

    def tensors(self) -> dict[str, Tensor] | None:
        stacked = self.whole.tensors()
        return None if stacked is None else self.middle(stacked)

    def middle(self, samples: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Cuts images (..., H, W) in the middle."""
        height, width = self.size
        cut = {}
        for key, value in samples.items():
            if self.spec.fields[key].kind == "image":
                top, left = (value.shape[-2] - height) // 2, (value.shape[-1] - width) // 2
                value = value[..., top : top + height, left : left + width]
            cut[key] = value
        return cut


def cropped(field: Field, size: tuple[int, int]) -> Field:
    """The field of crops; fields that are no images stay as they are."""
    return replace(field, shape=(field.shape[0], *size)) if field.kind == "image" else field


def check_crop(key: str, field: Field, size: tuple[int, int], where: str) -> None:
    """Raises ConfigError, about the key `where`, if the images are smaller than their crops."""
    height, width = field.shape[1:] if field.kind == "image" else size
    if height < size[0] or width < size[1]:
        raise ConfigError(
            f"{where}: crops of {size[0]} x {size[1]} do not fit into the images of '{key}', which "
            f"have {height} x {width}; type {where}={min(height, width)} or less"
        )
