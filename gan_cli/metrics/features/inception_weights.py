"""The published weights of the FID network: found, fetched once, checked, and read as data only."""

import hashlib
import io
import os
import pickle
from pathlib import Path
from urllib.parse import urlsplit

import torch
from torch import Tensor

from gan_cli.config.registry import ConfigError

URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
# One file under two names: torch-fidelity's and pytorch-fid's downloads land in the same folder.
FILES = (Path(urlsplit(URL).path).name, "pt_inception-2015-12-05-6726825d.pth")


def find_weights(given: str | None) -> Path:
    """The file asked for, else one in torch.hub's folder, else a download into that folder."""
    if given is not None:
        if not Path(given).is_file():
            raise ConfigError(f"inception_weights: there is no file {given}; {ways_out()}")
        return Path(given)
    found = [path for path in map(checkpoints().joinpath, FILES) if path.is_file()]
    return found[0] if found else download()


def checkpoints() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def download() -> Path:
    """torch.hub writes beside the target and moves the file there once its checksum is right."""
    target = checkpoints() / FILES[0]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(URL, str(target), SHA256, progress=os.isatty(2))
    except (OSError, RuntimeError) as error:  # no network, no room; another checksum
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"inception_weights: the FID network is not in {target.parent} and cannot be "
            f"downloaded ({reason}); {ways_out()}"
        ) from None
    return target


def ways_out() -> str:
    return (
        f"put {URL} into {checkpoints()}, set metrics.inception_weights=PATH to a copy of it, "
        "or use features that need no download, such as metrics.features=random"
    )


def read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors by name, and the file's sha256; code in the file is never run."""
    content = path.read_bytes()
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError):
        raise unfit(path, "is truncated, or holds something else than tensors") from None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise unfit(path, "is no dictionary of tensors")
    return state, hashlib.sha256(content).hexdigest()


def unfit(path: Path, fault: str) -> ConfigError:
    return ConfigError(f"inception_weights: {path} {fault}; {ways_out()}")
