"""Checks that networks and options of domain adaptation are compatible."""

from collections.abc import Iterator

from torch import nn

from gan_cli.config.schema import Config
from gan_cli.utils.errors import ConfigError


def decoder_errors(config: Config) -> Iterator[str]:
    """Yields errors unless both a decoder and its weight are set, or neither."""
    weight, where = config.model.game["reconstruction"], "model.game.reconstruction"
    key = "model.networks.feature_extractor.reconstructs"
    decodes = config.model.networks.get("feature_extractor", {}).get("reconstructs", False)
    if weight > 0 and not decodes:
        yield f"{where}: is {weight}, but there is no decoder to train; set {key}=true"
    elif weight == 0 and decodes:
        yield f"{key}: the decoder would not be trained; set {where}=0.3, say, or {key}=false"


def check_features(networks: nn.ModuleDict) -> None:
    """Raises ConfigError if the networks differ in their number of features."""
    sizes = {role: getattr(network, "features", None) for role, network in networks.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{role} {size}" for role, size in sizes.items())
        raise ConfigError(
            f"model.networks: differ in their number of features ({listed}); set it for the "
            "feature_extractor alone, the others take it from there"
        )
