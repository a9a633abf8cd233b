"""Conditions of the findings, on scale-free signals.

Logits and losses count relative to their start, gradients to their peak, updates to the weights,
and samples to the data. The comments give values of sound and of failing runs; "recorded" are
those in tests/data/health.
"""

from itertools import pairwise
from statistics import median

from gan_cli.health.history import History
from gan_cli.health.player_signals import Reading

START = 1000  # steps before which fakes may be alike; least squares needs 500 to start learning
ALIKE = 0.3  # diversity below which fakes are alike; recorded: above 0.5, collapsed 0 to 0.2
REPEATED = 0.5  # share of fakes with a near duplicate among 64; healthy runs: 0
MISSING = 0.3  # share of data far from all fakes; of equal distributions: 0 to 0.09
SURE = 0.999  # pair accuracy of a perfect critic; healthy runs have it for hundreds of steps, too
VANISHED = 0.01  # gradient relative to its peak, of the generator; healthy 0.05, failing 0.003
SATED = 100.0  # gradient of the generator relative to the critic's; healthy runs: 0.03 to 22
GUESSING = 0.55  # pair accuracy of a critic near chance
OBVIOUS = 0.95  # nearest-neighbour accuracy; healthy runs fall to 0.8 by step 1000
BIG_STEP = 0.025  # update relative to weights; recorded: 0.001 to 0.02, lr=0.05: 0.02 to 0.06
RECENT = 5  # readings whose median update is used: single updates vary by a factor of 2
BLOWN_UP = 100.0  # gap of the logits relative to these at the start; WGAN-GP's settles
EXPLODED = 1e4  # gap or losses relative to the start; float16 ends at 65,504
GROWING = 1.1  # gap relative to the median of the older readings
MARGIN = 0.1  # distance of the pair accuracy from 1/2 from which on one player is ahead
STRETCH = 10  # steps over which the pair accuracy is averaged at least
TURNS = 4  # changes of the player ahead within the remembered readings; healthy runs: 0
SURER = 0.5  # entropy of tokens relative to its peak; runs that keep their likelihood: 0.9
LEAKS = 0.8  # probability of augmentations from which on they show in samples (ADA, Section 2.2)
COPIED = 0.5  # share of copies among the fakes; healthy runs: 0


def has_collapsed(past: History) -> bool:
    """Fakes are alike after the start, or diversity has halved, or they repeat or miss modes."""
    diversity, best = past.largest("diversity"), min(past.peaks.get("diversity", 0.0), 1.0)
    fallen = best > 0.7 and diversity < best / 2
    return fallen or (past.step >= START and (are_alike(past) or misses_modes(past)))


def near_data(reading: Reading) -> bool:
    """Some fakes are taken for data by a nearest-neighbour classifier."""
    return reading.get("separability", 1.0) <= OBVIOUS


def are_alike(past: History) -> bool:
    """Fakes differ less than the data do, or repeat more often."""
    return past.largest("diversity") < ALIKE or past.now("duplicates") > REPEATED


def misses_modes(past: History) -> bool:
    """Fakes are near the data, but much of the data is far from all fakes."""
    return past.now("missed") > MISSING and past.now("stray") < MISSING


def gradient_vanished(past: History) -> bool:
    """The critic is perfect, and the generator's gradient (minimax) or its own has vanished."""
    vanished = VANISHED * past.peaks.get("generator_gradient", 0.0)
    died = past.now("generator_gradient") < vanished or past.now("gradient_ratio") > SATED
    return past.now("pair_accuracy") > SURE and died


def all_told_apart(past: History) -> bool:
    """Neither the critic nor a nearest-neighbour classifier takes any fake for a real sample."""
    return past.now("pair_accuracy") > SURE and past.now("separability") > OBVIOUS


def critic_at_chance(past: History) -> bool:
    """The critic is near chance, although a nearest-neighbour classifier is accurate.

    Also a good critic is, as long as it chases a single output or after training has diverged.
    """
    near_chance = past.now("pair_accuracy") < GUESSING and past.now("separability") > OBVIOUS
    other_cause = are_alike(past) or has_exploded(past) or updates_too_large(past)
    return near_chance and not other_cause


def has_exploded(past: History) -> bool:
    """The losses of all players, or the gap between logits, are far beyond their start."""
    return past.smallest("loss_growth") > EXPLODED or past.now("gap_growth") > EXPLODED


def diverges(past: History) -> bool:
    """Large updates bring no progress, or the gap between logits is far wider, and grows."""
    growth = [reading.get("gap_growth", 0.0) for reading in past.readings]
    grows = growth[-1] > GROWING * median(growth[: len(growth) // 2 + 1])
    return (grows and growth[-1] > BLOWN_UP) or updates_too_large(past)


def updates_too_large(past: History) -> bool:
    """Updates are large for the weights, and nothing improves.

    Large updates alone are no fault: norm layers make networks independent of the scale of their
    weights, and an Adam with lr=0.05 has learned digits at 0.03.
    """
    return median(past.recent("update_ratio", RECENT)) > BIG_STEP and not improves(past)


def improves(past: History) -> bool:
    """Fakes are taken for data or get nearer to it; without fakes, the losses have fallen."""
    if not past.has("separability"):
        return past.now("least_growth") < 1
    nearer = past.now("novelty") < 0.9 * past.first.get("novelty", 0.0)
    return past.now("separability") <= OBVIOUS or nearer


def learns_nothing(past: History) -> bool:
    """No loss of a game without samples is below its start."""
    return not past.has("separability") and past.now("least_growth") > 1


def oscillates(past: History) -> bool:
    """The lead alternates over several readings; faster oscillations average out."""
    accuracy = past.averaged("pair_accuracy", STRETCH)
    ahead = [value > 0.5 for value in accuracy if abs(value - 0.5) > MARGIN]
    return sum(a != b for a, b in pairwise(ahead)) >= TURNS


def memorises(past: History) -> bool:
    """Fakes are copies of training samples but not of each other."""
    return past.now("copies") > COPIED and past.largest("diversity") > 0.5


def entropy_has_fallen(past: History) -> bool:
    """Tokens have lost half of the entropy that they had when the game began."""
    return past.now("token_entropy") < SURER * past.peaks.get("token_entropy", 0.0)


def augmentation_leaks(past: History) -> bool:
    """So many samples are augmented that the generator may learn the augmented data."""
    return past.now("augment_p") > LEAKS
