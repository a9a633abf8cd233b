"""What a critic and a generator play for. Importing this fills the registries."""

from gan_cli.losses import (  # noqa: F401  (registration)
    adversarial,
    divergences,
    gradient,
    jensen_shannon,
)
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
