"""A cache folder for results that are expensive to compute, each in a file named by its key."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_cli.utils.errors import StorageError
from gan_cli.utils.paths import user_path
from gan_cli.utils.tensor_files import first_line, read_tensors, write_tensors

State = dict[str, Any]
log = logging.getLogger("gan_cli")

ADVICE = "set GAN_CLI_CACHE to a folder of yours, or the next run computes this again"
warned: set[str] = set()


def folder() -> Path:
    """$GAN_CLI_CACHE, or gan_cli in the cache folder of the XDG base directory specification."""
    own, shared = os.environ.get("GAN_CLI_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if own:
        return user_path(own)
    return (Path(shared) if shared else Path.home() / ".cache") / "gan_cli"


def cached(kind: str, key: Mapping[str, Any], compute: Callable[[], State]) -> State:
    """The result of `compute` for this `key`, from now or an earlier process; tensors on the CPU.

    It holds tensors, numbers, strings and containers of them. A damaged file is computed anew. If
    the folder cannot be written, every process computes for itself.
    """
    found = lookup(kind, key)
    if found is not None:
        return found
    state = compute()
    keep(kind, key, state)
    return state


def lookup(kind: str, key: Mapping[str, Any]) -> State | None:
    """What was kept for this `key`; None if there is nothing, or it cannot be read."""
    name, text = named(key)
    try:
        return read(folder() / kind / name, text)
    except (OSError, RuntimeError) as error:  # RuntimeError: a user without a home
        warn_once("read", error)
        return None


def keep(kind: str, key: Mapping[str, Any], state: State) -> None:
    """Keeps a result for later processes; if that cannot be done, a warning is logged once."""
    name, text = named(key)
    try:
        path = folder() / kind / name
        write(path, {"key": text, "digest": digest_of(state), "state": state})
    except (StorageError, RuntimeError) as error:
        if "read" not in warned:
            warn_once("written", error)


def named(key: Mapping[str, Any]) -> tuple[str, str]:
    """The name of the file for a key, and the key as text."""
    text = json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest() + ".pt", text


def warn_once(what: str, error: Exception) -> None:
    """Warns once in a process, since each error names another file."""
    if what not in warned:
        warned.add(what)
        log.warning("the cache cannot be %s (%s); %s", what, first_line(error), ADVICE)


def read(path: Path, key: str) -> State | None:
    """The state that was written for this key; None if there is no such file or it is damaged."""
    try:
        entry = read_tensors(path)
    except FileNotFoundError:
        return None
    except StorageError:
        entry = None
    if not isinstance(entry, dict):
        entry = {}
    if entry.get("key") == key and entry.get("digest") == digest_of(entry.get("state")):
        return entry["state"]
    log.warning("%s is damaged; computing it anew", path)
    return None


def write(path: Path, entry: State) -> None:
    """Of two processes that write one entry at once, the later one stays."""
    write_tensors(path, entry)


def digest_of(state: Any) -> str:
    """Hash of tensors and plain containers, with their structure, types and order."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts_of(state):
        digest.update(part)
    return digest.hexdigest()


def parts_of(node: Any) -> Iterator[bytes | memoryview]:
    """The bytes that `digest_of` hashes: a description of each node, and the data of tensors."""
    if isinstance(node, Tensor):
        yield f"{node.dtype} {tuple(node.shape)};".encode()
        flat = node.detach().cpu().contiguous().flatten()
        yield flat.view(torch.uint8).numpy().data if flat.numel() else b""
    elif isinstance(node, Mapping | list | tuple):
        yield f"{'mapping' if isinstance(node, Mapping) else 'list'} {len(node)};".encode()
        for item in node.items() if isinstance(node, Mapping) else node:
            yield from parts_of(item)
    else:
        yield f"{type(node).__name__} {node!r};".encode()


class ContentHash:
    """Hash of samples (N, *shape) in their order, however they are split into batches."""

    def __init__(self) -> None:
        self.digest = hashlib.blake2b(digest_size=16)
        self.kind: tuple[torch.dtype, torch.Size] | None = None

    def add(self, batch: Tensor) -> None:
        kind = (batch.dtype, batch.shape[1:])
        if self.kind is None:
            self.kind = kind
            self.digest.update(f"{batch.dtype} {tuple(batch.shape[1:])}".encode())
        assert self.kind == kind, "samples of two kinds in one stream"
        self.digest.update(batch.detach().cpu().contiguous().numpy().data)

    def text(self) -> str:
        return self.digest.hexdigest()


def content_hash(batches: Iterable[Tensor]) -> str:
    """The ContentHash of all batches."""
    found = ContentHash()
    for batch in batches:
        found.add(batch)
    return found.text()
