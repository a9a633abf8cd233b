"""Published networks: weights that others provide, such as the Inception network of FID.

They come from a file, from torch hub's cache or from a download, and are never copied into
checkpoints. Files are read as data: code in them is never run.
"""

import hashlib
import http.client
import io
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import torch
from torch import Tensor

from gan_cli.checkpoints.fit import nonfinite
from gan_cli.config.registry import Registry
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import user_path
from gan_cli.utils.text import said


@dataclass(frozen=True)
class Published:
    """One file of weights, a state_dict, with what messages say about it."""

    title: str  # "the FID network"
    url: str
    sha256: str  # or its first digits
    setting: str  # key of the config that takes a file instead
    instead: str  # what to type to do without it
    aliases: tuple[str, ...] = ()  # names that other programs give the file in torch hub's cache

    @property
    def file(self) -> str:
        """Name of the file in torch hub's cache."""
        return Path(urlsplit(self.url).path).name

    def matches(self, sha256: str) -> bool:
        return sha256.startswith(self.sha256)

    def ways_out(self) -> str:
        return (
            f"put {self.url} into {hub_cache()}, set {self.setting}=PATH to a copy of it, or "
            f"{self.instead}"
        )

    def error(self, fault: str) -> ConfigError:
        key = self.setting.rpartition(".")[2]
        return ConfigError(f"{key}: {fault}; {self.ways_out()}")


published: Registry[Published] = Registry("published network")


def hub_cache() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def find_weights(entry: Published, given: str | None) -> Path:
    """The file asked for, or that in torch hub's cache, or a download into the cache.

    The file `given` may hold other weights than the published ones; the others are verified.
    Raises ConfigError with the ways out.
    """
    if given is not None:
        path = user_path(given)
        if not path.is_file():
            raise entry.error(f"there is no file {given}")
        return path
    found = (hub_cache() / name for name in (entry.file, *entry.aliases))
    path = next((path for path in found if path.is_file()), None) or download(entry)
    if not entry.matches(sha256_of(path)):
        raise entry.error(f"{path} is not the published file (its SHA-256 differs); remove it")
    return path


def download(entry: Published) -> Path:
    """torch.hub writes beside the target, and renames the file once its checksum is right."""
    target = hub_cache() / entry.file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(entry.url, str(target), entry.sha256, progress=os.isatty(2))
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        reason = said(error)  # no network, no room or another checksum
        raise entry.error(
            f"{entry.title} is not in {target.parent} and cannot be downloaded ({reason})"
        ) from None
    return target


def sha256_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_weights(entry: Published, path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors by name, and the file's SHA-256; ConfigError if it holds anything else."""
    content = path.read_bytes()
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError):
        raise entry.error(f"{path} is truncated, or holds something else than tensors") from None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise entry.error(f"{path} is no dictionary of tensors")
    if (name := nonfinite(state)) is not None:
        raise entry.error(f"{name} in {path} is not finite (inf or nan)")
    return state, hashlib.sha256(content).hexdigest()
