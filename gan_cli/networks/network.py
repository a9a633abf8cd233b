"""Networks by the name that a config uses."""

from torch import nn

from gan_cli.config.registry import Registry

networks: Registry[nn.Module] = Registry("network")
