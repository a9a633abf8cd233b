"""Findings: rules that hold for several readings are reported once, and again when resolved."""

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from gan_cli.health.player_signals import Reading
from gan_cli.health.rules import RULES, History, Rule, largest

REMEMBERED = 20  # readings
READINGS, STEPS = 4, 200  # how long a rule must hold, since single readings are noisy


@dataclass
class Finding:
    """A problem of a run, active or resolved."""

    name: str  # of the rule
    step: int  # at which it was reported
    last: int  # step of the last reading for which the rule held
    active: bool
    text: str
    numbers: dict[str, float]  # signals at step `last`
    advice: list[str]

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")

    def message(self) -> str:
        """Returns the lines for the log."""
        if not self.active:
            return f"{self.title}: has passed; last seen at step {self.last}"
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in self.numbers.items())
        advice = "\n    or ".join(self.advice)
        return f"! step {self.step}, {self.title}: {self.text} ({numbers})\n   try {advice}"


class FindingTracker:
    """Applies the rules to each reading; its state is plain data and part of checkpoints."""

    def __init__(self) -> None:
        self.readings: deque[Reading] = deque(maxlen=REMEMBERED)
        self.first: Reading = {}
        self.peaks: Reading = {}
        # By rule: number and first step of the readings that contradict its last report.
        self.pending: dict[str, tuple[int, int]] = {}
        self.findings: list[Finding] = []

    def update(self, step: int, reading: Reading) -> list[Finding]:
        """Records a reading; returns the findings that it makes active or resolves."""
        self.readings.append(reading)
        self.first = self.first or reading
        for name in ("generator_gradient", "diversity"):
            self.peaks[name] = max(self.peaks.get(name, 0.0), largest(reading, name))
        history = History(step, tuple(self.readings), self.first, self.peaks)
        return [changed for rule in RULES if (changed := self.apply(rule, history)) is not None]

    def apply(self, rule: Rule, history: History) -> Finding | None:
        """Returns the finding of the rule if it has just become active or been resolved."""
        holds, finding, step = rule.holds(history), self.active(rule.name), history.step
        numbers = quoted_signals(rule, history)
        if holds and finding is not None:
            finding.last, finding.numbers = step, numbers
        if holds == (finding is not None):
            self.pending.pop(rule.name, None)
            return None
        count, since = self.pending.get(rule.name, (0, step))
        self.pending[rule.name] = (count + 1, since)
        if count + 1 < READINGS or step - since < STEPS:
            return None
        del self.pending[rule.name]
        if finding is None:
            finding = Finding(rule.name, step, step, True, rule.text, numbers, list(rule.advice))
            self.findings.append(finding)
        else:
            finding.active = False
        return finding

    def active(self, name: str) -> Finding | None:
        """Returns the active finding of a rule, if any."""
        return next((f for f in self.findings if f.active and f.name == name), None)

    def state_dict(self) -> dict[str, Any]:
        return {
            "readings": list(self.readings),
            "first": self.first,
            "peaks": self.peaks,
            "against": {name: list(since) for name, since in self.pending.items()},
            "findings": [asdict(finding) for finding in self.findings],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.readings = deque(state["readings"], maxlen=REMEMBERED)
        self.first, self.peaks = state["first"], state["peaks"]
        self.pending = {name: tuple(since) for name, since in state["against"].items()}
        self.findings = [Finding(**finding) for finding in state["findings"]]


def quoted_signals(rule: Rule, history: History) -> dict[str, float]:
    """Returns the signals of the newest reading that the message of a rule quotes."""
    reading = history.readings[-1]
    return {k: reading[k] for prefix in rule.quotes for k in reading if k.startswith(prefix)}
