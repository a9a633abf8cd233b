"""format=onnx: for onnxruntime, TensorRT, OpenVINO, browsers and phones."""

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gan_cli.deployment.formats.format import ModelFormat, model_formats
from gan_cli.deployment.formats.program import dynamic_batch

if TYPE_CHECKING:
    from torch import Tensor

    from gan_cli.deployment.exportable import Exportable


def write(exportable: "Exportable", path: Path) -> None:
    """Writes an ONNX graph with weights inside; its outputs are output_0, output_1, ..."""
    import torch

    examples = tuple(exportable.traced.values())
    outputs = len(exportable(exportable.examples))
    for name in "torch.onnx", "onnxscript", "onnx_ir":  # which report every step
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own code
        program = torch.onnx.export(
            exportable.positional,
            examples,
            input_names=list(exportable.examples),
            output_names=[f"output_{i}" for i in range(outputs)] if outputs > 1 else ["output"],
            dynamic_shapes=dynamic_batch(exportable),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.save(path, external_data=False)


def run(path: Path, _: "Exportable", inputs: "Mapping[str, Tensor]") -> "tuple[Tensor, ...]":
    """Runs the file in onnxruntime on the CPU."""
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    arrays = {name: value.numpy() for name, value in inputs.items()}
    return tuple(map(torch.from_numpy, session.run(None, arrays)))


def usage(exportable: "Exportable", file: str) -> list[str]:
    from gan_cli.deployment.inputs import in_numpy

    feed = ", ".join(f'"{name}": {name}' for name in exportable.examples)
    return [
        *("import numpy", "import onnxruntime", ""),
        f'session = onnxruntime.InferenceSession("{file}")',
        *in_numpy(exportable),
        f"output = session.run(None, {{{feed}}})[0]",
    ]


model_formats.register("onnx")(
    ModelFormat("{role}.onnx", write, run, usage, ("onnx", "onnxscript", "onnxruntime"))
)
