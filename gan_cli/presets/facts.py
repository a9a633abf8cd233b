"""What a preset looks at: the sizes of image files, the data set, the device."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch

from gan_cli.data.sets import datasets
from gan_cli.runtime.device import pick_device
from gan_cli.utils.errors import ConfigError


@runtime_checkable
class MeasuresFiles(Protocol):
    """A data set that knows the sizes of its image files before it has a size itself."""

    @classmethod
    def file_sizes(cls, options: Mapping[str, Any]) -> list[tuple[int, int]]:
        """Height and width of some files that are spread over the data."""
        ...


@dataclass(frozen=True)
class Machine:
    """The device of a run."""

    kind: str  # cpu, cuda or mps
    bfloat16: bool  # has it units for bfloat16?

    @property
    def is_gpu(self) -> bool:
        return self.kind == "cuda"


@dataclass(frozen=True)
class Facts:
    """The data and the device."""

    machine: Machine
    height: int
    width: int
    count: int  # images
    labelled: bool

    @property
    def side(self) -> int:
        return max(self.height, self.width)


def machine_of(accelerator: str) -> Machine:
    """The device that a run with this accelerator gets."""
    device = pick_device(accelerator)
    if device.type == "cuda":
        return Machine("cuda", torch.cuda.is_bf16_supported(including_emulation=False))
    return Machine(device.type, device.type == "cpu" and cpu_has_bfloat16())


def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16; others emulate it, which is slow."""
    tell = getattr(torch.cpu, "get_capabilities", None)  # since PyTorch 2.10
    if tell is None:
        return bool(torch.cpu._is_avx512_bf16_supported())
    found = tell()
    return any(found.get(unit, False) for unit in ("avx512_bf16", "amx_bf16", "bf16"))


def file_sizes(options: Mapping[str, Any]) -> Counter[tuple[int, int]] | None:
    """How many image files have each size; None for a data set that has its size already."""
    source = datasets.entries.get(str(options.get("name")))
    if not isinstance(source, MeasuresFiles):
        return None
    return Counter(source.file_sizes(datasets.check(options, "dataset")))


def facts_of(options: Mapping[str, Any], machine: Machine) -> Facts:
    """Opens the data set; ConfigError if its samples are no images."""
    dataset = datasets.build(options, where="dataset")
    spec = getattr(dataset, "spec")  # noqa: B009
    if spec.kind != "image" or spec.inputs:
        what = f"pairs with {', '.join(spec.inputs)}" if spec.inputs else f"of kind {spec.kind}"
        raise ConfigError(
            f"preset: chooses settings for images, and the samples of dataset "
            f"'{options.get('name')}' are {what}; leave preset out"
        )
    _, height, width = spec.shape
    return Facts(machine, height, width, len(dataset), spec.classes > 0)
