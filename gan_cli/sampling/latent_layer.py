"""The layer of a generator that reads the latent, and its activations."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import unknown


class Reached(Exception):  # noqa: N818
    """Ends the pass of a generator at a layer."""


def is_layer(module: nn.Module) -> bool:
    """Returns whether a module has parameters and no modules inside, except parametrizations."""
    inside = {name for name, _ in module.named_children()} - {"parametrizations"}
    return not inside and next(module.parameters(), None) is not None


def find_layer(generator: nn.Module, latent: Tensor, label: Tensor | None) -> nn.Module | None:
    """Returns the first layer, in the order of computation, with an input that depends on `latent`.

    The parameters are detached for the pass, so that gradients come from the latent alone.
    """
    found: list[nn.Module] = []

    def reads(module: nn.Module, args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        inputs = (x for x in (*args, *keywords.values()) if isinstance(x, Tensor))
        if any(x.requires_grad for x in inputs):
            found.append(module)
            raise Reached

    layers = [module for module in generator.modules() if is_layer(module)]
    hooks = [m.register_forward_pre_hook(reads, with_kwargs=True) for m in layers]
    fixed = {name: p.detach() for name, p in generator.named_parameters()}
    labels = {} if label is None else {"label": label}
    try:
        with torch.enable_grad():
            functional_call(generator, fixed, (latent.detach().requires_grad_(),), labels)
    except Reached:
        return found[0]
    finally:
        for hook in hooks:
            hook.remove()
    return None


def named_layer(generator: nn.Module, name: str) -> nn.Module:
    """Returns the module of this name; ConfigError if there is none."""
    modules = dict(generator.named_modules())
    if not name or name not in modules:
        raise ConfigError(f"layer: {unknown('layer of the generator', name, set(modules) - {''})}")
    return modules[name]


def activations(
    generator: nn.Module, layer: nn.Module
) -> Callable[[Tensor, Tensor | None], Tensor]:
    """Returns the function from latents and labels to what the layer returns when first called."""

    def function(latent: Tensor, label: Tensor | None) -> Tensor:
        outputs: list[Tensor] = []

        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            outputs.append(output if isinstance(output, Tensor) else output[0])
            raise Reached

        hook = layer.register_forward_hook(keep)
        try:
            generator(latent, **({} if label is None else {"label": label}))
        except Reached:
            pass
        finally:
            hook.remove()
        if not outputs:
            raise ConfigError("layer: the generator does not use it; choose another")
        return outputs[0]

    return function
