"""Values and warnings of one evaluation."""

from dataclasses import dataclass, field


@dataclass
class Scorecard:
    """Values of one evaluation by name, and warnings about them."""

    values: dict[str, float] = field(default_factory=dict)
    headlines: dict[str, bool] = field(default_factory=dict)  # first values -> lower is better
    warnings: list[str] = field(default_factory=list)

    def __or__(self, other: "Scorecard") -> "Scorecard":
        return Scorecard(
            self.values | other.values,
            self.headlines | other.headlines,
            self.warnings + other.warnings,
        )
