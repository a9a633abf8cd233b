"""Weights of another run loaded into a network that is trained further.

As in Wang et al. 2018 (arXiv:1805.01677), "Transferring GANs", generator and discriminator both
start from a model of other data.
"""

import json
import logging
from collections.abc import Iterator
from typing import Any

from torch import nn

from gan_cli.checkpoints.contents import Checkpoint
from gan_cli.checkpoints.fit import fitting, misfits, summary
from gan_cli.config.registry import Component
from gan_cli.config.schema import Model
from gan_cli.data.spec import Spec
from gan_cli.utils.errors import ConfigError

log = logging.getLogger("gan_cli")


def load_trained(
    network: nn.Module, lender: Checkpoint, role: str, reference: str, model: Model, spec: Spec
) -> None:
    """Loads the weights of `role` by name, averaged ones if there are any.

    What does not fit (another architecture, number of channels or number of classes) is refused
    with advice, or with model.pretrained_strict=false logged and left at its initial value.
    """
    where, weights = f"model.pretrained.{role}", lender.weights(role, averaged=True)
    wrong, usable = misfits(network, weights), fitting(network, weights)
    partly = any(weight.ndim > 1 for weight in usable.values())  # vectors may fit by coincidence
    if wrong and (model.pretrained_strict or not partly):
        which = summary(wrong) if partly else "not one weight matrix fits"
        advice = "; ".join(ways_out(lender, role, reference, model, spec, partly))
        raise ConfigError(
            f"{where}: the weights of {reference} do not fit the network: {which}; {advice}"
        )
    network.load_state_dict(usable, strict=False)
    if wrong:
        log.warning("%s: loads %s, except: %s", where, reference, summary(wrong, len(wrong)))


def ways_out(
    lender: Checkpoint, role: str, reference: str, model: Model, spec: Spec, partly: bool
) -> Iterator[str]:
    """What differs, and what to type."""
    options = differing(lender.node(role), model.networks[role])
    if options:
        typed = " ".join(f"model.networks.{role}.{key}={spelled(options[key])}" for key in options)
        yield f"the options of {reference} are {typed}"
    for what, theirs, ours in (
        ("samples of shape", lender.spec.shape, spec.shape),
        ("a number of classes of", lender.spec.classes, spec.classes),
    ):
        if theirs != ours:
            yield f"it was trained on {what} {theirs}, and the data set has {ours}"
    if partly:
        yield "or type model.pretrained_strict=false to leave these at their initial values"
    else:
        yield "name another run, or leave it out"


def differing(theirs: Component, ours: Component) -> Component:
    """The options of the other run's network that are not those of this one."""
    return {key: value for key, value in theirs.items() if ours.get(key, ...) != value}


def spelled(value: Any) -> str:
    """`value` as it is typed on the command line."""
    return value if isinstance(value, str) else json.dumps(value)
