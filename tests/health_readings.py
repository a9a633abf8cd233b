"""Readings of a sound run and of faults, as the rules of health see them."""

from collections.abc import Iterable

from gan_cli.health.findings import FindingTracker

SOUND = {
    "pair_accuracy": 0.99,
    "logit_gap": 6.0,
    "logit_scale": 3.0,
    "gap_growth": 6.0,
    "least_growth": 0.5,
    "loss_growth/generator": 2.0,
    "loss_growth/discriminator": 1.5,
    "critic_gradient": 10.0,
    "generator_gradient": 20.0,
    "gradient_ratio": 2.0,
    "update_ratio/generator": 0.003,
    "update_ratio/discriminator": 0.002,
    "diversity_pixels": 0.9,
    "diversity_random": 0.85,
    "duplicates": 0.0,
    "missed": 0.0,
    "stray": 0.1,
    "novelty": 1.2,
    "copies": 0.0,
    "separability": 0.8,
    "token_entropy": 1.0,
}
FAULTS = {
    "generator_collapsed": {"diversity_pixels": 0.1, "diversity_random": 0.2},
    "discriminator_won": {"pair_accuracy": 1.0, "generator_gradient": 0.1},
    "discriminator_too_weak": {"pair_accuracy": 0.5, "separability": 1.0},
    "discriminator_ahead": {"pair_accuracy": 1.0, "separability": 1.0},
    "diverged": {"loss_growth/generator": 1e5, "loss_growth/discriminator": 1e5},
    "diverging": {"update_ratio/generator": 0.05, "separability": 1.0},
    "augmentation_leaks": {"augment_p": 0.85},
    "entropy_collapsed": {"token_entropy": 0.4},
    "memorising": {"copies": 0.8, "novelty": 0.2},
}


def told(
    watch: FindingTracker, readings: Iterable[dict[str, float]], start: int, every: int = 50
) -> list:
    """(name, step, active) of all findings that appear or pass."""
    changes = []
    for i, reading in enumerate(readings):
        step = start + (i + 1) * every
        changes += [(f.name, step, f.active) for f in watch.update(step, reading)]
    return changes
