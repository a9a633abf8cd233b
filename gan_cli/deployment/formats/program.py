"""format=torch_export: a torch.export program, for PyTorch itself, AOTInductor and ExecuTorch."""

import inspect
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli.deployment.formats.format import ModelFormat, model_formats

if TYPE_CHECKING:
    from torch import Tensor

    from gan_cli.deployment.exportable import Exportable


def dynamic_batch(exportable: "Exportable") -> tuple[Any, ...]:
    """Returns the dynamic shapes of all inputs: their first dimension is one and the same.

    Height and width are dynamic, too, where the network takes any; which ones, the exporter finds.
    """
    import torch

    first = {0: torch.export.Dim("batch", min=1)}
    sides = {} if exportable.multiple is None else dict.fromkeys((2, 3), torch.export.Dim.AUTO)
    shapes: tuple[Any, ...] = tuple({**first, **sides} for _ in exportable.examples)
    signature = inspect.signature(exportable.positional.forward).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in signature):
        return (shapes,)
    return shapes


def write(exportable: "Exportable", path: Path) -> None:
    """Writes a .pt2 file that `torch.export.load` reads."""
    import torch

    examples = tuple(exportable.traced.values())
    shapes = dynamic_batch(exportable)
    program = torch.export.export(
        exportable.positional, examples, dynamic_shapes=shapes, strict=False
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own code
        torch.export.save(program, path)


def run(path: Path, _: "Exportable", inputs: "Mapping[str, Tensor]") -> "tuple[Tensor, ...]":
    """Runs the program on the CPU."""
    import torch

    from gan_cli.deployment.exportable import as_tuple

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.load(path)
        return as_tuple(program.module()(*inputs.values()))


def usage(exportable: "Exportable", file: str) -> list[str]:
    from gan_cli.deployment.inputs import in_torch

    return [
        *("import torch", "", f'network = torch.export.load("{file}").module()'),
        *(*in_torch(exportable), f"output = network({', '.join(exportable.examples)})"),
    ]


model_formats.register("torch_export")(ModelFormat("{role}.pt2", write, run, usage))
