"""Builds the game of a config with its networks, objective and augmentation."""

from torch import nn

from gan_cli.augment import Augment, TransformsTogether, augments
from gan_cli.config.registry import Component
from gan_cli.config.schema import Loss, Model
from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Spec
from gan_cli.games.game import Game, games
from gan_cli.losses import losses, penalties
from gan_cli.losses.objective import Objective
from gan_cli.networks import networks
from gan_cli.utils.errors import ConfigError


def build_game(model: Model, loss: Loss, augment: Component, spec: Spec) -> Game:
    """Returns the game; raises ConfigError if its parts do not fit together."""
    rules = games.find(model.game, "model.game")
    roles = {
        role: networks.build(
            node, rules.spec_of(role, spec, model.game), where=f"model.networks.{role}"
        )
        for role, node in model.networks.items()
    }
    parts = (nn.ModuleDict(roles), build_objective(loss) if rules.critics else None)
    game = games.build(model.game, *parts, where="model.game")
    game.augment = augments.build(augment, where="augment")
    check_batch_norm(game)
    check_kind(game, spec, augment["name"])
    return game


def build_objective(config: Loss) -> Objective:
    assert config.adversarial is not None, "validation refuses games with critics and no loss"
    loss = losses.build(config.adversarial, where="loss.adversarial")
    penalty = {
        name: penalties.build(node, where=f"loss.penalties.{name}")
        for name, node in config.penalties.items()
    }
    return Objective(loss, penalty, config.critic_steps, config.weight_clip, config.top_k)


def check_kind(game: Game, spec: Spec, augment: str) -> None:
    """Raises ConfigError if augmentation or penalties do not support this kind of samples."""
    if not game.augments:
        return
    if augment != "none" and spec.kind not in game.augment.kinds:
        raise ConfigError(
            f"augment: '{augment}' does not transform samples of kind {spec.kind}; use augment=none"
        )
    if augment != "none" and game.augments_together:
        check_together(game.augment, spec, augment)
    of_images = [n for n, p in game.objective.penalties.items() if "images" in p.needs]
    if of_images and spec.kind != "image":
        raise ConfigError(
            f"loss.penalties.{of_images[0]}: transforms images, and the samples are of kind "
            f"{spec.kind}; leave it out"
        )
    by_gradient = [name for name, p in game.objective.penalties.items() if p.by_gradient]
    differentiable = kind_of(spec.fields[spec.target]).differentiable or game.relaxes
    if by_gradient and not differentiable:
        raise ConfigError(
            f"loss.penalties.{by_gradient[0]}: differentiates the critic with respect to samples, "
            f"but samples of kind {spec.kind} are integers; choose a loss without it"
        )


def check_together(augment: Augment, spec: Spec, name: str) -> None:
    """Raises ConfigError if an augmentation cannot transform the images of a sample with one draw.

    They are the fields of the target's kind.
    """
    if not isinstance(augment, TransformsTogether):
        raise ConfigError(
            f"augment: '{name}' cannot transform several images with one draw, which the game "
            "needs; use augment=none, or give it a method together(sample, *given)"
        )
    sizes = {k: f.shape[1:] for k, f in spec.fields.items() if f.kind == spec.kind}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{key} {size}" for key, size in sizes.items())
        raise ConfigError(
            f"augment: '{name}' transforms images of one size with one draw, and these differ: "
            f"{listed}; use augment=none"
        )


def check_batch_norm(game: Game) -> None:
    """Raises ConfigError if a critic with a per-sample penalty has batch norm.

    validate() reads the options named `norm`; this inspects the layers, also of users' networks.
    """
    active = game.objective.penalties if game.critics else {}
    penalty = next((key for key, p in active.items() if p.per_sample), None)
    for role in game.critics if penalty else ():
        for name, module in game.networks[role].named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                raise ConfigError(
                    f"model.networks.{role}: its layer {name} is batch norm, which couples the "
                    f"samples of a batch, and the penalty '{penalty}' is per sample; use another "
                    "norm or another loss"
                )
