"""The game of a config: its networks, its objective and its rules, put together."""

from torch import nn

from gan_cli.config.schema import Config, Loss
from gan_cli.data.spec import Spec
from gan_cli.games import games
from gan_cli.games.game import Game
from gan_cli.losses import losses, penalties
from gan_cli.losses.objective import Objective
from gan_cli.networks import networks
from gan_cli.utils.errors import ConfigError


def build_game(config: Config, spec: Spec) -> Game:
    """ConfigError if parts that are each sound do not fit together."""
    rules = games.find(config.model.game, "model.game")
    roles = {
        role: networks.build(
            node, rules.spec_of(role, spec, config.model.game), where=f"model.networks.{role}"
        )
        for role, node in config.model.networks.items()
    }
    parts = (nn.ModuleDict(roles), build_objective(config.loss) if rules.critics else None)
    game = games.build(config.model.game, *parts, where="model.game")
    refuse_batch_norm(game)
    return game


def build_objective(config: Loss) -> Objective:
    assert config.adversarial is not None, "validation refuses games with critics and no loss"
    loss = losses.build(config.adversarial, where="loss.adversarial")
    penalty = {
        name: penalties.build(node, where=f"loss.penalties.{name}")
        for name, node in config.penalties.items()
    }
    return Objective(loss, penalty, config.critic_steps, config.weight_clip)


def refuse_batch_norm(game: Game) -> None:
    """In a critic under a per-sample penalty. validate() sees the options called norm; this sees
    the layers of any network, a user's own too."""
    active = game.objective.penalties if game.critics else {}
    penalty = next((key for key, p in active.items() if p.per_sample), None)
    for role in game.critics if penalty else ():
        for name, module in game.networks[role].named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                raise ConfigError(
                    f"model.networks.{role}: its layer {name} is batch norm, which couples the "
                    f"samples of a batch and falsifies the per-sample penalty '{penalty}'; use "
                    "another norm or another loss"
                )
