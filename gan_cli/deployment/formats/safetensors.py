"""format=safetensors: the whole model, for gan_cli, fine-tuning and the tools of model hubs."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli.deployment.formats.format import ModelFormat, model_formats

if TYPE_CHECKING:
    from torch import Tensor

    from gan_cli.deployment.exportable import Exportable


def write(exportable: "Exportable", path: Path) -> None:
    """Writes the weights of all networks, so that the file can be read like a checkpoint."""
    from gan_cli.checkpoints.safetensors_files import write_state

    model = exportable.model
    checkpoint = model.checkpoint
    weights = {role: checkpoint.weights(role, model.averaged) for role in checkpoint.roles}
    state = {**checkpoint.state, "config": without_folders(checkpoint.config)}
    write_state(path, state, weights)


def run(
    path: Path, exportable: "Exportable", inputs: "Mapping[str, Tensor]"
) -> "tuple[Tensor, ...]":
    """Reads the file as a checkpoint and runs its network."""
    import torch

    from gan_cli.checkpoints.contents import Checkpoint
    from gan_cli.deployment.exportable import as_tuple
    from gan_cli.games.restore import build_network

    network = build_network(Checkpoint.load(path), exportable.role, averaged=False)
    with torch.no_grad():
        return as_tuple(network(**inputs))


def without_folders(value: Any) -> Any:
    """Returns settings in which absolute paths, which tell about their author, are bare names."""
    if isinstance(value, Mapping):
        return {key: without_folders(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(item) for item in value]
    is_path = isinstance(value, str) and (value.startswith("~") or Path(value).is_absolute())
    return Path(value).name if is_path else value


def usage(exportable: "Exportable", file: str) -> list[str]:
    from gan_cli.deployment.samples import draws_samples

    drawn = "samples = model.sample(seeds=range(16))"
    network = f'network = model.network("{exportable.role}")'
    return [
        *("import gan_cli  # pip install gan-cli", "", f'model = gan_cli.load("{file}")'),
        drawn if draws_samples(exportable.model) else network,
    ]


model_formats.register("safetensors")(
    ModelFormat("model.safetensors", write, run, usage, ("safetensors",))
)
