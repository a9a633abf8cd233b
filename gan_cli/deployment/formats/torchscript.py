"""format=torchscript: for libtorch, in C++ and on phones."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.deployment.formats.format import ModelFormat, model_formats

if TYPE_CHECKING:
    from torch import Tensor

    from gan_cli.deployment.exportable import Exportable


def write(exportable: "Exportable", path: Path) -> None:
    """Writes a trace of the network."""
    import torch

    examples = tuple(exportable.examples.values())
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of torch, which prefers torch.export
        torch.jit.save(torch.jit.trace(exportable.positional, examples), str(path))


def run(path: Path, _: "Exportable", inputs: "Mapping[str, Tensor]") -> "tuple[Tensor, ...]":
    """Runs the trace on the CPU."""
    import torch

    from gan_cli.deployment.exportable import as_tuple

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return as_tuple(torch.jit.load(str(path))(*inputs.values()))


def usage(exportable: "Exportable", file: str) -> list[str]:
    from gan_cli.deployment.inputs import in_torch

    return [
        *("import torch", "", f'network = torch.jit.load("{file}")'),
        *(*in_torch(exportable), f"output = network({', '.join(exportable.examples)})"),
    ]


model_formats.register("torchscript")(ModelFormat("{role}.ts", write, run, usage))
