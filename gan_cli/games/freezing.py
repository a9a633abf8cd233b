"""Freezes the first blocks of networks: model.freeze.ROLE=N.

FreezeD: Mo, Cho & Shin 2020 (arXiv:2002.10964), "Freeze the Discriminator", fine-tune a GAN with
the lower layers of its discriminator fixed, which know edges and textures of the first data.
"""

import logging
from collections.abc import Iterator

from torch import nn

from gan_cli.config.schema import Config, Model
from gan_cli.games.game import Game, games
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.freezing import freeze
from gan_cli.utils.text import unknown

log = logging.getLogger("gan_cli")


def freeze_errors(config: Config) -> Iterator[str]:
    """Yields an error for each key of model.freeze that is no network which the game trains."""
    name = config.model.game["name"]
    trained = [role for roles in games.entries[name].players.values() for role in roles]
    for role in config.model.freeze:
        if role not in trained:
            yield f"model.freeze.{role}: {unknown(f'network of game {name!r}', role, trained)}"


def freeze_first_blocks(game: Game, model: Model) -> None:
    """Freezes the first blocks of the networks in model.freeze; ConfigError if there are fewer."""
    faults = []
    for role, count in model.freeze.items():
        blocks, where = blocks_of(game.networks[role]), f"model.freeze.{role}"
        kind = model.networks[role]["name"]
        if not blocks:
            faults.append(f"{where}: '{kind}' does not name its first blocks; leave it out")
        elif count > len(blocks):
            faults.append(
                f"{where}: is {count}, and '{kind}' has {len(blocks)} blocks for these samples; "
                f"type 1 to {len(blocks)}"
            )
        else:
            freeze(module for block in blocks[:count] for module in block)
        if role not in model.pretrained:
            log.warning("%s: the network is not pretrained; random layers stay fixed", where)
    if faults:
        raise ConfigError(*faults)


def blocks_of(network: nn.Module) -> list[tuple[nn.Module, ...]]:
    """The blocks of a network from its input on, each with all its modules; [] if not named.

    The attribute `first_blocks` of the class names the lists that hold them, such as
    ``("downs", "norms")``: the i-th elements are block i. Layers that are in no list belong to the
    first block. The name of a part that names blocks itself stands for these.
    """
    parts = [getattr(network, name) for name in getattr(network, "first_blocks", ())]
    if len(parts) == 1 and hasattr(parts[0], "first_blocks"):
        return blocks_of(parts[0])
    lists = [part for part in parts if isinstance(part, nn.ModuleList)]
    first = [part for part in parts if not isinstance(part, nn.ModuleList)]
    blocks = [tuple(block) for block in zip(*lists, strict=True)]
    return [(*first, *blocks[0]), *blocks[1:]] if blocks else []
