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

    def times(self, weight: float) -> "Terms":
        """The same terms, with losses that are `weight` times as strong."""
        return Terms({name: weight * loss for name, loss in self.losses.items()}, self.observed)

    def total(self) -> Tensor:
        """The sum of the losses, 0-d."""
        return torch.stack(list(self.losses.values())).sum()

    def stacked(self) -> "Values":
        """All terms in one tensor."""
        named = {**self.losses, **self.observed}
        values = torch.stack([value.detach().float() for value in named.values()])
        return Values(tuple(named), len(self.losses), values)


@dataclass(frozen=True)
class Values:
    """The values of terms in one tensor, which is averaged, kept and read at once."""

    names: tuple[str, ...]
    losses: int  # the first of the names, which are losses
    values: Tensor  # float32, as long as the names

    def terms(self) -> Terms:
        """The same values by name."""
        named = list(zip(self.names, self.values.unbind(), strict=True))
        return Terms(dict(named[: self.losses]), dict(named[self.losses :]))

    def and_observed(self, name: str, value: Tensor) -> "Values":
        """With one more observed value, 0-d."""
        values = torch.cat([self.values, value.detach().float()[None]])
        return Values((*self.names, name), self.losses, values)


def mean_terms(parts: Sequence[Terms]) -> Terms:
    """The mean of terms that have the same names."""
    if len(parts) == 1:
        return parts[0]
    losses, observed = [part.losses for part in parts], [part.observed for part in parts]
    return Terms(mean_by_name(losses), mean_by_name(observed))


def mean_by_name(parts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([part[name] for part in parts]).mean() for name in parts[0]}
