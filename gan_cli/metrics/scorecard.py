"""Values and warnings of one evaluation."""

from dataclasses import dataclass, field


@dataclass
class Scorecard:
    """Values of one evaluation by name, and warnings about them."""

    values: dict[str, float] = field(default_factory=dict)
    lower_is_better: dict[str, bool] = field(default_factory=dict)  # of each metric's first value
    warnings: list[str] = field(default_factory=list)

    def __or__(self, other: "Scorecard") -> "Scorecard":
        return Scorecard(
            self.values | other.values,
            self.lower_is_better | other.lower_is_better,
            self.warnings + other.warnings,
        )

    def named(self, suffix: str) -> "Scorecard":
        """The same values as "<name>_<suffix>": those of another field, say."""
        values = {f"{name}_{suffix}": value for name, value in self.values.items()}
        lower = {f"{name}_{suffix}": value for name, value in self.lower_is_better.items()}
        return Scorecard(values, lower, [f"{suffix}: {warning}" for warning in self.warnings])
