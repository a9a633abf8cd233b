"""A network with named inputs, in the form in which it leaves the program."""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import lcm

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Field, Spec
from gan_cli.games.abilities import Samples
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.sampling.model import Model
from gan_cli.utils.errors import ConfigError

EXAMPLES = 4  # samples of the example inputs


@dataclass(frozen=True)
class Exportable:
    """A network in eval mode on the CPU, and examples of its inputs by name."""

    model: Model
    role: str
    network: nn.Module
    examples: Mapping[str, Tensor]  # name -> (EXAMPLES, ...), in the order of the arguments
    multiple: int | None = None  # of the sides of images of any size; None: their size is fixed

    def __call__(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """Returns the outputs of the network."""
        with torch.no_grad():
            return as_tuple(self.network(**inputs))

    @property
    def positional(self) -> nn.Module:
        """The network as a function of the inputs by position; those between them are left out."""
        names = list(self.examples)
        if names == list(inspect.signature(self.network.forward).parameters)[: len(names)]:
            return self.network
        return Positional(self.network, names).eval()

    def inputs(self, count: int) -> dict[str, Tensor]:
        """Returns `count` samples of each input, repeating the examples."""
        index = torch.arange(count) % EXAMPLES
        return {name: example[index] for name, example in self.examples.items()}

    @property
    def traced(self) -> Mapping[str, Tensor]:
        """The examples with which exporters trace the network.

        Where the size is free, no map of theirs is a single pixel, which would be taken for a rule.
        """
        if self.multiple is None:
            return self.examples
        return {k: larger(v, 2 * self.multiple) for k, v in self.examples.items()}

    def larger_inputs(self) -> dict[str, Tensor]:
        """Returns one sample of each input, of another height and width; {} if these are fixed."""
        if self.multiple is None:
            return {}
        return {name: larger(example[:1], self.multiple) for name, example in self.examples.items()}


class Positional(nn.Module):
    """A network as a function of some of its inputs, in the order of `names`."""

    def __init__(self, network: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        result: Tensor | tuple[Tensor, ...]
        result = self.network(**dict(zip(self.names, inputs, strict=True)))
        return result


def as_tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def exportable(model: Model, role: str) -> Exportable:
    """Returns the network `role`; ConfigError if the game has none or never calls it.

    The inputs are those that the game passes to it: a conditional generator takes latents and
    labels, the discriminator of PacGAN takes packs.
    """
    known = list(model.game.networks)
    if role not in known:
        raise ConfigError(f"role: the model has no network '{role}'; it has {', '.join(known)}")
    with recorded_call(model.game.networks[role]) as call:
        play(model.game, model.spec)
    if not call:
        game = model.checkpoint.game["name"]
        raise ConfigError(f"role: the game '{game}' never calls its network '{role}'")
    network = model.network(role).cpu()
    for module in network.modules():  # spectral norm and the like become plain weights
        for name in list(getattr(module, "parametrizations", {})):
            parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    network = network.eval().requires_grad_(False)
    examples = needed(network, call)
    return Exportable(model, role, network, examples, multiple_of_sides(network, examples))


def multiple_of_sides(network: nn.Module, examples: Mapping[str, Tensor]) -> int | None:
    """Returns what the sides of images are multiples of; None if their size is fixed.

    Images of any size are made of images of any size: by the networks that translate or enlarge.
    """
    multiple = lcm(*(getattr(module, "multiple", 1) for module in network.modules()))
    if not examples or any(example.ndim != 4 for example in examples.values()):
        return None
    with torch.no_grad(), suppress(Exception):  # layers for one size raise errors of many types
        outputs = as_tuple(network(**{k: larger(v[:1], multiple) for k, v in examples.items()}))
        if all(output.ndim == 4 for output in outputs):
            return multiple
    return None


def larger(images: Tensor, multiple: int) -> Tensor:
    """Returns images (N, C, H, W) with one more `multiple` of rows, and two more of columns."""
    size = (images.shape[2] + multiple, images.shape[3] + 2 * multiple)
    return F.interpolate(images, size, mode="bilinear")


def needed(network: nn.Module, call: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the inputs without those that change nothing, such as labels of a plain network."""
    optional = [
        name
        for name, parameter in inspect.signature(network.forward).parameters.items()
        if name in call and parameter.default is not inspect.Parameter.empty
    ]
    kept = dict(call)
    with torch.no_grad():
        for name in reversed(optional):
            others = {key: value for key, value in kept.items() if key != name}
            with suppress(Exception):  # some networks refuse to be called without it
                if same(network(**others), network(**kept)):
                    kept = others
    return kept


def same(one: Tensor | tuple[Tensor, ...], other: Tensor | tuple[Tensor, ...]) -> bool:
    return all(map(torch.equal, as_tuple(one), as_tuple(other)))


class Recorded(Exception):  # noqa: N818, not an error
    """A network has been called."""


@contextmanager
def recorded_call(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Yields the tensors that the network is called with, by the names of its parameters.

    The context ends with the call: what a loss would compute besides may need what training alone
    has, such as the network of a perceptual loss.
    """
    call: dict[str, Tensor] = {}

    def record(module: nn.Module, arguments: tuple[object, ...], named: dict[str, object]) -> None:
        bound = inspect.signature(module.forward).bind(*arguments, **named)
        found = {k: v for k, v in bound.arguments.items() if isinstance(v, Tensor)}
        call.update({k: v.detach().cpu()[:EXAMPLES].clone() for k, v in found.items()})
        raise Recorded

    hook = network.register_forward_pre_hook(record, with_kwargs=True)
    try:
        with suppress(Recorded):
            yield call
    finally:
        hook.remove()


def play(game: Game, spec: Spec) -> None:
    """Draws samples and plays the losses of a step, without training."""
    batch = {key: example_of(field, game.device) for key, field in spec.fields.items()}
    batch = {key: torch.cat([value] * game.packing) for key, value in batch.items()}
    if isinstance(game, Samples):
        label = batch[spec.label][:EXAMPLES] if game.labelled and spec.label else None
        for target in game.targets(spec):
            given = {key: batch[key][:EXAMPLES] for key in game.inputs(target)}
            with torch.no_grad():
                game.sample(Request(list(range(EXAMPLES)), label, given, target=target))
    for turn in game.turns(0):
        turn.loss(batch)


def example_of(field: Field, device: torch.device) -> Tensor:
    """Returns random values of a field (EXAMPLES, *shape) in model form."""
    generator = torch.Generator().manual_seed(0)
    if field.kind == "label":
        return (torch.arange(EXAMPLES) % max(field.classes, 1)).to(device)
    values = torch.rand((EXAMPLES, *field.shape), generator=generator) * 2 - 1
    kind = kind_of(field)
    return kind.to_model(kind.to_stored(values)).to(device)
