"""The Python API: the commands as functions, with the same checks and the same results.

Errors that a command prints on stderr are raised as `gan_cli.utils.errors.ConfigError` (a
ValueError) or another `UserError`. PyTorch's process-wide settings (threads, precision of matrix
products, deterministic algorithms) and its CPU random state are restored after each call.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from omegaconf import OmegaConf

from gan_cli.checkpoints.choice import opened
from gan_cli.checkpoints.choice import run_folder as folder_of
from gan_cli.config.compose import composed, composed_with_start
from gan_cli.config.python_values import hydra_value, typed
from gan_cli.config.schema import Config
from gan_cli.runtime.restored_settings import torch_settings_kept
from gan_cli.sampling.loaded_model import LoadedModel
from gan_cli.sampling.options import checked_options as checked_sample_options
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import user_path

if TYPE_CHECKING:
    from gan_cli.health import Finding, Verdict

Weights = Literal["average", "live"]


@dataclass(frozen=True)
class TrainedRun:
    """The result of a training."""

    folder: Path
    step: int
    config: Config
    scores: dict[str, float]  # last values of the metrics
    best: dict[str, float]  # best value of each metric
    health: "Verdict"  # state ("fine", "finding", "too_early" or "off") and text
    findings: list["Finding"]  # active ones and those that have passed

    def load(self, which: Literal["latest", "best"] | int = "latest") -> "LoadedModel":
        """Returns the trained model with its averaged networks."""
        return load(self.folder, which=which)


def train(*overrides: str, **settings: Any) -> TrainedRun:
    """Trains (or resumes) a run to its last step, like the command gan-train.

    Parameters
    ----------
    *overrides
        Overrides as on the command line: ``"model=dcgan"``, ``"optimizer.lr=1e-4"``.
    **settings
        Top-level keys as Python values: ``steps=100``, ``run="first"``, ``metrics="none"``.
        The default name of a run consists of the time, the model and the loss.

    Raises
    ------
    ConfigError
        If anything is wrong with the settings; its message has a line for each fault.
    """
    from gan_cli.presets.settle import settled
    from gan_cli.training.session import run_training
    from gan_cli.validation.continuing import job_of

    started = time.time()
    with torch_settings_kept():
        words = composed_with_start("train", [*overrides, *typed(settings)])
        job = job_of(*settled(*words, run_folder), run_folder)
    if job.config.check:
        raise ConfigError("check: train() checks every config before it starts; leave it out")
    with torch_settings_kept():
        run = run_training(job.config, run_folder(job.config.run), started, job.start, job.own)
    last = {name: value for name, (value, _) in run.scores.last.items()}
    best = {name: value for name, (value, _) in run.scores.best.items()}
    health, findings = run.health.verdict(), list(run.health.tracker.findings)
    return TrainedRun(run.folder, run.step, run.config, last, best, health, findings)


def run_folder(name: str) -> Path:
    """Returns outputs/<name>."""
    return Path("outputs") / name


def load(
    reference: str | Path,
    *,
    which: Literal["latest", "best"] | int = "latest",
    weights: Weights = "average",
    device: str = "auto",
) -> "LoadedModel":
    """Returns the trained model of a run or of a checkpoint file.

    Neither the data set nor the configuration files are needed. Loading a checkpoint runs no code
    from it; the module that registers a network of your own must be imported before.

    Parameters
    ----------
    reference
        The name of a run in ./outputs, the folder of a run, a checkpoint file, or what gan-export
        wrote: its folder, or model.safetensors.
    which
        The checkpoint of a run: the newest, the best, or that of a step.
    weights
        The moving averages, or the networks that were trained.
    device
        auto, cpu, cuda or mps, with the settings of gan-sample.

    Raises
    ------
    ConfigError
        If there is no such run, file, checkpoint or device.
    StorageError
        If the checkpoint is damaged.
    """
    exported = user_path(reference) / "model.safetensors"
    reference = exported if exported.is_file() else reference
    is_file = user_path(reference).is_file()
    keys = {"checkpoint" if is_file else "run": reference, "which": which, "weights": weights}
    words = [f"device={device}", *(f"{k}={hydra_value(v)}" for k, v in keys.items())]
    tree = OmegaConf.to_container(composed("sample", words), resolve=True)
    options = checked_sample_options(tree)
    run = None if options.run is None else folder_of(options.run, "reference")
    from gan_cli.sampling.model import Model

    with torch_settings_kept():
        model = Model(opened(options, run), options.weights == "average", options.device)
    return LoadedModel(model, options.device)


@torch_settings_kept()
def score(
    *,
    real: str | Path | None = None,
    fake: str | Path | None = None,
    run: str | Path | None = None,
    metrics: str | Sequence[str] | Mapping[str, Any] = ("fd",),
    **options: Any,
) -> dict[str, Any]:
    """Returns the metric card of a run, or of two sets of samples, like the command gan-fid.

    Parameters
    ----------
    real, fake
        Folders, zip archives or npz files of samples, or npz files of statistics.
    run
        A run instead of `fake`; its newest checkpoint is scored, by default on its data set.
    metrics
        Names, or names with their options.
    **options
        Other keys of gan-fid: ``features="random"``, ``count=2000``, ``output="card.json"``.

    Returns
    -------
    dict
        The card as written by gan-fid; ``card["values"]`` contains the values by name.
    """
    from gan_cli.evaluation.options import checked_options, full_key
    from gan_cli.evaluation.score import score as measured

    given = {"real": real, "fake": fake, "run": run, **options}
    names = [metrics] if isinstance(metrics, str) else metrics
    compute = names if isinstance(names, Mapping) else {name: {} for name in names}
    words = ["~metrics.compute", f"+metrics.compute={hydra_value(compute)}"]
    words += [f"{full_key(k)}={hydra_value(v)}" for k, v in given.items() if v is not None]
    tree = OmegaConf.to_container(composed("fid", words), resolve=True)
    checked = checked_options(tree)
    card, _ = measured(checked, None if checked.run is None else folder_of(checked.run))
    return card
