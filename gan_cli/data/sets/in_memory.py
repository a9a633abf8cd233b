"""Base class of data sets that are held in memory as tensors."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from gan_cli.data.ground_truth import Modes
from gan_cli.data.kinds import recognized
from gan_cli.data.label_values import label_numbers, row_name
from gan_cli.data.spec import Field, Spec
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.kept import kept


class InMemory:
    """A data set of `tensors`: {"real": (count, C, H, W), "label": (count,) int64, ...}.

    `field` describes the samples if their kind cannot be recognized from the tensor.
    """

    def __init__(
        self,
        tensors: dict[str, Tensor],
        classes: int = 0,
        class_names: tuple[str, ...] = (),
        hflip: bool = False,
        field: Field | None = None,
    ) -> None:
        real = tensors["real"]
        shape = tuple(real.shape[1:])
        target = replace(field, shape=shape) if field else Field(recognized(real), shape)
        fields = {"real": target}
        if "label" in tensors:
            tensors = {**tensors, "label": class_labels(tensors["label"], len(real), classes)}
            fields["label"] = Field("label", (), classes, class_names)
        self.spec = Spec(fields)
        self.hflip = hflip
        self.stacked = tensors

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return frozenset({"real", "label"})

    def __len__(self) -> int:
        return len(self.stacked["real"])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {key: values[index] for key, values in self.stacked.items()}

    def tensors(self) -> dict[str, Tensor]:
        return self.stacked

    def labels(self) -> Tensor | None:
        return self.stacked.get("label")

    def modes(self) -> "Modes | None":
        return None

    @kept
    def fingerprint(self) -> str:
        digest = hashlib.blake2b(digest_size=8)  # 0.1 s for the 61 MB of MNIST at 32x32
        for key, values in sorted(self.stacked.items()):
            digest.update(f"{key} {values.dtype} {tuple(values.shape)}".encode())
            digest.update(values.contiguous().numpy().data)
        return digest.hexdigest()


def class_labels(label: Tensor, count: int, classes: int) -> Tensor:
    """Returns labels (count,) int64 below `classes`; ConfigError if they are wrong."""
    try:
        numbers, names = label_numbers(label, count)
    except ValueError as error:
        raise ConfigError(f"dataset: label: {error}") from None
    assert not names, "tensors hold no names"
    wrong = (numbers >= classes).nonzero().flatten().tolist()
    if wrong:
        raise ConfigError(
            f"dataset: label: {row_name(wrong[0])} is labelled {numbers[wrong[0]]}, and there are "
            f"{classes} classes, which are counted from 0; pass classes={int(numbers.max()) + 1}"
        )
    return numbers
