"""Checkpoints of small networks, in the format of this version, for tests of what reads them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.checkpoints import files
from gan_cli.checkpoints.contents import plain
from gan_cli.data.spec import Spec
from gan_cli.networks import networks

Node = dict[str, Any]


class Deaf(nn.Module):
    """A discriminator that hears nothing; as critic of a game of which a test draws samples."""

    auxiliary = False

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, sample: Tensor, label: Tensor | None = None) -> Tensor:
        return self.weight.expand(len(sample))


def state_of(
    nodes: Mapping[str, Node],
    spec: Spec,
    *,
    game: str = "gan",
    step: int = 7,
    live: Mapping[str, Mapping[str, Tensor]] | None = None,
    averages: Mapping[str, Mapping[str, Tensor]] | None = None,
    **config: Any,
) -> dict[str, Any]:
    """A checkpoint of `game` with the networks `nodes`, whose options get their defaults.

    Weights are those of a new network for seed 0, but for those given.
    """
    torch.manual_seed(0)
    full = {
        role: {"name": node["name"], **networks.check(node, role)} for role, node in nodes.items()
    }
    initial = {
        role: networks.build(node, spec, where=role).state_dict() for role, node in full.items()
    }
    return {
        "format": 2,
        "step": step,
        "images": step * 8,
        "config": {
            "model": {"game": {"name": game}, "networks": full},
            "loss": {"adversarial": {"name": "hinge"}},
            "dataset": {"name": "synthetic"},
            **config,
        },
        "spec": plain(spec),
        "networks": {**initial, **(live or {})},
        "averages": initial if averages is None else averages,
    }


def write(state: dict[str, Any], run: str = "x") -> Path:
    """The path of the checkpoint in outputs/`run`, as a run would write it."""
    path = Path(f"outputs/{run}/checkpoints/step-{state['step']:07d}.pt")
    files.save(path, state)
    return path
