"""Registry of networks, and which of them read labels."""

from typing import Any

from torch import nn

from gan_cli.config.registry import Component, Registry

networks: Registry[nn.Module] = Registry("network")


def reads_labels(network: Component | nn.Module) -> bool:
    """Returns whether a network, or the network that options describe, depends on labels.

    The option `conditioning` decides; if there is none, the attribute `conditional` of the class.
    """
    if isinstance(network, nn.Module):
        return bool(getattr(network, "conditional", False))
    if "conditioning" in network:
        return bool(network["conditioning"] != "none")
    entry: Any = networks.entries.get(network.get("name", ""))
    return bool(getattr(entry, "conditional", False))
