"""What a critic and a generator play for. Importing this fills the registries."""

from gan_cli.losses import adversarial, divergences, gradient  # noqa: F401  (registration)
from gan_cli.losses.objective import (
    AdversarialLoss,
    Critic,
    Objective,
    Penalty,
    Round,
    Sample,
    Terms,
    losses,
    penalties,
)

__all__ = [
    "AdversarialLoss",
    "Critic",
    "Objective",
    "Penalty",
    "Round",
    "Sample",
    "Terms",
    "losses",
    "penalties",
]
