"""task=mix: samples with the latents of some layers from other samples (style mixing)."""

import numpy as np
import torch
from torch import Tensor, nn

from gan_cli.data.kinds import Kind, kind_of
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.games.spaces import at, points_of, styles_of
from gan_cli.networks.layers.latent import HasLayerLatents, HasParts
from gan_cli.sampling.arrays import write_npz
from gan_cli.sampling.layer_range import layers_of
from gan_cli.sampling.options import SampleOptions, Seeds
from gan_cli.sampling.task import Job, task
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import grid, save_png

ROWS, COLUMNS = 4, 6  # defaults: samples that are changed, and those whose layers they get


@task(
    "mix",
    needs=["model"],
    keys=["seeds", "styles", "layers", "label", "truncation", "truncation_cutoff", "batch_size"],
)
def mix(job: Job) -> list[str]:
    """Writes mix.npz, and mix.png for images, as in Karras et al. 2019 (arXiv:1812.04948), Fig. 3.

    Rows are the samples of `seeds`, columns those of `styles`. Where they meet, the latents of
    `layers` are those of the column, and the others, and all noise, those of the row.
    """
    options, model = job.options, job.model
    model.target()
    generator = model.game.networks["generator"] if model.has_latent else None
    layers = layers_of(options.layers or "coarse", layer_count(generator))
    rows, columns = sources(options)
    first, second = (request_of(job, seeds) for seeds in (rows, columns))
    left, top = (model.draw(side, options.batch_size) for side in (first, second))
    request = meeting(model.game, first, second, layers)
    made = model.draw(request, options.batch_size).unflatten(0, (len(rows), len(columns)))
    kind = kind_of(model.field())
    numbers = {"seeds": rows, "styles": columns, "layers": layers}
    arrays = {name: np.array(value, np.uint64) for name, value in numbers.items()}
    files = [write_npz(job.folder / "mix.npz", arrays | as_array(kind, made))]
    if kind.default_format(model.field()) == "grid":
        save_png(job.folder / "mix.png", grid(table(left, top, made), len(columns) + 1))
        files.insert(0, str(job.folder / "mix.png"))
    count = layer_count(generator)
    return [f"layers {', '.join(map(str, layers))} of {count} are those of the columns", *files]


def layer_count(generator: nn.Module | None) -> int:
    """Returns how many layers have latents of their own; ConfigError if there are none."""
    if isinstance(generator, HasLayerLatents):
        return generator.styled
    if isinstance(generator, HasParts) and len(generator.parts) > 1:
        return len(generator.parts)
    raise ConfigError(
        "task: 'mix' needs a generator whose layers have latents of their own; train with "
        "model=stylegan2, or model=biggan"
    )


def meeting(game: Game, rows: Request, columns: Request, layers: list[int]) -> Request:
    """Returns the request for the samples where rows and columns meet, row by row.

    Styles are mixed if there are any. Otherwise parts of the latent are, and the label is the
    row's.
    """
    generator = game.networks["generator"]
    repeated = [i for i in range(len(rows)) for _ in range(len(columns))]
    request = rows.select(repeated)
    taken = torch.zeros(layer_count(generator), dtype=torch.bool)
    taken[layers] = True
    if isinstance(generator, HasLayerLatents):
        first, second = (styles_of(game, side) for side in (rows, columns))
        return at(request, mixed(first, second, taken[:, None]).flatten(0, 1), "w")
    assert isinstance(generator, HasParts)
    first, second = (points_of(game, side, "z") for side in (rows, columns))
    numbers = taken.repeat_interleave(torch.tensor(generator.parts))
    return at(request, mixed(first, second, numbers).flatten(0, 1), "z")


def sources(options: SampleOptions) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the seeds of rows and of columns, by default those after the rows'."""
    rows = options.seeds or tuple(range(ROWS))
    columns = options.styles
    if columns is None:
        columns = Seeds((max(rows) + 1 + i) % 2**64 for i in range(COLUMNS))
    for key, seeds in (("seeds", rows), ("styles", columns)):
        if len(set(seeds)) < len(seeds):
            raise ConfigError(f"{key}: lists a seed twice; list it once")
    return rows, columns


def request_of(job: Job, seeds: tuple[int, ...]) -> Request:
    """Returns the request for the samples of a side, unmixed."""
    options, labels = job.options, job.model.labels(job.options.labels, seeds)
    cutoff = options.truncation_cutoff
    return Request(seeds, labels, truncation=options.truncation, truncation_cutoff=cutoff)


def mixed(rows: Tensor, columns: Tensor, taken: Tensor) -> Tensor:
    """Returns (R, C, ...): rows (R, ...), with the columns (C, ...) wherever `taken`."""
    return torch.where(taken, columns[None], rows[:, None])


def table(rows: Tensor, columns: Tensor, made: Tensor) -> Tensor:
    """Returns images in the order of a table, whose corner is black."""
    corner = torch.zeros_like(columns[:1])
    lines = [torch.cat([row[None], line]) for row, line in zip(rows, made, strict=True)]
    return torch.cat([corner, columns, *lines])


def as_array(kind: Kind, made: Tensor) -> dict[str, np.ndarray]:
    """Returns the array of samples (rows * columns, ...), row by row."""
    return {kind.array_name(): kind.to_array(made.flatten(0, 1))}
