"""Network interpolation: Wang et al. 2018 (arXiv:1809.00219), Section 3.4.

The weights of a network that was trained for accuracy and of one that was trained further as a GAN
are mixed: less noise and fewer artefacts at the cost of some sharpness, without a new training.
"""

from gan_cli.checkpoints.choice import find
from gan_cli.checkpoints.fit import misfits, summary
from gan_cli.games.game import Game
from gan_cli.sampling.options import SampleOptions
from gan_cli.utils.errors import ConfigError

ALPHA = 0.8  # share of the model's own weights, as in the paper's figures


def blend_weights(game: Game, options: SampleOptions) -> None:
    """Sets the weights of all networks but critics to (1 - alpha) blend + alpha own, in place."""
    if options.blend is None:
        return
    source = find(options.blend, "blend")
    alpha = ALPHA if options.alpha is None else options.alpha
    for role, network in game.networks.items():
        if role in game.critics:
            continue
        if role not in source.roles:
            raise ConfigError(
                f"blend: {options.blend} holds no network '{role}', only "
                f"{', '.join(source.roles) or 'none'}; name a run of the same networks"
            )
        other = source.weights(role, options.weights == "average")
        if wrong := misfits(network, other):
            raise ConfigError(
                f"blend: the weights of {options.blend} do not fit the network '{role}': "
                f"{summary(wrong)}; name a run of the same networks"
            )
        own = network.state_dict()
        mixed = {
            key: value.lerp(other[key].to(value), alpha) if value.is_floating_point() else value
            for key, value in own.items()
        }
        network.load_state_dict(mixed)
