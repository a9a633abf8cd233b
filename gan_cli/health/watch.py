"""From readings to findings: what holds on is told once, and told again when it has passed."""

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from gan_cli.health.player_signals import Reading
from gan_cli.health.rules import RULES, Past, Rule, largest

REMEMBERED = 20  # readings
READINGS, STEPS = 4, 200  # how long a sign must last: one noisy reading is no finding


@dataclass
class Finding:
    name: str
    step: int  # at which it had lasted long enough to be told
    last: int  # step at which it was last seen
    active: bool
    text: str
    numbers: dict[str, float]  # at `last`
    advice: list[str]

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")

    def told(self) -> str:
        """For a reader of the log."""
        if not self.active:
            return f"{self.title}: has passed; last seen at step {self.last}"
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in self.numbers.items())
        advice = "\n    or ".join(self.advice)
        return f"! step {self.step}, {self.title}: {self.text} ({numbers})\n   try {advice}"


class Watch:
    """All that health remembers: plain data, so that a resumed run goes on from it."""

    def __init__(self) -> None:
        self.readings: deque[Reading] = deque(maxlen=REMEMBERED)
        self.first: Reading = {}
        self.peaks: Reading = {}
        # Of each rule: readings and first step since it has been the opposite of what was told.
        self.against: dict[str, tuple[int, int]] = {}
        self.findings: list[Finding] = []

    def take(self, step: int, reading: Reading) -> list[Finding]:
        """The findings that this reading makes appear or pass."""
        self.readings.append(reading)
        self.first = self.first or reading
        for name in ("generator_gradient", "diversity"):
            self.peaks[name] = max(self.peaks.get(name, 0.0), largest(reading, name))
        past = Past(step, tuple(self.readings), self.first, self.peaks)
        return [found for rule in RULES if (found := self.judge(rule, past)) is not None]

    def judge(self, rule: Rule, past: Past) -> Finding | None:
        holds, finding = rule.holds(past), self.active(rule.name)
        if holds and finding is not None:
            finding.last, finding.numbers = past.step, quoted(rule, past)
        if holds == (finding is not None):
            self.against.pop(rule.name, None)
            return None
        count, since = self.against.get(rule.name, (0, past.step))
        self.against[rule.name] = (count + 1, since)
        if count + 1 < READINGS or past.step - since < STEPS:
            return None
        del self.against[rule.name]
        if finding is None:
            finding = Finding(
                rule.name,
                past.step,
                past.step,
                True,
                rule.text,
                quoted(rule, past),
                list(rule.advice),
            )
            self.findings.append(finding)
        else:
            finding.active = False
        return finding

    def active(self, name: str) -> Finding | None:
        return next((f for f in self.findings if f.active and f.name == name), None)

    def state_dict(self) -> dict[str, Any]:
        return {
            "readings": list(self.readings),
            "first": self.first,
            "peaks": self.peaks,
            "against": {name: list(since) for name, since in self.against.items()},
            "findings": [asdict(finding) for finding in self.findings],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.readings = deque(state["readings"], maxlen=REMEMBERED)
        self.first, self.peaks = state["first"], state["peaks"]
        self.against = {name: tuple(since) for name, since in state["against"].items()}
        self.findings = [Finding(**finding) for finding in state["findings"]]


def quoted(rule: Rule, past: Past) -> dict[str, float]:
    reading = past.readings[-1]
    return {k: reading[k] for prefix in rule.quotes for k in reading if k.startswith(prefix)}
