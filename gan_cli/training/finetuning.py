"""Loads weights of another run into a network that is trained further.

Wang et al. 2018 (arXiv:1805.01677), "Transferring GANs", initialize both generator and
discriminator with a model trained on other data.
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
from gan_cli.games.restore import check_finite
from gan_cli.utils.errors import ConfigError

log = logging.getLogger("gan_cli")


def load_trained(
    network: nn.Module, source: Checkpoint, role: str, reference: str, model: Model, spec: Spec
) -> None:
    """Loads the weights of `role` in `source` by name, averaged ones if there are any.

    Weights that do not fit (another architecture, number of channels or classes) raise ConfigError
    with advice; with model.pretrained_strict=false they are logged and keep their initial values.
    """
    where, weights = f"model.pretrained.{role}", source.weights(role, averaged=True)
    wrong, usable = misfits(network, weights), fitting(network, weights)
    partly = any(weight.ndim > 1 for weight in usable.values())  # vectors may fit by coincidence
    if wrong and (model.pretrained_strict or not partly):
        which = summary(wrong) if partly else "not one weight matrix fits"
        advice = "; ".join(mismatch_advice(source, role, reference, model, spec, partly))
        raise ConfigError(
            f"{where}: the weights of {reference} do not fit the network: {which}; {advice}"
        )
    check_finite(usable, f"{where}: {reference}")
    network.load_state_dict(usable, strict=False)
    if wrong:
        log.warning("%s: loads %s, except: %s", where, reference, summary(wrong, len(wrong)))


def mismatch_advice(
    source: Checkpoint, role: str, reference: str, model: Model, spec: Spec, partly: bool
) -> Iterator[str]:
    """Yields the differences between both runs, and what to type."""
    options = differing_options(source.node(role), model.networks[role])
    if options:
        typed = " ".join(f"model.networks.{role}.{key}={as_typed(options[key])}" for key in options)
        yield f"the options of {reference} are {typed}"
    for what, theirs, ours in (
        ("samples of shape", source.spec.shape, spec.shape),
        ("a number of classes of", source.spec.classes, spec.classes),
    ):
        if theirs != ours:
            yield f"it was trained on {what} {theirs}, and the data set has {ours}"
    if partly:
        yield "or type model.pretrained_strict=false to leave these at their initial values"
    else:
        yield "name another run, or leave it out"


def differing_options(theirs: Component, ours: Component) -> Component:
    """Returns the options of the other run's network that differ from those of this run."""
    return {key: value for key, value in theirs.items() if ours.get(key, ...) != value}


def as_typed(value: Any) -> str:
    """Returns `value` as it is typed on the command line."""
    return value if isinstance(value, str) else json.dumps(value)
