"""Parts of a network that are not trained: they stay a fixed function of their inputs.

A frozen module is in eval mode, so that neither its weights change nor the statistics of batch
normalization nor the power iteration of spectral normalization.
"""

from collections.abc import Iterable, Iterator

from torch import nn


def freeze(modules: Iterable[nn.Module]) -> None:
    """Freezes modules with all that they contain."""
    for module in modules:
        module.eval()
        for part in module.modules():
            part.is_frozen = True  # type: ignore[assignment]


def trainable(network: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The names and parameters of a network except those of frozen modules, in their order."""
    fixed = {
        id(parameter)
        for module in network.modules()
        if getattr(module, "is_frozen", False)
        for parameter in module.parameters()
    }
    for name, parameter in network.named_parameters():
        if id(parameter) not in fixed:
            yield name, parameter
