"""What gan-sample can do: draw samples, see images through an encoder, show the training."""

from collections.abc import Callable
from pathlib import Path

from gan_cli.checkpoints.files import State
from gan_cli.sampling.generate import generate, opened, output_folder
from gan_cli.sampling.request import SampleConfig
from gan_cli.sampling.tasks.anomaly import anomaly
from gan_cli.sampling.tasks.attribute import attribute
from gan_cli.sampling.tasks.autoencoder import Subject
from gan_cli.sampling.tasks.evaluate import evaluate
from gan_cli.sampling.tasks.film import film
from gan_cli.sampling.tasks.inputs import Inputs, open_inputs
from gan_cli.sampling.tasks.invert import invert
from gan_cli.sampling.tasks.reconstruct import encode, interpolate, reconstruct
from gan_cli.utils.errors import ConfigError, StorageError
from gan_cli.validation.validate import import_modules

TASKS: dict[str, Callable[[Subject, Inputs, Path, SampleConfig], list[str]]] = {
    "reconstruct": reconstruct,
    "encode": encode,
    "interpolate": interpolate,
    "attribute": attribute,
    "anomaly": anomaly,
    "evaluate": evaluate,
    "invert": invert,
}
ENCODERLESS = ("invert",)  # tasks that can do without


def perform(config: SampleConfig, run: Path | None) -> str:
    """The task on the run in the folder `run`, else on config.checkpoint; tells what came of it."""
    if config.task == "sample":
        return generate(config, run)
    if config.task == "film":
        assert run is not None
        return film(config, run)
    import_modules(config.imports)
    path, state = opened(config, run)
    check_encoder(config.task, state)
    subject = Subject(state, config)
    inputs = open_inputs(config, state)
    folder = output_folder(config.output, run or path.parent, state["step"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lines = TASKS[config.task](subject, inputs, folder, config)
    except OSError as error:
        raise StorageError(
            f"cannot write to {folder}: {error.strerror or error}; type output=FOLDER for another"
        ) from error
    title = f"{path}: step {state['step']}, {config.weights} weights, {len(inputs)} images"
    return "\n".join([title, *lines])


def check_encoder(task: str, state: State) -> None:
    if task not in ENCODERLESS and "encoder" not in state["networks"]:
        game = state["config"]["model"]["game"]["name"]
        raise ConfigError(
            f"task: '{task}' needs an encoder, and the checkpoint's game '{game}' trains none; "
            "train with model=bigan, give this run one with model=inversion, or type task=invert"
        )
