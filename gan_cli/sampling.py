"""A generator out of a checkpoint, and what it draws for each seed."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gan_cli.checkpoint import Checkpoints, State, load
from gan_cli.config import Device
from gan_cli.data.spec import Spec
from gan_cli.errors import ConfigError, StorageError
from gan_cli.exports import EXPORTS, Drawn
from gan_cli.images import to_uint8
from gan_cli.networks import networks
from gan_cli.networks.latent import draw_latent, slerp
from gan_cli.registry import Component, conform
from gan_cli.runtime import Runtime
from gan_cli.state import FORMAT
from gan_cli.text import unknown
from gan_cli.validation import import_modules

if TYPE_CHECKING:
    from gan_cli.sample import SampleConfig

ROLE = "generator"


def generate(config: "SampleConfig", folder: Path | None) -> str:
    """Draw what `config` asks for, from the run in `folder` if it names one; what was written."""
    import_modules(config.imports)
    state = load(Path(config.checkpoint)) if config.checkpoint else state_of_run(folder, config.which)
    sampler = Sampler(state, config.weights, config.device)
    check_formats(config.formats, sampler.spec)
    seeds = config.all_seeds
    labels = sampler.labels(config.label, seeds)
    check_pairs(seeds, labels, bool(config.interpolate))
    target = output_folder(config, folder, state["step"])
    latents = sampler.latents(seeds, config.truncation)
    if config.interpolate:
        latents, shown = sampler.walk(latents, config.interpolate), labels and labels[:1]
    else:
        shown = labels
    drawn = Drawn(sampler.draw(latents, shown), seeds, labels)
    files = [file for name in config.formats for file in EXPORTS[name](target, drawn, config)]
    return report(config, state, drawn, files)


def state_of_run(folder: Path, which: str | int) -> State:
    checkpoints = Checkpoints(folder / "checkpoints", keep_last=1, keep_every=0)
