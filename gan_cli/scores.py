"""The metrics' values so far: last and best, with their steps."""

from collections.abc import Mapping
from typing import Any

from gan_cli.metrics import Metric

Value = tuple[float, int]  # (value, step)


class Scores:
    """The first metric of the config is the one that decides what is best."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self.metrics = metrics
        self.last: dict[str, Value] = {}
        self.best: dict[str, Value] = {}

    @property
    def objective(self) -> float | None:
        """The best value of the deciding metric: what a sweep minimizes."""
        return next((self.best[name][0] for name in self.metrics if name in self.best), None)

    def record(self, step: int, values: Mapping[str, float]) -> bool:
        """Take note of `values`; True if the deciding metric has never been better."""
        improved = []
        for name, value in values.items():
            self.last[name] = (value, step)
            sign = 1 if self.metrics[name].lower_is_better else -1
            improved.append(name not in self.best or sign * value < sign * self.best[name][0])
            if improved[-1]:
                self.best[name] = (value, step)
        return bool(improved) and improved[0]

    def summary(self) -> str:
        lines = [
            f"{name}: best {self.best[name][0]:.4g} at step {self.best[name][1]}, "
            f"last {value:.4g} at step {step}"
            for name, (value, step) in self.last.items()
        ]
        return "\n".join(lines) or "no metric was evaluated (every.evaluate, metrics)"

    def state_dict(self) -> dict[str, Any]:
        return {"last": dict(self.last), "best": dict(self.best)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Metrics that are no longer computed are forgotten."""
        self.last = {k: tuple(v) for k, v in state["last"].items() if k in self.metrics}
        self.best = {k: tuple(v) for k, v in state["best"].items() if k in self.metrics}
