"""Rules of the findings: a condition on readings, a text and advice each.

The thresholds separate failing from healthy runs of DCGAN on MNIST with the nonsaturating,
least-squares, hinge, WGAN-GP and R3GAN losses. The comments give the values of those runs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from gan_cli.health.player_signals import Reading

START = 1000  # steps before which fakes may be alike; least squares needs 500 to start learning
ALIKE = 0.3  # diversity below which fakes are alike; healthy runs exceed 0.8
REPEATED = 0.5  # share of fakes with a near duplicate among 64; healthy runs: 0
SURE = 0.999  # pair accuracy of a perfect critic; healthy runs have it for hundreds of steps, too
VANISHED = 0.01  # gradient relative to its peak, of the generator; healthy 0.05, failing 0.003
SATED = 100.0  # gradient of the generator relative to the critic's; healthy runs: 0.03 to 20
GUESSING = 0.55  # pair accuracy of a critic near chance
OBVIOUS = 0.95  # nearest-neighbour accuracy; healthy runs fall to 0.8 by step 1000
BIG_STEP = 0.025  # update relative to weights; healthy 0.002, hinge 0.01, 100 times the lr 0.05
RECENT = 5  # readings whose median update is used: single updates vary by a factor of 2
BLOWN_UP = 100.0  # logits relative to those at the start; those of WGAN-GP are large but settle
GROWING = 1.1  # logits relative to the median of the older readings
MARGIN = 0.05  # distance of the pair accuracy from 1/2 from which on one player is ahead
TURNS = 4  # changes of the player ahead within the remembered readings; healthy runs: 0
COPIED = 0.5  # novelty of copies; healthy runs: 1.2, blurred samples 0.7


@dataclass(frozen=True)
class History:
    """Input of a rule: the last readings, oldest first, the first one, and peaks of signals."""

    step: int
    readings: Sequence[Reading]
    first: Reading
    peaks: Reading

    def now(self, name: str) -> float:
        """Returns a signal of the newest reading; NaN, which fails all comparisons, if missing."""
        return self.readings[-1].get(name, float("nan"))

    def largest(self, prefix: str) -> float:
        """Returns the largest signal with this prefix in the newest reading."""
        return largest(self.readings[-1], prefix)


def largest(reading: Mapping[str, float], prefix: str) -> float:
    """Returns the largest signal with this prefix, over spaces or players; NaN if missing."""
    return max((v for k, v in reading.items() if k.startswith(prefix)), default=float("nan"))


@dataclass(frozen=True)
class Rule:
    """A condition on the history of signals, with text and advice for the user."""

    name: str
    holds: Callable[[History], bool]
    quotes: tuple[str, ...]  # prefixes of the signals that the message quotes
    text: str
    advice: tuple[str, ...]


def has_collapsed(past: History) -> bool:
    """Diversity is low after the start, or has halved, or samples are near duplicates."""
    diversity, best = past.largest("diversity"), min(past.peaks.get("diversity", 0.0), 1.0)
    alike = past.step >= START and diversity < ALIKE
    fallen = best > 0.7 and diversity < best / 2
    repeating = past.step >= START and past.now("duplicates") > REPEATED
    return alike or fallen or repeating


def gradient_vanished(past: History) -> bool:
    """The critic is perfect, and the generator's gradient (minimax) or its own has vanished."""
    vanished = VANISHED * past.peaks.get("generator_gradient", 0.0)
    died = past.now("generator_gradient") < vanished or past.now("gradient_ratio") > SATED
    return past.now("pair_accuracy") > SURE and died


def critic_at_chance(past: History) -> bool:
    """The critic is near chance, although a nearest-neighbour classifier is accurate."""
    return past.now("pair_accuracy") < GUESSING and past.now("separability") > OBVIOUS


def diverges(past: History) -> bool:
    """Updates are too large, or logits are 100 times those at the start and still grow."""
    scale = [reading.get("logit_scale", 0.0) for reading in past.readings]
    start = max(past.first.get("logit_scale", 0.0), 1.0)  # initial logits are near zero
    grows = scale[-1] > GROWING * median(scale[: len(scale) // 2 + 1])
    steps = [largest(reading, "update_ratio") for reading in past.readings[-RECENT:]]
    return median(steps) > BIG_STEP or (grows and scale[-1] > BLOWN_UP * start)


def oscillates(past: History) -> bool:
    """The lead alternates over several readings; faster oscillations average out."""
    accuracy = [reading.get("pair_accuracy", 0.5) for reading in past.readings]
    ahead = [value > 0.5 for value in accuracy if abs(value - 0.5) > MARGIN]
    return sum(a != b for a, b in pairwise(ahead)) >= TURNS


def memorises(past: History) -> bool:
    """Fakes are close to training samples but not to each other."""
    return past.now("novelty") < COPIED and past.largest("diversity") > 0.5


RULES = (
    Rule(
        "generator_collapsed",
        has_collapsed,
        ("diversity", "duplicates"),
        "the generator makes few different outputs",
        (
            "loss=r3gan or loss=wgan_gp, which keep more modes",
            "a lower optimizer.players.generator.lr, or loss.critic_steps=2",
            "an earlier checkpoint: lost diversity seldom returns",
        ),
    ),
    Rule(
        "discriminator_won",
        gradient_vanished,
        ("pair_accuracy", "logit_gap", "generator_gradient", "critic_gradient"),
        "the discriminator is always right, and the gradient of one player has vanished",
        (
            "loss=nonsaturating instead of minimax, or a loss that does not saturate: "
            "loss=hinge, loss=wgan_gp",
            "loss.penalties.r1.weight=5, which keeps the discriminator smooth",
            "a lower optimizer.players.discriminator.lr, or a narrower discriminator",
        ),
    ),
    Rule(
        "discriminator_too_weak",
        critic_at_chance,
        ("pair_accuracy", "separability", "logit_gap"),
        "the discriminator is near chance, although nearest neighbours separate real from fake",
        (
            "a wider discriminator, a higher optimizer.players.discriminator.lr, or more "
            "loss.critic_steps",
            "weaker penalties, if the loss has any",
        ),
    ),
    Rule(
        "diverging",
        diverges,
        ("update_ratio", "logit_scale"),
        "training diverges: updates are too large for the weights, or the logits keep growing",
        (
            "a lower optimizer.lr, by a factor of 10",
            "clip_norm=1; with loss=wgan or another unbounded loss a penalty, such as loss=wgan_gp",
        ),
    ),
    Rule(
        "oscillating",
        oscillates,
        ("pair_accuracy", "logit_gap"),
        "the lead alternates between the players, and neither improves",
        (
            "a lower optimizer.lr, or optimizer.betas=[0.0,0.9], since momentum drives the cycle",
            "loss.penalties.r1.weight=5, under which the game converges (arXiv:1801.04406)",
        ),
    ),
    Rule(
        "memorising",
        memorises,
        ("novelty", "diversity"),
        "the generator copies training samples: its outputs are closer to them than training "
        "samples are to each other",
        (
            "more training data, or dataset.hflip=true if mirror images are plausible",
            "an earlier checkpoint, smaller networks, or fewer steps",
        ),
    ),
)
