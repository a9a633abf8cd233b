"""Findings: rules that hold for several readings are reported once, and again when resolved."""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gan_cli.health.conditions import near_data
from gan_cli.health.history import History, largest
from gan_cli.health.player_signals import Reading
from gan_cli.health.rules import RULES, STEPS, Rule
from gan_cli.health.verdict import Verdict, unjudged, why_too_early

REMEMBERED = 20  # readings
READINGS = 4  # for which a rule must hold besides its steps, since single readings are noisy
PEAKS = ("generator_gradient", "diversity", "token_entropy")  # noise is diverse without merit
JUDGED = "judged"  # key of `pending` for the change of `judged`


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

    def __init__(self, advice: Mapping[str, tuple[str, ...]] | None = None) -> None:
        """`advice` replaces that of rules, by their names."""
        self.advice = advice or {}
        self.readings: deque[Reading] = deque(maxlen=REMEMBERED)
        self.steps: deque[int] = deque(maxlen=REMEMBERED)
        self.first: Reading = {}
        self.peaks: Reading = {}
        self.start: Reading = {}  # of losses and logits, before the first update
        self.judged = False  # have the samples come near the data, or had the time to?
        # By rule: number and first step of the readings that contradict its last report.
        self.pending: dict[str, tuple[int, int]] = {}
        self.findings: list[Finding] = []

    def update(self, step: int, reading: Reading) -> list[Finding]:
        """Records a reading; returns the findings that it makes active or resolves."""
        self.readings.append(reading)
        self.steps.append(step)
        self.first = self.first or reading
        for name in PEAKS:
            if name != "diversity" or near_data(reading):
                self.peaks[name] = max(self.peaks.get(name, 0.0), largest(reading, name))
        history = self.history()
        if self.lasts(JUDGED, self.judged, why_too_early(history) is None, step, STEPS):
            self.judged = not self.judged
        return [changed for rule in RULES if (changed := self.apply(rule, history)) is not None]

    def history(self) -> History:
        return History(tuple(self.steps), tuple(self.readings), self.first, self.peaks)

    def apply(self, rule: Rule, history: History) -> Finding | None:
        """Returns the finding of the rule if it has just become active or been resolved."""
        holds = rule.lacks(history) is None and rule.holds(history)
        finding, step = self.active(rule.name), history.step
        numbers = quoted_signals(rule, history)
        if holds and finding is not None:
            finding.last, finding.numbers = step, numbers
        if not self.lasts(rule.name, finding is not None, holds, step, rule.steps):
            return None
        if finding is None:
            advice = list(self.advice.get(rule.name, rule.advice))
            finding = Finding(rule.name, step, step, True, rule.text, numbers, advice)
            self.findings.append(finding)
        else:
            finding.active = False
        return finding

    def lasts(self, name: str, before: bool, now: bool, step: int, steps: int) -> bool:
        """Returns whether a change from `before` to `now` has lasted READINGS and `steps`."""
        if now == before:
            self.pending.pop(name, None)
            return False
        count, since = self.pending.get(name, (0, step))
        self.pending[name] = (count + 1, since)
        if count + 1 < READINGS or step - since < steps:
            return False
        del self.pending[name]
        return True

    def active(self, name: str) -> Finding | None:
        """Returns the active finding of a rule, if any."""
        return next((f for f in self.findings if f.active and f.name == name), None)

    def verdict(self) -> Verdict:
        """Returns the verdict after the newest reading."""
        active = [finding.title for finding in self.findings if finding.active]
        if active:
            return Verdict("finding", ", ".join(active))
        if not self.readings:
            return Verdict("too_early", "there is no reading yet; every.log says how often")
        history = self.history()
        if not self.judged:
            return Verdict("too_early", why_too_early(history) or self.readings_missing())
        signs = {rule.name: rule for rule in RULES if self.pending.get(rule.name, (0, 0))[0] > 1}
        if signs:
            return Verdict("too_early", self.early_signs(signs))
        return Verdict("fine", self.no_findings(history))

    def readings_missing(self) -> str:
        """Returns how many readings a verdict still needs, and at which step it has them."""
        count, since = self.pending.get(JUDGED, (0, self.steps[-1]))
        step = self.steps[-1]
        gap = step - self.steps[-2] if len(self.steps) > 1 else step
        due = max(since + STEPS, step + (READINGS - count) * gap)
        return (
            f"{count} readings since step {since:,}; a verdict needs {READINGS} over {STEPS} "
            f"steps: step {due:,}"
        )

    def early_signs(self, signs: dict[str, Rule]) -> str:
        """Returns what may become a finding, and at which step."""
        parts = []
        for name, rule in signs.items():
            since = self.pending[name][1]
            parts.append(f"{name.replace('_', ' ')} from step {since:,} on")
            parts[-1] += f", a finding if it lasts {rule.steps:,} steps" if rule.steps else ""
        return "signs of " + "; ".join(parts)

    def no_findings(self, history: History) -> str:
        passed = len(self.findings)
        text = f"no findings up to step {history.step:,}"
        text = f"no active findings at step {history.step:,}, {passed} passed" if passed else text
        never = unjudged(RULES, history)
        return f"{text}; not judged: {never}" if never else text

    def state_dict(self) -> dict[str, Any]:
        return {
            "readings": list(self.readings),
            "steps": list(self.steps),
            "first": self.first,
            "peaks": self.peaks,
            "start": self.start,
            "judged": self.judged,
            "against": {name: list(since) for name, since in self.pending.items()},
            "findings": [asdict(finding) for finding in self.findings],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        # Checkpoints of version 1 have neither steps nor start.
        steps = [int(step) for step in state.get("steps", [])]
        readings = [reading_of(reading) for reading in state["readings"]]
        self.steps = deque(steps, maxlen=REMEMBERED)
        self.readings = deque(readings[-len(steps) :] if steps else [], maxlen=REMEMBERED)
        if len(self.readings) != len(self.steps):
            raise ValueError("health.readings: each needs a step")
        self.first, self.peaks = reading_of(state["first"]), reading_of(state["peaks"])
        self.start, self.judged = reading_of(state.get("start", {})), bool(state.get("judged"))
        pending = state["against"].items()
        self.pending = {str(name): (int(count), int(since)) for name, (count, since) in pending}
        self.findings = [finding_of(finding) for finding in state["findings"]]


def reading_of(stored: dict[str, Any]) -> Reading:
    """Returns stored numbers by name; raises TypeError or ValueError for anything else."""
    return {str(name): float(value) for name, value in stored.items()}


def finding_of(stored: dict[str, Any]) -> Finding:
    """Returns a stored finding; raises LookupError, TypeError or ValueError for anything else."""
    return Finding(
        name=str(stored["name"]),
        step=int(stored["step"]),
        last=int(stored["last"]),
        active=bool(stored["active"]),
        text=str(stored["text"]),
        numbers=reading_of(stored["numbers"]),
        advice=[str(line) for line in stored["advice"]],
    )


def quoted_signals(rule: Rule, history: History) -> dict[str, float]:
    """Returns the signals of the newest reading that the message of a rule quotes."""
    reading = history.readings[-1]
    return {k: reading[k] for prefix in rule.quotes for k in reading if k.startswith(prefix)}
