"""What the turns say of the players' balance, from what the ledger collected."""

import math
from collections.abc import Mapping
from statistics import fmean

Reading = dict[str, float]


def player_signals(values: Mapping[str, float]) -> Reading:
    """From values by "<player>/<name>". A critic is who has logits on real samples.

    Several critics are averaged; the gradients of several players are joined to one.
    """
    critics = {key.split("/")[0] for key in values if key.endswith("/real_logits")}
    others = {key.split("/")[0] for key in values} - critics
    if not critics or not others:
        return {}
    real, fake = (fmean(values[f"{c}/{side}_logits"] for c in critics) for side in ("real", "fake"))
    theirs, ours = joint_gradient(values, critics), joint_gradient(values, others)
    return accuracies(values, critics) | {
        "logit_gap": real - fake,
        "logit_scale": max(abs(real), abs(fake)),
        "critic_gradient": theirs,
        "generator_gradient": ours,
        "gradient_ratio": ours / theirs if theirs else math.inf,
    }


def accuracies(values: Mapping[str, float], critics: set[str]) -> Reading:
    """P(D(real) > D(fake)) of any loss, and the shares judged right where logits have a zero."""
    names = ("pair_accuracy", "real_accuracy", "fake_accuracy")
    keys = {name: [f"{critic}/{name}" for critic in sorted(critics)] for name in names}
    known = {name: found for name, found in keys.items() if values.keys() >= set(found)}
    return {name: fmean(values[key] for key in found) for name, found in known.items()}


def joint_gradient(values: Mapping[str, float], players: set[str]) -> float:
    return math.hypot(*(values[f"{player}/gradient_norm"] for player in sorted(players)))
