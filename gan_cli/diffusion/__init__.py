"""Diffusion: noise schedules, what a network predicts, how the loss is weighted, samplers.

Importing this package registers all of them.
"""

from gan_cli.diffusion.predictions import predictions
from gan_cli.diffusion.samplers import samplers
from gan_cli.diffusion.schedules import noise_schedules
from gan_cli.diffusion.weightings import weightings

__all__ = ["noise_schedules", "predictions", "samplers", "weightings"]
