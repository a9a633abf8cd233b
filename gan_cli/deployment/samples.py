"""The picture of samples that goes with an exported model."""

from pathlib import Path

from gan_cli.data.kinds import kind_of
from gan_cli.data.kinds.kind import Context
from gan_cli.games.abilities import Samples
from gan_cli.games.draw import draw_all
from gan_cli.games.request import Request
from gan_cli.sampling.model import Model, class_names
from gan_cli.utils.images import save_png


def draws_samples(model: Model) -> bool:
    """Returns whether the model makes samples from seeds alone."""
    game, target = model.game, model.spec.target
    known = isinstance(game, Samples) and target in game.targets(model.spec)
    return known and not game.inputs(target)


def sample_grid(model: Model, path: Path) -> Path | None:
    """Draws the first seeds as a preview does; None if the model draws none without inputs."""
    if not draws_samples(model):
        return None
    game, target = model.game, model.spec.target
    field = model.field(target)
    seeds = list(range(kind_of(field).previewed))
    labels, known = model.labels(None, seeds), bool(model.spec.class_names)
    names = class_names(labels.tolist(), model.spec) if known and labels is not None else None
    samples = draw_all(game, Request(seeds, labels, target=target))
    picture = kind_of(field).picture(field, [samples.cpu()], Context(names=names))
    if picture is not None:
        save_png(path, picture)
    return None if picture is None else path
