"""The last and best values of the metrics of a run, with their steps."""

from typing import Any

from gan_cli.metrics.scorecard import Scorecard

Value = tuple[float, int]  # (value, step)


class Scores:
    """Records metric values: the last of each, and the best of the first value of each metric.

    The first metric of the config is the primary one, which selects the best checkpoint.
    """

    def __init__(self) -> None:
        self.last: dict[str, Value] = {}
        self.best: dict[str, Value] = {}
        self.lower_is_better: dict[str, bool] = {}
        self.scale: dict[str, Any] | None = None  # see gan_cli.evaluation.scale; None: not yet

    @property
    def primary_metric(self) -> str | None:
        """The name of the primary metric; None before the first evaluation."""
        return next(iter(self.lower_is_better), None)

    @property
    def objective(self) -> float | None:
        """The best value of the primary metric, which a sweep optimizes."""
        return None if self.primary_metric is None else self.best[self.primary_metric][0]

    def record(self, step: int, card: Scorecard) -> bool:
        """Records an evaluation; returns whether the primary metric has improved.

        Values of metrics that are no longer computed are dropped.
        """
        directions = self.lower_is_better = dict(card.lower_is_better)
        self.last = {name: (value, step) for name, value in card.values.items()}
        self.best = {name: value for name, value in self.best.items() if name in directions}
        improved = {name: self.improves(name, card.values[name]) for name in directions}
        self.best |= {name: self.last[name] for name, new in improved.items() if new}
        return next(iter(improved.values()), False)

    def improves(self, name: str, value: float) -> bool:
        """Returns whether `value` is better than the best one so far."""
        if name not in self.best:
            return True
        best = self.best[name][0]
        return value < best if self.lower_is_better[name] else value > best

    def summary(self) -> str:
        """Returns a line for each metric value, for the final message of a run."""
        lines = [
            f"{name}: best {self.best[name][0]:.4g} at step {self.best[name][1]}, "
            f"last {value:.4g} at step {step}{self.bounds(name)}"
            if name in self.best
            else f"{name}: last {value:.4g}"
            for name, (value, step) in self.last.items()
        ]
        return "\n".join(lines) or "no metric was evaluated (every.evaluate, metrics)"

    def bounds(self, name: str) -> str:
        """Returns the floor and the ceiling of a distance in words, "" if they are not known."""
        ends = ((end, (self.scale or {}).get(end, {}).get(name)) for end in ("floor", "ceiling"))
        words = ", ".join(f"{end} {value:.4g}" for end, value in ends if value is not None)
        return f" ({words})" if words else ""

    def outcome(self) -> dict[str, Any]:
        """Returns the entries of run.json."""
        name = self.primary_metric
        if name is None:
            return {"last": {}, "best": {}}
        value, step = self.best[name]
        lower = self.lower_is_better[name]
        objective = {"name": name, "lower_is_better": lower, "value": value, "step": step}
        scale = {"scale": self.scale} if self.scale else {}
        return {"last": self.last, "best": self.best, "objective": objective, **scale}

    def state_dict(self) -> dict[str, Any]:
        lower = dict(self.lower_is_better)
        return {"last": dict(self.last), "best": dict(self.best), "lower": lower}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.last, self.best = values_of(state["last"]), values_of(state["best"])
        self.lower_is_better = {
            str(name): bool(lower)
            for name, lower in state.get("lower", dict.fromkeys(self.best, True)).items()
        }
        for name in list(self.lower_is_better)[:1]:
            if name not in self.best:
                raise ValueError(f"scores.best: '{name}' is missing")


def values_of(stored: dict[str, Any]) -> dict[str, Value]:
    """Returns stored pairs (value, step) by name; raises ValueError or TypeError for others."""
    return {str(name): (float(value), int(step)) for name, (value, step) in stored.items()}
