"""Checkpoints with mutated values and bytes, given to every command that reads one."""

import random
import shutil
from pathlib import Path
from typing import Any

import torch

from gan_cli.fid import main as fid
from gan_cli.sample import main as sample
from gan_cli.train import main as train
from tests.fuzz.data_files import other_bytes
from tests.fuzz.outcome import outcome_of
from tests.fuzz.world import TINY

ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 7, 1.5, float("nan"), float("inf"), 2**63, -(2**40), "", "x", "cuda"),
    *([], [1], [[]], {}, {"name": "x"}, {"name": {}}, {"a": {"b": 1}}, (1, 2), ["a", None]),
    *(torch.zeros(0), torch.zeros(3), torch.full((2, 2), float("nan")), torch.zeros(1).long()),
)
COMMANDS = (
    (sample, ["checkpoint=case.pt", "count=2", "output=drawn"]),
    (sample, ["run=hurt", "count=2", "label=1", "output=drawn"]),
    (fid, ["checkpoint=case.pt", "real=photos", "features=pixels", "count=4", "metrics=[fd]"]),
    (fid, ["run=hurt", "features=pixels", "count=4", "metrics=[fd]"]),
    (train, [*TINY, "run=hurt", "steps=3"]),
    (train, [*TINY, "run=new", "steps=3", "model.pretrained.generator=case.pt"]),
)


def other_value(node: Any, rng: random.Random) -> Any:
    """`node` with one of its values, at any depth, replaced, lost, added or renamed."""
    if isinstance(node, torch.Tensor):
        return other_tensor(node, rng) if rng.random() < 0.8 else rng.choice(ODD)
    if not isinstance(node, dict | list | tuple) or not node or rng.random() < 0.1:
        return rng.choice(ODD)
    if isinstance(node, dict):
        key, change = rng.choice(list(node)), rng.randrange(10)
        if change == 0:
            return {k: v for k, v in node.items() if k != key}
        if change == 1:
            return node | {rng.choice(("x", "name", 3)): rng.choice(ODD)}
        if change == 2:
            return {f"{k}x" if k == key else k: v for k, v in node.items()}
        return node | {key: other_value(node[key], rng)}
    items, place = list(node), rng.randrange(len(node))
    items[place] = other_value(items[place], rng)
    return type(node)(items)


def other_tensor(tensor: torch.Tensor, rng: random.Random) -> torch.Tensor:
    changes = (
        lambda: tensor[..., :0] if tensor.ndim else tensor,
        lambda: tensor.reshape(-1),
        lambda: tensor[None],
        lambda: tensor.to(rng.choice((torch.float64, torch.int64, torch.bool, torch.complex64))),
        lambda: tensor * float("nan"),
        lambda: torch.full_like(tensor, 1e30) if tensor.is_floating_point() else -tensor,
        lambda: tensor.to_sparse() if tensor.ndim else tensor,
    )
    changed: torch.Tensor = rng.choice(changes)()
    return changed


def fault_of(seed: int) -> str | None:
    """What is wrong with the answer to case `seed`, with the words to type; None if nothing is."""
    rng = random.Random(seed)
    for folder in "outputs/hurt", "outputs/new", "drawn":
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree("outputs/tiny", "outputs/hurt")
    path = Path("outputs/hurt/checkpoints/step-0000002.pt")
    if rng.random() < 0.2:
        path.write_bytes(other_bytes(path.read_bytes(), rng))
    else:
        state = torch.load(path, weights_only=True)
        for _ in range(rng.choice((1, 1, 2))):
            state = other_value(state, rng)
        torch.save(state, path)
    for name in "best.pt", "last.pt":
        if (path.parent / name).exists():
            shutil.copy(path, path.parent / name)
    shutil.copy(path, "case.pt")
    main, words = rng.choice(COMMANDS)
    fault = outcome_of(main, list(words)).fault()
    return fault and f"case {seed}: {main.__module__} {words}\n{fault}"
