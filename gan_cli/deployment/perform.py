"""Writes the files of gan-export, and checks each by running it."""

import logging
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from gan_cli.checkpoints.choice import opened
from gan_cli.checkpoints.contents import Checkpoint, plain
from gan_cli.deployment.card import Facts, model_card, newest_scores
from gan_cli.deployment.exportable import Exportable, exportable
from gan_cli.deployment.formats import ModelFormat, model_formats
from gan_cli.deployment.formats.safetensors import without_folders
from gan_cli.deployment.hub import push
from gan_cli.deployment.options import ExportOptions
from gan_cli.deployment.samples import sample_grid
from gan_cli.sampling.folders import check_free, new_folder
from gan_cli.sampling.model import Model
from gan_cli.utils.errors import UserError
from gan_cli.utils.files import atomic_folder, write_text
from gan_cli.utils.strict_json import write_json

log = logging.getLogger(__name__)
T = TypeVar("T")
BATCHES = (1, 3, 8)  # batch sizes with which a file is run
TOLERANCE = 1e-3  # of the difference, relative to the largest output; float32 gives about 1e-6


class ExportError(UserError):
    """A network cannot be written in a format, or the file computes something else."""

    status = 1


def perform(options: ExportOptions, run: Path | None) -> str:
    """Exports the model of the run in the folder `run`, else of options.checkpoint."""
    if options.output is not None:
        check_free(options.output)
    checkpoint = opened(options, run)
    assert checkpoint.path is not None
    model = Model(checkpoint, options.weights == "average", options.device)
    role = options.role or ("generator" if "generator" in checkpoint.roles else checkpoint.roles[0])
    network = exportable(model, role)
    home = run or checkpoint.path.parent
    folder = new_folder(options.output, home / "exported" / f"step-{checkpoint.step:07d}")
    name = run.name if run is not None else checkpoint.path.stem
    with atomic_folder(folder) as place:
        errors = {}
        for wanted in options.formats:
            known = model_formats.entries[wanted]
            file = known.file_of(role)
            errors[file] = written_error(known, network, place / file, wanted)
        grid = sample_grid(model, place / "samples.png")
        scores = None if run is None else newest_scores(run, checkpoint.step)
        facts = Facts(name, checkpoint, network, options, errors, grid, scores)
        write_text(place / "README.md", model_card(facts))
        write_json(place / "config.json", settings(checkpoint))
    lines = [f"{folder / file}: largest difference {e:.1e}" for file, e in errors.items()]
    if options.push is not None:
        lines.append(push(folder, options.push, options.private))
    return "\n".join([f"{checkpoint.path}: step {checkpoint.step}, {role}", *lines, f"{folder}/"])


def settings(checkpoint: Checkpoint) -> dict[str, object]:
    """Returns config.json: what the weights in model.safetensors mean."""
    return {
        "library_name": "gan-cli",
        "step": checkpoint.step,
        "images": checkpoint.images,
        "spec": plain(checkpoint.spec),
        "config": without_folders(checkpoint.config),
    }


def written_error(known: ModelFormat, network: Exportable, path: Path, name: str) -> float:
    """Writes a file for images of any size, or of the data's size if the format cannot.

    Returns its largest error; raises ExportError as `error_of`.
    """
    if network.multiple is not None:
        with suppress(ExportError):  # some layers differ for maps of a single pixel
            return error_of(known, network, path, name)
        log.warning("%s: takes images of the size of the data alone", path.name)
        network = replace(network, multiple=None)
    return error_of(known, network, path, name)


def error_of(known: ModelFormat, network: Exportable, path: Path, name: str) -> float:
    """Writes a file and returns its largest error in batches of several numbers and sizes.

    Raises ExportError if the network cannot be written, or the file differs from it.
    """
    guarded(partial(known.write, network, path), network.role, name)
    errors = [0.0]
    samples = [network.inputs(number) for number in BATCHES]
    for inputs in filter(None, [*samples, network.larger_inputs()]):
        found = guarded(partial(known.run, path, network, inputs), network.role, name)
        errors += map(relative_error, network(inputs), found)
    worst = max(errors, key=lambda error: (math.isnan(error), error))
    if not worst <= TOLERANCE:
        raise ExportError(
            f"format: {name} of '{network.role}' computes something else than the network "
            f"(relative difference {worst:.1e}); nothing was written"
        )
    return worst


def guarded(action: Callable[[], T], role: str, name: str) -> T:
    """Returns action(); whatever an exporter raises becomes one line."""
    try:
        return action()
    except UserError:
        raise
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ExportError(
            f"format: '{role}' cannot be exported as {name} ({reason[:300]}); try another format"
        ) from error


def relative_error(wanted: Tensor, found: Tensor) -> float:
    """Returns the largest difference, relative to the largest value; NaN if shapes differ."""
    if wanted.shape != found.shape:
        return math.nan
    scale = wanted.abs().max().clamp_min(1e-12)
    return ((wanted - found).abs().max() / scale).item()
