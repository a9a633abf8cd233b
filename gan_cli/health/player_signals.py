"""Signals of the balance between players, computed from the logged means of loss terms."""

import math
from collections.abc import Collection, Mapping
from statistics import fmean

Reading = dict[str, float]
LOGITS = ("/real_logits", "/fake_logits")


def player_signals(values: Mapping[str, float]) -> Reading:
    """Returns signals from values by "<player>/<name>"; players with real_logits are critics.

    The values of several critics are averaged; the gradients of several players are concatenated.
    """
    critics = {key.split("/")[0] for key in values if key.endswith("/real_logits")}
    others = {key.split("/")[0] for key in values} - critics
    if not critics or not others:
        return {}
    real, fake = (fmean(values[f"{c}/{side}_logits"] for c in critics) for side in ("real", "fake"))
    theirs, ours = joint_gradient(values, critics), joint_gradient(values, others)
    balance = {
        "logit_gap": real - fake,
        "logit_scale": max(abs(real), abs(fake)),
        "critic_gradient": theirs,
        "generator_gradient": ours,
        "gradient_ratio": ours / theirs if theirs else math.inf,
    }
    return accuracies(values, critics) | balance | augmentation(values)


def accuracies(values: Mapping[str, float], critics: set[str]) -> Reading:
    """Returns the accuracies that all critics have, averaged over the critics."""
    names = ("pair_accuracy", "real_accuracy", "fake_accuracy")
    keys = {name: [f"{critic}/{name}" for critic in sorted(critics)] for name in names}
    common = {name: group for name, group in keys.items() if values.keys() >= set(group)}
    return {name: fmean(values[key] for key in group) for name, group in common.items()}


def augmentation(values: Mapping[str, float]) -> Reading:
    """Returns the probability with which samples are augmented, if one is logged."""
    found = [value for key, value in values.items() if key.endswith("/augment_p")]
    return {"augment_p": max(found)} if found else {}


def joint_gradient(values: Mapping[str, float], players: set[str]) -> float:
    """Returns the norm of the concatenated gradients of the players."""
    return math.hypot(*(values[f"{player}/gradient_norm"] for player in sorted(players)))


def start_scales(first: Mapping[str, float], losses: Collection[str]) -> Reading:
    """Returns the magnitudes of losses and of "logits" before the first update.

    They are at least 1, the unit of logits and losses, since those of an untrained network may be
    near zero. `first` has the values of the first step, `losses` the names of those to be summed.
    """
    scales = {name: max(abs(value), 1.0) for name, value in first.items() if name in losses}
    logits = [abs(value) for name, value in first.items() if name.endswith(LOGITS)]
    return scales | {"logits": max(1.0, *logits)} if logits else scales


def growth_signals(values: Mapping[str, float], start: Mapping[str, float]) -> Reading:
    """Returns the gap between logits, and the losses of each player, relative to `start`.

    "least_growth" is that of the loss that has fallen most. The level of the logits is free under
    losses that see their difference only, as WGAN's does.
    """
    growth: Reading = {}
    for name, value in values.items():
        player = name.split("/")[0]
        if name.endswith("/real_logits") and "logits" in start:
            kind, scale = "gap_growth", start["logits"]
            value -= values[f"{player}/fake_logits"]
        elif name in start:
            kind, scale = f"loss_growth/{player}", start[name]
        else:
            continue
        growth[kind] = max(growth.get(kind, 0.0), abs(value) / scale)
    losses = [abs(value) / start[name] for name, value in values.items() if name in start]
    return growth | {"least_growth": min(losses)} if losses else growth
