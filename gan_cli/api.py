"""The Python API: the commands as functions, with the same checks and the same results.

What a command prints as one line on stderr is raised here as `gan_cli.utils.errors.ConfigError`
(a ValueError) or another `UserError`. PyTorch's process-wide settings (threads, precision of
products, deterministic algorithms) and its random numbers on the CPU are put back after each call.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from omegaconf import OmegaConf

from gan_cli.checkpoints.choice import opened
from gan_cli.checkpoints.choice import run_folder as folder_of
from gan_cli.config.compose import composed, group_names
from gan_cli.config.schema import Config, Device
from gan_cli.data.spec import Field, Spec
from gan_cli.sampling.options import checked_options as checked_sample_options
from gan_cli.utils.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gan_cli.games.request import Request
    from gan_cli.sampling.model import Model

Weights = Literal["average", "live"]
RESERVED = re.compile("true|false|null|inf|nan", re.IGNORECASE)  # Hydra reads them as no text


@dataclass(frozen=True)
class TrainedRun:
    """What a finished training left behind."""

    folder: Path
    step: int
    config: Config
    scores: dict[str, float]  # last values of the metrics
    best: dict[str, float]  # best value of each metric

    def load(self, which: Literal["latest", "best"] | int = "latest") -> "LoadedModel":
        """The trained model, with its averaged networks."""
        return load(self.folder, which=which)


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
    if config.check:
        raise ConfigError("check: train() checks every config before it starts; leave it out")
    with torch_settings_kept():
        run = run_training(config, run_folder(config.run), started)
    last = {name: value for name, (value, _) in run.scores.last.items()}
    best = {name: value for name, (value, _) in run.scores.best.items()}
    return TrainedRun(run.folder, run.step, config, last, best)


def run_folder(name: str) -> Path:
    return Path("outputs") / name


def typed(settings: Mapping[str, Any]) -> list[str]:
    """Keyword arguments as they would be typed; groups by name, other values in Hydra's syntax."""
    words = []
    for key, value in settings.items():
        if key in group_names("train"):
            if not isinstance(value, str | None):
                raise ConfigError(
                    f"{key}: is a group of which one is chosen by name; type {key}=NAME, and its "
                    f'keys as "{key}.KEY=VALUE"'
                )
            plain = value is None or re.fullmatch(
                r"[\w.-]+", value, re.ASCII
            )  # quoted, it is not checked
            words.append(f"{key}={(value or 'null') if plain else hydra_value(value)}")
        else:
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
    if isinstance(value, list | tuple | range):
        return "[" + ",".join(map(hydra_value, value)) + "]"
    if isinstance(value, str | Path):
        text = str(value)
        plain = re.fullmatch(r"[A-Za-z_]\w*", text, re.ASCII) and not RESERVED.fullmatch(text)
        return text if plain else quoted(text)
    return str(value)


def quoted(text: str) -> str:
    """In Hydra, a backslash is one, unless a quotation mark follows."""
    escaped = re.sub(r"(\\*)('|\Z)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), text)
    return f"'{escaped}'"


@contextmanager
def torch_settings_kept() -> Iterator[None]:
    """Puts back what `gan_cli.runtime.device.configure_torch` sets, and the CPU's random numbers.

    Also usable as a decorator.
    """
    import torch

    threads, matmul = torch.get_num_threads(), torch.get_float32_matmul_precision()
    tf32, benchmark = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cudnn.benchmark = benchmark
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)


def load(
    reference: str | Path,
    *,
    which: Literal["latest", "best"] | int = "latest",
    weights: Weights = "average",
    device: str = "auto",
) -> "LoadedModel":
    """The trained model of a run (its name, or its folder) or of a checkpoint file.

    Needs neither the data set nor the configuration files. Loading a checkpoint runs no code
    from it; a network of your own has to be imported before.

    Parameters
    ----------
    reference
        The name of a run in ./outputs, the folder of a run, or a checkpoint file.
    which
        Which checkpoint of a run: the newest, the best, or that of a step.
    weights
        The moving averages, or the networks as they were trained.
    device
        auto, cpu, cuda or mps; with the settings that gan-sample has for it.

    Raises
    ------
    ConfigError
        If there is no such run, file, checkpoint or device.
    StorageError
        If the checkpoint is damaged.
    """
    is_file = Path(reference).expanduser().is_file()
    keys = {"checkpoint" if is_file else "run": reference, "which": which, "weights": weights}
    words = [f"device={device}", *(f"{k}={hydra_value(v)}" for k, v in keys.items())]
    tree = OmegaConf.to_container(composed("sample", words), resolve=True)
    options = checked_sample_options(tree)
    run = None if options.run is None else folder_of(options.run, "reference")
    from gan_cli.sampling.model import Model

    with torch_settings_kept():
        model = Model(opened(options, run), options.weights == "average", options.device)
    return LoadedModel(model, options.device)


class LoadedModel:
    """A trained model, made by `load`."""

    def __init__(self, model: "Model", device: Device) -> None:
        self._model, self._device = model, device

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

    @torch_settings_kept()
    def network(self, role: str = "generator") -> "nn.Module":
        """A network in eval mode on the model's device, a copy of its own."""
        return self._model.network(role)

    def sample(
        self,
        count: int | None = None,
        *,
        seeds: int | Iterable[int] | None = None,
        label: Any = None,
        given: Any = None,
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
            A class by name or number, or several taken in turn; default: all in turn.
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

        target = self._model.target(target)
        inputs = self._inputs(given, target)
        lengths = {len(value) for value in inputs.values()}
        chosen = chosen_seeds(count, seeds, max(lengths, default=64))
        if inputs and lengths != {len(chosen)}:
            numbers = " and ".join(map(str, sorted(lengths)))
            raise ConfigError(f"given: {numbers} inputs for {len(chosen)} samples; give one each")
        labels = self._model.labels(several_labels(label), chosen)
        request = Request(chosen, labels, inputs, truncation=truncation, target=target)
        return self._draw(request, batch_size)

    def interpolate(
        self,
        seeds: Iterable[int],
        between: int = 8,
        *,
        label: Any = None,
        truncation: float | None = None,
        batch_size: int = 64,
    ) -> "Tensor":
        """Frames (N, *shape) from each seed to the next, in stored form: as gan-sample's.

        `between` frames lie between two seeds: K seeds have (K - 1) (between + 1) + 1 frames. They
        follow the sphere near which a normal prior lies. A conditional model needs one `label`.
        """
        from gan_cli.games.request import Request
        from gan_cli.networks.layers.latent import seeded_latent

        model, chosen = self._model, chosen_seeds(None, seeds, 0)
        target = model.target()
        if not model.has_latent:
            raise ConfigError("interpolate: the model's samples are no function of a latent")
        if len(chosen) < 2 or between < 1:
            raise ConfigError("seeds: an interpolation needs two or more, and a frame between")
        labels = model.labels(several_labels(label), chosen)
        if labels is not None and len(labels.unique()) > 1:
            raise ConfigError("label: interpolation stays within one class; pass label=0, say")
        generator, noise = model.game.networks["generator"], Request(chosen).noise
        latent = model.walk(seeded_latent(generator, noise, truncation), between)
        repeated = None if labels is None else labels[:1].expand(len(latent))
        frames = Request([chosen[0]] * len(latent), repeated, latent=latent, target=target)
        return self._draw(frames, batch_size)

    def _draw(self, request: "Request", batch_size: int) -> "Tensor":
        from gan_cli.runtime.device import configure_torch

        if batch_size < 1:
            raise ConfigError(f"batch_size: must be at least 1, got {batch_size}")
        with torch_settings_kept():
            configure_torch(self._device)
            return self._model.draw(request, batch_size)

    def _inputs(self, given: Any, target: str) -> "dict[str, Tensor]":
        """The inputs in model form, by batch key."""
        needed = self._model.game.inputs(target)
        if given is not None and not isinstance(given, Mapping):
            given = dict.fromkeys(needed[:1], given) if needed else {"given": given}
        found = dict(given or {})
        if set(found) != set(needed):
            takes = ", ".join(needed) or "nothing but seeds and labels"
            raise ConfigError(f"given: the model makes '{target}' from {takes}")
        return {key: model_form(value, self.spec.fields[key], key) for key, value in found.items()}


def model_form(value: Any, field: Field, key: str) -> "Tensor":
    """A tensor or array (N, *shape) in the form that networks take."""
    import torch

    from gan_cli.data.kinds import kind_of

    given = torch.as_tensor(value)
    if tuple(given.shape[1:]) != tuple(field.shape):
        raise ConfigError(
            f"given: '{key}' has shape {tuple(given.shape)}; the model takes (N, "
            f"{', '.join(map(str, field.shape))})"
        )
    return kind_of(field).to_model(given)


def chosen_seeds(count: int | None, seeds: int | Iterable[int] | None, usual: int) -> list[int]:
    """One seed for each sample; ConfigError if there is none, or one that is no seed."""
    if seeds is None:
        number = usual if count is None else count
        if number < 1:
            raise ConfigError(f"count: must be at least 1, got {number}")
        return list(range(number))
    chosen = [int(seed) for seed in ([seeds] if isinstance(seeds, int) else seeds)]
    if count not in (None, len(chosen)):
        raise ConfigError(f"count: is {count}, but seeds lists {len(chosen)}; leave one out")
    if not chosen or not all(0 <= seed < 2**64 for seed in chosen):
        raise ConfigError("seeds: pass one or more whole numbers from 0 to 2^64 - 1")
    return chosen


def several_labels(label: Any) -> list[Any] | None:
    """A class, a list, or an array or tensor of classes as a list."""
    label = label.tolist() if hasattr(label, "tolist") else label
    if label is None or isinstance(label, list):
        return label
    return list(label) if isinstance(label, tuple | range) else [label]


@torch_settings_kept()
def score(
    *,
    real: str | Path | None = None,
    fake: str | Path | None = None,
    run: str | Path | None = None,
    metrics: str | Sequence[str] | Mapping[str, Any] = ("fd",),
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
