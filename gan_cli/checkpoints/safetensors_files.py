"""Models without the state of their training, as safetensors files.

The weights of all networks are tensors named ROLE.PARAMETER. The settings, the spec of the data
and the step are JSON in the metadata of the file, so that it can be read like a checkpoint.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from gan_cli.utils.errors import ConfigError, StorageError
from gan_cli.utils.files import atomic_file
from gan_cli.utils.strict_json import dumps
from gan_cli.utils.text import said

SAFETENSORS = ".safetensors"  # their suffix
KEY = "gan_cli"  # of the metadata
STORED = ("format", "step", "images", "config", "spec")  # entries of a checkpoint in the metadata


def write_state(
    path: Path, state: dict[str, Any], networks: Mapping[str, Mapping[str, Tensor]]
) -> None:
    """Writes the weights `networks` with the settings of a checkpoint's `state`."""
    from safetensors.torch import save

    tensors = {
        f"{role}.{name}": tensor.detach().cpu().contiguous().clone()
        for role, weights in networks.items()
        for name, tensor in weights.items()
    }
    metadata = {KEY: dumps({key: state[key] for key in STORED}), "format": "pt"}
    with atomic_file(path) as file:
        file.write(save(tensors, metadata))


def read_state(path: Path) -> dict[str, Any]:
    """The state of a checkpoint from a file that `write_state` wrote.

    Raises StorageError if the file is damaged or another program wrote it.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise ConfigError(f"{path}: needs safetensors; pip install safetensors") from None
    networks: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(path, "pt") as file:
            metadata = json.loads((file.metadata() or {}).get(KEY, "null"))
            for key in file.keys():  # noqa: SIM118
                role, _, name = key.partition(".")
                networks.setdefault(role, {})[name] = file.get_tensor(key)
    except FileNotFoundError:
        raise StorageError(f"{path}: no such file") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise StorageError(f"{path} is damaged ({said(error)})") from error
    if not isinstance(metadata, dict):
        raise StorageError(f"{path} is no model of gan_cli: its metadata has no '{KEY}'")
    kept = {key: metadata[key] for key in STORED if key in metadata}
    return {**kept, "networks": networks, "averages": {}}
