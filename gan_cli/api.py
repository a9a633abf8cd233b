"""The Python API: the commands as functions, with the same checks and the same results.

What a command prints as one line on stderr is raised here as `gan_cli.utils.errors.ConfigError`
(a ValueError) or another `UserError`.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from omegaconf import OmegaConf

from gan_cli.checkpoints.choice import find
from gan_cli.config.compose import composed, group_names
from gan_cli.config.schema import Config, Device
from gan_cli.data.spec import Spec
from gan_cli.utils.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gan_cli.sampling.model import Model

Weights = Literal["average", "live"]


@dataclass(frozen=True)
class TrainedRun:
    """What a finished training left behind."""

    folder: Path
    step: int
    config: Config
    scores: dict[str, float]  # last values of the metrics
    best: dict[str, float]  # best value of each metric

    def load(self, which: Literal["latest", "best"] = "latest") -> "LoadedModel":
        """The trained model, with its averaged networks."""
        return load(self.folder if which == "latest" else self.folder / "checkpoints" / "best.pt")


def train(*overrides: str, **settings: Any) -> TrainedRun:
    """Trains (or resumes) a run and returns when it is done; like the command gan-train.

    Parameters
    ----------
    *overrides
        What would be typed on the command line: ``"model=dcgan"``, ``"optimizer.lr=1e-4"``.
    **settings
        Top-level keys as Python values: ``steps=100``, ``run="first"``, ``metrics="none"``.
        Without ``run`` the run gets a name of its own, made of the time, model and loss.

    Raises
    ------
    ConfigError
        If anything is wrong with the settings; its message has a line for each fault.
    """
    from gan_cli.training.session import run_training
    from gan_cli.validation.validate import validate

    started = time.time()
    config = validate(composed("train", [*overrides, *typed(settings)]), run_folder)
    run = run_training(config, run_folder(config.run), started)
    last = {name: value for name, (value, _) in run.scores.last.items()}
    best = {name: value for name, (value, _) in run.scores.best.items()}
    return TrainedRun(run.folder, run.step, config, last, best)


def run_folder(name: str) -> Path:
    return Path("outputs") / name


def typed(settings: Mapping[str, Any]) -> list[str]:
    """Keyword arguments as they would be typed; groups by name, other values as JSON."""
    words = []
    for key, value in settings.items():
        if key in group_names("train") and not isinstance(value, str | None):
            raise ConfigError(
                f"{key}: is a group of which one is chosen by name; type {key}=NAME, and its keys "
                f'as "{key}.KEY=VALUE"'
            )
        words.append(f"{key}={hydra_value(value)}")
    return words


def hydra_value(value: Any) -> str:
    """A Python value in Hydra's syntax."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{k}:{hydra_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(hydra_value, value)) + "]"
    if isinstance(value, str | Path) and not str(value).isidentifier():
        escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    return str(value)


def load(
    reference: str | Path, *, weights: Weights = "average", device: str = "auto"
) -> "LoadedModel":
    """The trained model of a run (its name, or its folder) or of a checkpoint file.

    Needs neither the data set nor the configuration files. Loading a checkpoint runs no code
    from it; a network of your own has to be imported before.
    """
    from gan_cli.sampling.model import Model

    if weights not in ("average", "live"):
        raise ConfigError(f"weights: expected 'average' or 'live', got {weights!r}")
    checkpoint = find(str(reference), "reference")
    return LoadedModel(Model(checkpoint, weights == "average", Device(accelerator=device)))  # type: ignore[arg-type]


class LoadedModel:
    """A trained model, made by `load`."""

    def __init__(self, model: "Model") -> None:
        self._model = model

    def __repr__(self) -> str:
        checkpoint = self._model.checkpoint
        shape = " x ".join(map(str, self.spec.shape))
        return f"<{checkpoint.game['name']} at step {self.step}: {self.spec.kind} {shape}>"

    @property
    def step(self) -> int:
        """The training step of the checkpoint."""
        return self._model.checkpoint.step

    @property
    def config(self) -> dict[str, Any]:
        """All settings of the training, as plain containers."""
        return self._model.checkpoint.config

    @property
    def spec(self) -> Spec:
        """What the samples look like: kind, shape, class names."""
        return self._model.spec

    def network(self, role: str = "generator") -> "nn.Module":
        """A network in eval mode on the model's device, a copy of its own."""
        return self._model.network(role)

    def sample(
        self,
        count: int | None = None,
        *,
        seeds: Iterable[int] | None = None,
        label: Any = None,
        given: "Mapping[str, Tensor] | Tensor | None" = None,
        truncation: float | None = None,
        target: str | None = None,
        batch_size: int = 64,
    ) -> "Tensor":
        """Samples (N, *shape) in stored form, on the CPU: images are uint8 (N, C, H, W).

        A sample depends on its seed, label and inputs alone: the same ones as gan-sample's.

        Parameters
        ----------
        count
            How many; the seeds are then 0, 1, 2, ... One of each given input, or 64, by default.
        seeds
            Instead of `count`: one sample for each.
        label
            A class by name or number, or a list of them taken in turn; default: all in turn.
        given
            What the model makes its samples from: source images (N, C, H, W), uint8 or float in
            [-1, 1]; by batch key if it takes several.
        truncation
            Bound of the latents, of models with a normal prior.
        target
            What to generate, of models that can make several.
        batch_size
            Samples computed at a time. Equal batch sizes give equal bits.
        """
        from gan_cli.games.request import Request

        model = self._model
        target = model.target(target)
        inputs = self._inputs(given, target)
        usual = len(next(iter(inputs.values()))) if inputs else 64
        chosen = (
            list(seeds) if seeds is not None else list(range(usual if count is None else count))
        )
        if not chosen or (inputs and len(chosen) != usual):
            raise ConfigError(
                f"count: {len(chosen)} samples of {usual} inputs; give as many, or 1+"
            )
        wanted = None if label is None else label if isinstance(label, list | tuple) else [label]
        labels = model.labels(wanted, chosen)
        request = Request(chosen, labels, inputs, truncation=truncation, target=target)
        return model.draw(request, batch_size)

    def _inputs(
        self, given: "Mapping[str, Tensor] | Tensor | None", target: str
    ) -> "dict[str, Tensor]":
        """The inputs in model form, by batch key."""
        from gan_cli.data.kinds import kind_of

        needed = self._model.game.inputs(target)
        if given is not None and not isinstance(given, Mapping):
            given = dict.fromkeys(needed[:1], given) if needed else {"given": given}
        found = dict(given or {})
        if set(found) != set(needed):
            takes = ", ".join(needed) or "nothing but seeds and labels"
            raise ConfigError(f"given: the model makes '{target}' from {takes}")
        fields = self.spec.fields
        return {key: kind_of(fields[key]).to_model(value) for key, value in found.items()}


def score(
    *,
    real: str | Path | None = None,
    fake: str | Path | None = None,
    run: str | Path | None = None,
    metrics: Sequence[str] | Mapping[str, Any] = ("fd",),
    **options: Any,
) -> dict[str, Any]:
    """The metric card of a run's samples, or of two sets of samples; like the command gan-fid.

    Parameters
    ----------
    real, fake
        Folders, zip archives or npz files of samples, or npz files of statistics.
    run
        Instead of `fake`: a run, whose newest checkpoint is scored; `real` is then its data set.
    metrics
        Names, or names with their options.
    **options
        Other keys of gan-fid: ``features="random"``, ``count=2000``, ``output="card.json"``.

    Returns
    -------
    dict
        The card as gan-fid writes it: ``card["values"]`` holds the numbers by name.
    """
    from gan_cli.checkpoints.choice import run_folder as folder_of
    from gan_cli.evaluation.options import checked_options, full_key
    from gan_cli.evaluation.score import score as measured

    given = {"real": real, "fake": fake, "run": run, **options}
    compute = metrics if isinstance(metrics, Mapping) else {name: {} for name in metrics}
    words = ["~metrics.compute", f"+metrics.compute={hydra_value(compute)}"]
    words += [f"{full_key(k)}={hydra_value(v)}" for k, v in given.items() if v is not None]
    tree = OmegaConf.to_container(composed("fid", words), resolve=True)
    checked = checked_options(tree)
    card, _ = measured(checked, None if checked.run is None else folder_of(checked.run))
    return card
