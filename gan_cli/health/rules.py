"""Findings: what each looks like in the readings, in words, and what to try.

The thresholds lie between runs that fail and runs that do not, DCGANs on MNIST under the
nonsaturating, least-squares, hinge, WGAN-GP and R3GAN losses; the numbers stand beside them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from gan_cli.health.player_signals import Reading

START = 1000  # steps in which fakes may look all alike: least squares needed 500 to begin
ALIKE = 0.3  # of the real samples' mean distance; sound runs rise above 0.8
REPEATED = 0.5  # of the fakes with a twin among 64; sound runs: 0
SURE = 0.999  # of the pairs told apart; so do sound runs for hundreds of steps, hence the next
VANISHED = 0.01  # of the generator's largest gradient: sound runs fall to 0.05, a lost one to 0.003
SATED = 100.0  # times the critic's gradient, that of the generator; sound runs: 0.03 to 20
GUESSING = 0.55  # of the pairs
OBVIOUS = 0.95  # accuracy of the nearest neighbour; sound runs fall to 0.8 by step 1000
BIG_STEP = 0.025  # of the weights, in one update: 0.002 in sound runs, hinge 0.01, lr x 100: 0.05
RECENT = 5  # readings whose median is the usual step: a single update varies twofold
BLOWN_UP = 100.0  # times the logits at the start; WGAN-GP's are as large as they like, but settle
GROWING = 1.1  # times the median of the older readings
MARGIN = 0.05  # by which the critic's accuracy must pass one half to count as ahead, or behind
TURNS = 4  # changes of who is ahead, among the readings that are remembered; sound runs: 0
COPIED = 0.5  # of the distance between neighbours in the data; sound runs: 1.2, a mere blur 0.7


@dataclass(frozen=True)
class Past:
    """What a rule sees: the last readings, oldest first, and some numbers of all of them."""

    step: int
    readings: Sequence[Reading]
    first: Reading
    peaks: Reading

    def now(self, name: str) -> float:
        """NaN if the newest reading does not have it: every comparison then is false."""
        return self.readings[-1].get(name, float("nan"))

    def largest(self, prefix: str) -> float:
        return largest(self.readings[-1], prefix)


def largest(reading: Mapping[str, float], prefix: str) -> float:
    """Over the spaces or the players that have this signal."""
    return max((v for k, v in reading.items() if k.startswith(prefix)), default=float("nan"))


@dataclass(frozen=True)
class Rule:
    name: str
    holds: Callable[[Past], bool]
    quotes: tuple[str, ...]  # prefixes of the signals behind it
    text: str
    advice: tuple[str, ...]


def few_outputs(past: Past) -> bool:
    """Alike after the start, or again after having differed; or the same few over and over."""
    diversity, best = past.largest("diversity"), min(past.peaks.get("diversity", 0.0), 1.0)
    alike = past.step >= START and diversity < ALIKE
    fallen = best > 0.7 and diversity < best / 2
    repeating = past.step >= START and past.now("duplicates") > REPEATED
    return alike or fallen or repeating


def nothing_to_learn(past: Past) -> bool:
    """The generator's gradient has died (minimax), or that of a critic who knows it all."""
    vanished = VANISHED * past.peaks.get("generator_gradient", 0.0)
    died = past.now("generator_gradient") < vanished or past.now("gradient_ratio") > SATED
    return past.now("pair_accuracy") > SURE and died


def guesses(past: Past) -> bool:
    """Where the nearest neighbour among 128 random samples tells real from fake."""
    return past.now("pair_accuracy") < GUESSING and past.now("separability") > OBVIOUS


def runs_away(past: Past) -> bool:
    """Too large a step, or logits a hundred times those of the start that still grow."""
    scale = [reading.get("logit_scale", 0.0) for reading in past.readings]
    start = max(past.first.get("logit_scale", 0.0), 1.0)  # a critic begins near zero
    grows = scale[-1] > GROWING * median(scale[: len(scale) // 2 + 1])
    steps = [largest(reading, "update_ratio") for reading in past.readings[-RECENT:]]
    return median(steps) > BIG_STEP or (grows and scale[-1] > BLOWN_UP * start)


def swings(past: Past) -> bool:
    """Back and forth over several readings; what is faster than a reading averages out."""
    accuracy = [reading.get("pair_accuracy", 0.5) for reading in past.readings]
    ahead = [value > 0.5 for value in accuracy if abs(value - 0.5) > MARGIN]
    return sum(a != b for a, b in pairwise(ahead)) >= TURNS


def copies(past: Past) -> bool:
    return past.now("novelty") < COPIED and past.largest("diversity") > 0.5


RULES = (
    Rule(
        "generator_collapsed",
        few_outputs,
        ("diversity", "duplicates"),
        "the generator makes few different outputs",
        (
            "loss=r3gan or loss=wgan_gp, which hold on to more modes",
            "a lower optimizer.players.generator.lr, or loss.critic_steps=2",
            "an earlier checkpoint: outputs that have become one seldom part again",
        ),
    ),
    Rule(
        "discriminator_won",
        nothing_to_learn,
        ("pair_accuracy", "logit_gap", "generator_gradient", "critic_gradient"),
        "the discriminator is never wrong any more, and a gradient has vanished: the generator's, "
        "or its own",
        (
            "loss=nonsaturating instead of minimax, or a loss that does not saturate: "
            "loss=hinge, loss=wgan_gp",
            "loss.penalties.r1.weight=5, which keeps the discriminator smooth",
            "a lower optimizer.players.discriminator.lr, or a narrower discriminator",
        ),
    ),
    Rule(
        "discriminator_too_weak",
        guesses,
        ("pair_accuracy", "separability", "logit_gap"),
        "the discriminator guesses, where the nearest neighbour tells real from fake",
        (
            "a wider discriminator, a higher optimizer.players.discriminator.lr, or more "
            "loss.critic_steps",
            "weaker penalties, if the loss has any",
        ),
    ),
    Rule(
        "diverging",
        runs_away,
        ("update_ratio", "logit_scale"),
        "the networks run away: an update moves the weights too far, or the logits grow on",
        (
            "a lower optimizer.lr, by a factor of 10",
            "clip_norm=1; with loss=wgan or another unbounded loss a penalty, such as loss=wgan_gp",
        ),
    ),
    Rule(
        "oscillating",
        swings,
        ("pair_accuracy", "logit_gap"),
        "the players take turns at being ahead instead of improving",
        (
            "a lower optimizer.lr, or optimizer.betas=[0.0,0.9]: momentum feeds the cycle",
            "loss.penalties.r1.weight=5, under which the game converges (arXiv:1801.04406)",
        ),
    ),
    Rule(
        "memorising",
        copies,
        ("novelty", "diversity"),
        "the generator copies training samples: its outputs are nearer to them than they are "
        "to each other",
        (
            "more training data, or dataset.hflip=true where a mirror image is as good",
            "an earlier checkpoint, smaller networks, or fewer steps",
        ),
    ),
)
