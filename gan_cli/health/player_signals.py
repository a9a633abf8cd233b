"""Signals of the balance between players, computed from the logged means of loss terms."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean

Reading = dict[str, float]
LOGITS = re.compile(r"(\w+/(?:\w+_)?)(real|fake)_logits")  # of a player, and its critic if named


def player_signals(values: Mapping[str, float]) -> Reading:
    """Returns signals from values by "<player>/<name>"; players with real_logits are critics.

    The values of several critics, also of one player ("<player>/<critic>_real_logits"), are
    averaged; the gradients of several players are concatenated.
    """
    heads = critics_in(values)
    critics = {head.split("/")[0] for head in heads}
    others = {key.split("/")[0] for key in values} - critics
    if not critics or not others:
        return {}
    real, fake = (fmean(values[f"{h}{side}_logits"] for h in heads) for side in ("real", "fake"))
    theirs, ours = joint_gradient(values, critics), joint_gradient(values, others)
    balance = {
        "logit_gap": real - fake,
        "logit_scale": max(abs(real), abs(fake)),
        "critic_gradient": theirs,
        "generator_gradient": ours,
        "gradient_ratio": ours / theirs if theirs else math.inf,
    }
    return accuracies(values, heads) | balance | augmentation(values) | entropy(values)


def critics_in(values: Mapping[str, float]) -> list[str]:
    """Returns what the names of each critic's values begin with: "discriminator/", say."""
    found = (LOGITS.fullmatch(name) for name in values)
    return sorted(match[1] for match in found if match and match[2] == "real")


def accuracies(values: Mapping[str, float], heads: Sequence[str]) -> Reading:
    """Returns the accuracies that all critics have, averaged over the critics."""
    names = ("pair_accuracy", "real_accuracy", "fake_accuracy")
    keys = {name: [f"{head}{name}" for head in heads] for name in names}
    common = {name: group for name, group in keys.items() if values.keys() >= set(group)}
    return {name: fmean(values[key] for key in group) for name, group in common.items()}


def augmentation(values: Mapping[str, float]) -> Reading:
    """Returns the probability with which samples are augmented, if one is logged."""
    found = [value for key, value in values.items() if key.endswith("/augment_p")]
    return {"augment_p": max(found)} if found else {}


def entropy(values: Mapping[str, float]) -> Reading:
    """Returns the entropy of the tokens of texts, if one is logged."""
    found = [value for key, value in values.items() if key.endswith("/token_entropy")]
    return {"token_entropy": min(found)} if found else {}


def joint_gradient(values: Mapping[str, float], players: set[str]) -> float:
    """Returns the norm of the concatenated gradients of the players."""
    return math.hypot(*(values[f"{player}/gradient_norm"] for player in sorted(players)))


def start_scales(first: Mapping[str, float], losses: Collection[str]) -> Reading:
    """Returns the magnitudes of losses and of "logits" before the first update.

    They are at least 1, the unit of logits and losses, since those of an untrained network may be
    near zero. `first` has the values of the first step, `losses` the names of those to be summed.
    """
    scales = {name: max(abs(value), 1.0) for name, value in first.items() if name in losses}
    logits = [abs(value) for name, value in first.items() if LOGITS.fullmatch(name)]
    return scales | {"logits": max(1.0, *logits)} if logits else scales


def growth_signals(values: Mapping[str, float], start: Mapping[str, float]) -> Reading:
    """Returns the gap between logits, and the losses of each player, relative to `start`.

    "least_growth" is that of the loss that has fallen most. The level of the logits is free under
    losses that see their difference only, as WGAN's does.
    """
    growth: Reading = {}
    for name, value in values.items():
        player = name.split("/")[0]
        if (match := LOGITS.fullmatch(name)) and match[2] == "real" and "logits" in start:
            kind, scale = "gap_growth", start["logits"]
            value -= values[f"{match[1]}fake_logits"]
        elif name in start:
            kind, scale = f"loss_growth/{player}", start[name]
        else:
            continue
        growth[kind] = max(growth.get(kind, 0.0), abs(value) / scale)
    losses = [abs(value) / start[name] for name, value in values.items() if name in start]
    return growth | {"least_growth": min(losses)} if losses else growth
