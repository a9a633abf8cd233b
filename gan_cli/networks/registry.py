"""Networks by the name that a config uses."""

from torch import nn

from gan_cli.registry import Registry

networks: Registry[nn.Module] = Registry("network")
