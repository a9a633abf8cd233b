"""The values of one evaluation."""

from dataclasses import dataclass, field


@dataclass
class Scorecard:
    """The values of one evaluation, under the names by which they are shown."""

    values: dict[str, float] = field(default_factory=dict)
    headlines: dict[str, bool] = field(default_factory=dict)  # a metric's first: lower is better?
    warnings: list[str] = field(default_factory=list)

    def __or__(self, other: "Scorecard") -> "Scorecard":
        return Scorecard(
            self.values | other.values,
            self.headlines | other.headlines,
            self.warnings + other.warnings,
        )
