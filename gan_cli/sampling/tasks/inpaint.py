"""task=inpaint: parts of given images are drawn anew, and the rest stays as it is."""

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.files.image import read_image
from gan_cli.data.files.unreadable import reason
from gan_cli.data.kinds import kind_of
from gan_cli.sampling.steps import filled, game_in_steps, in_batches, request_for_inputs
from gan_cli.sampling.task import Job, task
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.images import grid, save_png
from gan_cli.utils.paths import user_path
from gan_cli.utils.text import unknown

KEYS = ["input", "dataset", "count", "label", "sampler", "steps", "guidance", "mask", "batch_size"]
HALVES = ("left", "right", "top", "bottom", "center")
GREY = 0.0  # in model form: how what is not known is shown


@task("inpaint", needs=["model", "inputs", "shows"], keys=KEYS)
def inpaint(job: Job) -> list[str]:
    """Writes inpainted.png: for each image the image, what of it is known, and a completion."""
    model, inputs, size = job.model, job.inputs, job.options.batch_size
    game, field = game_in_steps(model, "inpaint"), model.field()
    kind = kind_of(field)
    if kind.default_format(field) != "grid":
        raise ConfigError(f"task: 'inpaint' is for images, and the model makes {field.kind}")
    known = known_pixels(job.options.mask or "right", *field.shape[1:]).to(model.game.device)
    given = kind.to_model(inputs.samples)
    completed = in_batches(
        model,
        request_for_inputs(job),
        size,
        lambda part, place: game.inpaint(
            part, filled(given, place, size).to(model.game.device), known
        ),
    )
    masked = kind.to_stored(given * known.cpu() + GREY * (1 - known.cpu()))
    columns = (inputs.samples, masked, kind.to_stored(completed))
    save_png(job.folder / "inpainted.png", grid(torch.stack(columns, 1).flatten(0, 1), 12))
    return [str(job.folder / "inpainted.png")]


def known_pixels(mask: str, height: int, width: int) -> Tensor:
    """Returns 1 for pixels (1, H, W) that are kept and 0 for those that `mask` draws anew.

    A mask is a half, the center, or an image of this size whose white pixels are drawn anew.
    """
    known = torch.ones(1, height, width)
    parts = {
        "left": known[:, :, : width // 2],
        "right": known[:, :, width // 2 :],
        "top": known[:, : height // 2],
        "bottom": known[:, height // 2 :],
        "center": known[:, height // 4 : -(height // 4), width // 4 : -(width // 4)],
    }
    if mask in parts:
        parts[mask].zero_()
        return known
    if not user_path(mask).is_file():
        raise ConfigError(f"mask: {unknown('mask', mask, (*HALVES, 'an image file'))}")
    try:
        image = read_image(user_path(mask).read_bytes(), 1)
    except Exception as error:  # Pillow raises many types for damaged files
        raise ConfigError(f"mask: {mask}: {reason(error)}") from None
    if image.size != (width, height):
        raise ConfigError(
            f"mask: {mask} has {image.height} x {image.width} pixels, and the samples {height} x "
            f"{width}; resize it"
        )
    return torch.from_numpy((np.asarray(image) < 128).astype(np.float32))[None]
