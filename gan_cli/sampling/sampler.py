"""The generator of a checkpoint, drawing one image per seed."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from rich.progress import track
from torch import Tensor, nn

from gan_cli.checkpoints.files import State
from gan_cli.checkpoints.migrate import FORMAT
from gan_cli.config.registry import conform
from gan_cli.config.schema import Device
from gan_cli.data.spec import Spec
from gan_cli.games import games
from gan_cli.networks import networks
from gan_cli.networks.layers.latent import draw_latent, slerp
from gan_cli.runtime.runtime import Runtime
from gan_cli.utils.errors import ConfigError, StorageError
from gan_cli.utils.images import to_uint8
from gan_cli.utils.text import unknown

ROLE = "generator"
MANY = 256  # images from which on a progress bar is worth its line


class Sampler:
    """Needs the checkpoint alone: the config and the data spec in it say what to build."""

    def __init__(self, state: State, average: bool, device: Device) -> None:
        if state.get("format") != FORMAT:
            raise StorageError(
                f"the checkpoint has format {state.get('format')}, this gan_cli reads {FORMAT}; "
                "use the version that wrote it"
            )
        self.generator: Any = restored(state, ROLE, average)
        self.spec = read_spec(state["spec"])
        node = state["config"]["model"]["networks"][ROLE]
        self.conditional = self.spec.classes > 0 and node.get("conditioning") != "none"
        self.runtime = Runtime(device)
        self.runtime.place(nn.ModuleDict({ROLE: self.generator.eval()}))

    def labels(self, wanted: Sequence[Any] | None, seeds: Sequence[int]) -> list[int] | None:
        """A class for each seed: those wanted in turn, or the seed modulo the number of classes."""
        if not self.conditional:
            if wanted is not None:
                raise ConfigError("label: the model was trained without labels; leave it out")
            return None
        if wanted is None:
            return [seed % self.spec.classes for seed in seeds]
        classes = [class_number(label, self.spec) for label in wanted]
        return [classes[i % len(classes)] for i in range(len(seeds))]

    def latents(self, seeds: Sequence[int], truncation: float | None) -> Tensor:
        """(N, latent_dim) on the CPU; each row depends on its seed alone."""
        cpu = torch.device("cpu")
        rngs = (torch.Generator().manual_seed(seed) for seed in seeds)
        return torch.cat([draw_latent(self.generator, 1, cpu, rng, truncation) for rng in rngs])

    def walk(self, latents: Tensor, between: int) -> Tensor:
        """`between` latents from each of `latents` to the next, and these themselves.

        Along the sphere near which a normal prior lives, or straight through a uniform one's cube.
        """
        path = slerp if self.generator.prior == "normal" else torch.lerp
        times = torch.arange(between + 1)[:, None] / (between + 1)  # (T, 1)
        parts = [path(a.expand(len(times), -1), b, times) for a, b in pairwise(latents)]
        return torch.cat([*parts, latents[-1:]])

    @torch.inference_mode()
    def draw(self, latents: Tensor, labels: Sequence[int] | None) -> Tensor:
        """Images (N, C, H, W) uint8, or vectors (N, F) float32, on the CPU.

        Each is computed as a batch of its own: in a larger batch float32 sums are ordered by its
        size (those of a linear layer differ by 2e-7), and a pixel would now and then round the
        other way.
        """
        device, drawn = self.runtime.device, []
        for i in track(range(len(latents)), "images", disable=len(latents) < MANY, transient=True):
            label = None if labels is None else torch.tensor([labels[i]], device=device)
            with self.runtime.autocast():
                sample = self.generator(latents[i : i + 1].to(device), label)
            drawn.append((to_uint8(sample) if len(self.spec.shape) == 3 else sample.float()).cpu())
        return torch.cat(drawn)


def restored(state: State, role: str, average: bool) -> nn.Module:
    """The network `role` of a checkpoint."""
    try:
        node = state["config"]["model"]["networks"][role]
        weights = state["averages" if average else "networks"][role]
        spec = read_spec(state["spec"])
    except (KeyError, TypeError):
        raise StorageError(f"the checkpoint holds no network '{role}' to sample from") from None
    where = f"model.networks.{role}"
    check_known(node["name"], state["config"].get("imports"), where)
    network = networks.build(node, spec, where=where)
    load_weights(network, weights, node["name"], where)
    return network


def sees_one(state: State, role: str) -> bool:
    """Whether a network judges each sample alone, and not several joined, as PacGAN's does."""
    options, spec = state["config"]["model"]["game"], read_spec(state["spec"])
    return games.entries[options["name"]].spec_of(role, spec, options) == spec


def read_spec(stored: Any) -> Spec:
    faults: list[str] = []
    spec: Spec = conform(Spec, stored, "spec", faults)
    if faults:
        raise StorageError("\n".join(faults))
    return spec


def check_known(name: str, imported: list[str] | None, where: str) -> None:
    """A checkpoint may name the modules it needs, but only the command line imports them."""
    if name not in networks.entries:
        modules = ", ".join(imported or ["MODULE"])
        raise ConfigError(
            f"{where}.name: '{name}' is no network of gan_cli; if you trust the module that "
            f"registers it, add imports=[{modules}]"
        )


def load_weights(network: nn.Module, weights: dict[str, Tensor], name: str, where: str) -> None:
    try:
        network.load_state_dict(weights)
    except RuntimeError:
        raise ConfigError(
            f"{where}: the checkpoint's weights do not fit network '{name}'; its code has changed "
            "since they were trained"
        ) from None


def class_number(label: Any, spec: Spec) -> int:
    """Names first: a folder called 10 need not be class 10."""
    if str(label) in spec.class_names:
        return spec.class_names.index(str(label))
    if type(label) is int and 0 <= label < spec.classes:
        return label
    known = f"0 to {spec.classes - 1}"
    if spec.class_names:
        raise ConfigError(f"label: {unknown('class', label, spec.class_names)}; or {known}")
    raise ConfigError(f"label: unknown class {label!r}; known: {known}")
