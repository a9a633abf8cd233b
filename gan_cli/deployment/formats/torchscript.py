"""format=torchscript: for libtorch, in C++ and on phones."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from gan_cli.deployment.exportable import Exportable, as_tuple
from gan_cli.deployment.formats.format import ModelFormat, model_formats


def write(exportable: Exportable, path: Path) -> None:
    """Writes a trace of the network."""
    examples = tuple(exportable.examples.values())
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of torch, which prefers torch.export
        torch.jit.save(torch.jit.trace(exportable.network, examples), str(path))


def run(path: Path, _: Exportable, inputs: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    """Runs the trace on the CPU."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return as_tuple(torch.jit.load(str(path))(*inputs.values()))


model_formats.register("torchscript")(ModelFormat("{role}.ts", write, run))
