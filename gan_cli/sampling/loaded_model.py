"""The trained model of the Python API."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from gan_cli.config.schema import Device
from gan_cli.data.spec import Field, Spec
from gan_cli.runtime.restored_settings import torch_settings_kept
from gan_cli.sampling.options import Way
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.memory import SAMPLING, memory_errors
from gan_cli.utils.text import unknown

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gan_cli.games.request import Request
    from gan_cli.games.spaces import Space
    from gan_cli.sampling.model import Model

WAYS, SPACES = get_args(Way), ("z", "w")


class LoadedModel:
    """A trained model, as returned by `gan_cli.load`."""

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
        """The spec of the samples: kind, shape, class names."""
        return self._model.spec

    @torch_settings_kept()
    def network(self, role: str = "generator") -> "nn.Module":
        """Returns a copy of a network in eval mode on the model's device."""
        return self._model.network(role)

    def sample(
        self,
        count: int | None = None,
        *,
        seeds: int | Iterable[int] | None = None,
        label: Any = None,
        given: Any = None,
        truncation: float | None = None,
        truncation_cutoff: int | None = None,
        target: str | None = None,
        batch_size: int = 64,
    ) -> "Tensor":
        """Returns samples (N, *shape) in stored form on the CPU; images are uint8 (N, C, H, W).

        A sample depends only on its seed, label and inputs, and equals that of gan-sample.

        Parameters
        ----------
        count
            Number of samples, with the seeds 0, 1, 2, ...; by default that of the inputs, or 64.
        seeds
            One seed for each sample, instead of `count`.
        label
            A class by name or number, or several, used in turn; by default all classes.
        given
            Inputs of the model, such as images (N, C, H, W), uint8 or float in [-1, 1]; a mapping
            by batch key if it takes several.
        truncation
            Bound of the latents, for models with a normal prior. For StyleGAN2 it is psi: styles
            become w_avg + psi (w - w_avg).
        truncation_cutoff
            Number of layers whose styles are truncated, the first ones; by default all.
        target
            The batch key to generate, for models that can generate several.
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
        request = Request(
            chosen,
            labels,
            inputs,
            truncation=truncation,
            truncation_cutoff=truncation_cutoff,
            target=target,
        )
        return self._draw(request, batch_size)

    def interpolate(
        self,
        seeds: Iterable[int],
        between: int = 8,
        *,
        label: Any = None,
        truncation: float | None = None,
        truncation_cutoff: int | None = None,
        space: "Space" = "z",
        way: Way | None = None,
        loop: bool = False,
        batch_size: int = 64,
    ) -> "Tensor":
        """Returns an interpolation from each seed to the next, frames (N, *shape) in stored form.

        There are `between` frames between two seeds, so that K seeds have N = (K - 1)(between + 1)
        + 1 frames. With `loop`, the last ones lead back to the first seed, and N = K (between + 1).
        With space="w", StyleGAN2's styles are interpolated instead of latents. The default way is
        slerp for a normal prior, and linear for a uniform one and for styles; cubic is a smooth
        curve through the seeds. A conditional model needs one `label`.
        """
        from gan_cli.games.request import Request
        from gan_cli.games.spaces import at, points_of

        model, chosen = self._model, chosen_seeds(None, seeds, 0)
        target = model.target()
        if not model.walks:
            raise ConfigError("interpolate: the model's generator does not take a latent")
        if len(chosen) < 2 or between < 1:
            raise ConfigError("seeds: an interpolation needs two or more, and a frame between")
        if way not in (None, *WAYS):
            raise ConfigError(f"way: {unknown('way', way, WAYS)}")
        labels = model.labels(several_labels(label), chosen)
        if labels is not None and len(labels.unique()) > 1:
            raise ConfigError("label: interpolation stays within one class; pass label=0, say")
        if space not in SPACES:
            raise ConfigError(f"space: {unknown('space', space, SPACES)}")
        whole = Request(
            chosen,
            labels,
            truncation=truncation,
            truncation_cutoff=truncation_cutoff,
            target=target,
        )
        ends = points_of(model.game, whole, space)
        path = model.walk(ends, between, way, loop, space)
        path = path[:-1] if loop else path  # the end is the first frame
        repeated = None if labels is None else labels[:1].expand(len(path))
        same = [chosen[0]] * len(path)
        frames = at(replace(whole, seeds=same, label=repeated), path, space)
        return self._draw(frames, batch_size)

    @memory_errors(SAMPLING)
    def _draw(self, request: "Request", batch_size: int) -> "Tensor":
        from gan_cli.runtime.device import configure_torch

        if batch_size < 1:
            raise ConfigError(f"batch_size: must be at least 1, got {batch_size}")
        with torch_settings_kept():
            configure_torch(self._device)
            return self._model.draw(request, batch_size)

    def _inputs(self, given: Any, target: str) -> "dict[str, Tensor]":
        """Returns the inputs in model form, by batch key."""
        needed = self._model.game.inputs(target)
        if given is not None and not isinstance(given, Mapping):
            given = dict.fromkeys(needed[:1], given) if needed else {"given": given}
        found = dict(given or {})
        if set(found) != set(needed):
            takes = ", ".join(needed) or "nothing but seeds and labels"
            raise ConfigError(f"given: the model makes '{target}' from {takes}")
        return {key: model_form(value, self.spec.fields[key], key) for key, value in found.items()}


def model_form(value: Any, field: Field, key: str) -> "Tensor":
    """Returns a tensor or array (N, *shape) in model form."""
    import torch

    from gan_cli.data.kinds import kind_of

    given = torch.as_tensor(value)
    if tuple(given.shape[1:]) != tuple(field.shape):
        raise ConfigError(
            f"given: '{key}' has shape {tuple(given.shape)}; the model takes (N, "
            f"{', '.join(map(str, field.shape))})"
        )
    return kind_of(field).to_model(given)


def chosen_seeds(count: int | None, seeds: int | Iterable[int] | None, default: int) -> list[int]:
    """Returns one seed for each sample; ConfigError if there is none, or an invalid one."""
    if seeds is None:
        number = default if count is None else count
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
    """Returns a class, or a list, array or tensor of classes, as a list."""
    label = label.tolist() if hasattr(label, "tolist") else label
    if label is None or isinstance(label, list):
        return label
    return list(label) if isinstance(label, tuple | range) else [label]
