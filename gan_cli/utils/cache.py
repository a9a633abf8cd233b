"""A folder for what is expensive to compute: files of plain tensors under a hash of their key."""

import hashlib
import json
import logging
import os
import pickle
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_cli.checkpoints.files import State, first_line

log = logging.getLogger("gan_cli")

ADVICE = "set GAN_CLI_CACHE to a folder of yours, or the next run computes this again"
warned: set[str] = set()


def folder() -> Path:
    """$GAN_CLI_CACHE, else gan_cli where the XDG base directory specification has caches."""
    own, shared = os.environ.get("GAN_CLI_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if own:
        return Path(own).expanduser()
    return (Path(shared) if shared else Path.home() / ".cache") / "gan_cli"


def cached(kind: str, key: Mapping[str, Any], compute: Callable[[], State]) -> State:
    """What `compute` returned for this `key`, now or in an earlier process; tensors on the CPU.

    The state holds tensors, numbers, strings and containers of them. A damaged file is computed
    anew; where nothing can be written every process computes for itself.
    """
    told = json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)
    name = hashlib.blake2b(told.encode(), digest_size=16).hexdigest() + ".pt"
    try:
        path = folder() / kind / name
        found = read(path, told)
    except (OSError, RuntimeError) as error:  # RuntimeError: a user without a home
        warn_once("read", error)
        return compute()
    if found is not None:
        return found
    state = compute()
    try:
        write(path, {"key": told, "state": state})
    except (OSError, RuntimeError) as error:  # torch wraps a failed write in a RuntimeError
        warn_once("written", error)
    return state


def warn_once(what: str, error: Exception) -> None:
    """A process; the errors themselves differ, since each names its file."""
    if what not in warned:
        warned.add(what)
        log.warning("the cache cannot be %s (%s); %s", what, first_line(error), ADVICE)


def read(path: Path, key: str) -> State | None:
    """None if there is no such file, or if it is not what was written for this key."""
    try:
        with zipfile.ZipFile(path) as archive:
            sound = archive.testzip() is None  # torch.load itself does not check the CRC sums
        entry = torch.load(path, map_location="cpu", weights_only=True) if sound else None
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError, ValueError):
        entry = None
    if isinstance(entry, dict) and entry.get("key") == key:
        return entry["state"]
    log.warning("%s is damaged; computing it anew", path)
    return None


def write(path: Path, entry: State) -> None:
    """Under a name of its own, then renamed: of two processes at once the later one stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(entry, file)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def content_hash(batches: Iterable[Tensor]) -> str:
    """Of samples (N, *shape) in their order, however they are split into batches."""
    digest, kind = hashlib.blake2b(digest_size=16), None
    for batch in batches:
        if kind is None:
            kind = (batch.dtype, batch.shape[1:])
            digest.update(f"{batch.dtype} {tuple(batch.shape[1:])}".encode())
        assert kind == (batch.dtype, batch.shape[1:]), "samples of two kinds in one stream"
        digest.update(batch.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()
