"""The metrics' values so far: last and best, with their steps."""

from typing import Any

from gan_cli.metrics.scorecard import Scorecard

Value = tuple[float, int]  # (value, step)


class Scores:
    """Every value has a last one; the first value of a metric also has a best one.

    The first metric of the config decides which checkpoint is the best.
    """

    def __init__(self) -> None:
        self.last: dict[str, Value] = {}
        self.best: dict[str, Value] = {}
        self.lower: dict[str, bool] = {}  # is lower better?

    @property
    def deciding(self) -> str | None:
        return next(iter(self.lower), None)

    @property
    def objective(self) -> float | None:
        """The best value of the deciding metric: what a sweep goes by."""
        return None if self.deciding is None else self.best[self.deciding][0]

    def record(self, step: int, card: Scorecard) -> bool:
        """Take note of an evaluation; True if the deciding metric has never been better.

        Metrics that are no longer computed are forgotten.
        """
        self.lower = dict(card.headlines)
        self.last = {name: (value, step) for name, value in card.values.items()}
        self.best = {name: value for name, value in self.best.items() if name in self.lower}
        improved = {name: self.better(name, card.values[name]) for name in self.lower}
        self.best |= {name: self.last[name] for name, new in improved.items() if new}
        return next(iter(improved.values()), False)

    def better(self, name: str, value: float) -> bool:
        if name not in self.best:
            return True
        best = self.best[name][0]
        return value < best if self.lower[name] else value > best

    def summary(self) -> str:
        lines = [
            f"{name}: best {self.best[name][0]:.4g} at step {self.best[name][1]}, "
            f"last {value:.4g} at step {step}"
            if name in self.best
            else f"{name}: last {value:.4g}"
            for name, (value, step) in self.last.items()
        ]
        return "\n".join(lines) or "no metric was evaluated (every.evaluate, metrics)"

    def outcome(self) -> dict[str, Any]:
        """For run.json."""
        name = self.deciding
        if name is None:
            return {"last": {}, "best": {}}
        value, step = self.best[name]
        lower = self.lower[name]
        objective = {"name": name, "lower_is_better": lower, "value": value, "step": step}
        return {"last": self.last, "best": self.best, "objective": objective}

    def state_dict(self) -> dict[str, Any]:
        return {"last": dict(self.last), "best": dict(self.best), "lower": dict(self.lower)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.last = {name: tuple(value) for name, value in state["last"].items()}
        self.best = {name: tuple(value) for name, value in state["best"].items()}
        self.lower = dict(state.get("lower", dict.fromkeys(self.best, True)))
