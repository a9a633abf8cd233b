"""Checks of network options.

The errors name keys relative to the config node of the network.
"""

from gan_cli.data.spec import Spec
from gan_cli.utils.errors import ConfigError


def check_conditioning(spec: Spec, conditioning: str, norm: str) -> None:
    """Raises ConfigError if there are no labels for `conditioning`, or no batch norm for it."""
    faults = []
    if conditioning != "none" and spec.classes == 0:
        faults.append(
            f"conditioning: '{conditioning}' needs labels and the data set has none; "
            "set conditioning=none or choose a labelled data set"
        )
    if conditioning == "batch_norm" and norm != "batch":
        faults.append(
            f"norm: conditioning=batch_norm needs norm=batch, got '{norm}'; "
            "set norm=batch, or conditioning=concat, which works with every norm"
        )
    if faults:
        raise ConfigError(*faults)
