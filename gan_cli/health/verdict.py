"""The verdict on a run: fine, a finding, or too early to judge."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gan_cli.health.conditions import OBVIOUS, START, are_alike
from gan_cli.health.history import History
from gan_cli.health.rules import Rule

NEAR_DATA = 0.85  # nearest-neighbour accuracy of samples that can be judged before START
MISTAKEN = 0.99  # pair accuracy of a critic that takes some samples for real
TITLES = {
    "fine": "fine",
    "finding": "findings",
    "too_early": "too early to judge",
    "off": "not monitored",
}


@dataclass(frozen=True)
class Verdict:
    """What health says of a run at its newest reading."""

    state: Literal["fine", "finding", "too_early", "off"]
    text: str

    @property
    def title(self) -> str:
        return TITLES[self.state]

    def label(self) -> str:
        """Returns the words for the progress bar."""
        return f"! {self.text}" if self.state == "finding" else f"health: {self.title}"

    def message(self) -> str:
        """Returns a line for the end of a run."""
        return f"health: {self.title}: {self.text}"


def why_too_early(past: History) -> str | None:
    """Returns why the newest samples show neither success nor failure, None if they do."""
    if not past.has("separability"):
        return None
    apart = past.now("separability")
    neighbours = f"nearest neighbours tell {apart:.0%} of real and generated samples apart"
    if past.step >= START:
        unseen = apart > OBVIOUS and not past.now("pair_accuracy") <= MISTAKEN
        return f"{neighbours}, and the critic makes no mistakes either" if unseen else None
    until = f"judged from step {START:,} on, since sound runs may start like this"
    if are_alike(past):
        alike = f"diversity {past.largest('diversity'):.2g} of the data's"
        alike += f", {past.now('duplicates'):.0%} near duplicates"
        return f"the samples are still alike ({alike}); {until}"
    return f"{neighbours}; {until}" if apart > NEAR_DATA else None


def unjudged(rules: Iterable[Rule], history: History) -> str:
    """Returns which findings are never made in this run, and why; empty if all can be."""
    reasons: dict[str, list[str]] = {}
    for rule in rules:
        reason = rule.lacks(history)
        if reason is not None:
            reasons.setdefault(reason, []).append(rule.name.replace("_", " "))
    return "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items())
