"""Checks that a game can apply the penalties and the top-k selection of a loss."""

from collections.abc import Iterator

from gan_cli.config.schedules import Schedule
from gan_cli.config.schema import Config
from gan_cli.games import games
from gan_cli.losses import penalties

WITHOUT = {  # what a penalty needs, in a game that does not offer it
    "latents": "differentiates a generator by its latents, and that of game '{game}' has none",
    "images": "transforms images, and the critic of game '{game}' does not see single images",
    "network": "needs the weights of a generator, and game '{game}' does not pass them",
    "neighbours": "needs fakes of neighbouring latents, and game '{game}' does not pass them",
}


def check_penalties(config: Config) -> Iterator[str]:
    """Yields an error for each penalty that would have no effect, or that the game cannot serve."""
    name = config.model.game["name"]
    rules = games.entries[name]
    if not rules.critics:
        return
    generates = hasattr(rules, "sample")
    if not generates and config.loss.top_k != Schedule(1.0):
        yield f"loss.top_k: is for a generator, and game '{name}' trains none; leave it out"
    offers = set(rules.passes)
    if generates and not rules.augments_together:
        offers.add("images")
    for key, node in config.loss.penalties.items():
        penalty = penalties.entries[node["name"]]
        if penalty.player == "generator" and not generates:
            yield (
                f"loss.penalties.{key}: is for a generator, and game '{name}' trains none; leave "
                "it out"
            )
            continue
        needs = penalty.needs | ({"latents"} if penalty.player == "generator" else set())
        for need in sorted(needs - offers, reverse=True)[:1]:
            yield f"loss.penalties.{key}: {WITHOUT[need].format(game=name)}; leave it out"
