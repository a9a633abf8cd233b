"""Checks of the options of diffusion, which need neither networks nor data."""

from collections.abc import Iterator

from gan_cli.config.registry import Component, Registry
from gan_cli.diffusion import noise_schedules, predictions, samplers, weightings
from gan_cli.utils.errors import ConfigError

PARTS: dict[str, Registry] = {
    "schedule": noise_schedules,
    "prediction": predictions,
    "weighting": weightings,
    "sampler": samplers,
}


def part_errors(options: Component, where: str) -> Iterator[str]:
    """Yields the errors of the parts of a diffusion game, and whether the sampler fits them."""
    built = {}
    for key, registry in PARTS.items():
        try:
            built[key] = registry.build(options[key], where=f"{where}.{key}")
        except ConfigError as error:
            yield from error.faults
    if {"schedule", "sampler"} <= built.keys():
        try:
            built["sampler"].check(built["schedule"], True)
        except ConfigError as error:
            yield from (f"{where}.sampler.{fault}" for fault in error.faults)
