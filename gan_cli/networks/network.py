"""Registry of networks."""

from torch import nn

from gan_cli.config.registry import Registry

networks: Registry[nn.Module] = Registry("network")
