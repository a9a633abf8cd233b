"""What a turn is played for: named terms, weighted, whose sum is backpropagated."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Terms:
    """0-d tensors by name."""

    losses: dict[str, Tensor]  # weighted; their sum is backpropagated
    observed: dict[str, Tensor] = field(default_factory=dict)  # detached; only logged

    def __or__(self, other: "Terms") -> "Terms":
        """Both together; ValueError if they share a name, since one would be lost."""
        mine, theirs = ({*terms.losses, *terms.observed} for terms in (self, other))
        if mine & theirs:
            raise ValueError(
                f"two terms are called {', '.join(sorted(mine & theirs))}; name one of them with "
                "Terms.named(prefix)"
            )
        return Terms(self.losses | other.losses, self.observed | other.observed)

    def named(self, prefix: str) -> "Terms":
        """The same terms as "<prefix>_<name>": of one critic among several, say."""
        losses, observed = (
            {f"{prefix}_{name}": value for name, value in terms.items()}
            for terms in (self.losses, self.observed)
        )
        return Terms(losses, observed)

    def total(self) -> Tensor:
        """The sum of the losses, 0-d."""
        return torch.stack(list(self.losses.values())).sum()


def mean_terms(parts: Sequence[Terms]) -> Terms:
    """The mean of terms that have the same names."""
    if len(parts) == 1:
        return parts[0]
    losses, observed = [part.losses for part in parts], [part.observed for part in parts]
    return Terms(mean_by_name(losses), mean_by_name(observed))


def mean_by_name(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([part[name] for part in parts]).mean() for name in parts[0]}
