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

LOWER = ("a lower optimizer.lr, by a factor of 10, or a longer warm-up", "clip_norm=1")
ADVICE = {  # by name of a health rule
    "generator_collapsed": (
        "more steps: samples of a network that has not learned much are alike",
        "model.game.prediction=v, above all with schedule=cosine",
        "more steps of model.game.sampler",
    ),
    "diverged": LOWER,
    "diverging": LOWER,
    "memorising": (
        "more training data, or dataset.hflip=true if mirror images are plausible",
        "an earlier checkpoint, more dropout, or a smaller network",
    ),
}


def part_errors(options: Component, where: str) -> Iterator[str]:
    """Yields the errors of the parts of a diffusion game, and whether the sampler fits them."""
    built = {}
    for key, registry in PARTS.items():
        try:
            built[key] = registry.build(options[key], where=f"{where}.{key}")
        except ConfigError as error:
            yield from error.faults
    if {"schedule", "prediction"} <= built.keys():
        try:
            built["prediction"].check(built["schedule"])
        except ConfigError as error:
            yield from (f"{where}.prediction: {fault}" for fault in error.faults)
    if {"schedule", "sampler"} <= built.keys():
        try:
            built["sampler"].check(built["schedule"], True)
        except ConfigError as error:
            yield from (f"{where}.sampler.{fault}" for fault in error.faults)
