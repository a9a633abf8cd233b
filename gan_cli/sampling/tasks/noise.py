"""task=noise: the noise that leads to given samples, and the samples to which it leads."""

import math
from dataclasses import replace

import torch

from gan_cli.data.kinds import kind_of
from gan_cli.sampling.arrays import labels_of, write_npz
from gan_cli.sampling.steps import filled, game_in_steps, in_batches, request_for_inputs
from gan_cli.sampling.task import Job, task
from gan_cli.utils.images import grid, save_png

KEYS = ["input", "dataset", "count", "label", "sampler", "steps", "guidance", "batch_size"]


@task("noise", needs=["model", "inputs", "shows"], keys=KEYS)
def noise(job: Job) -> list[str]:
    """Writes noise.npz: latents (N, D) float32, from which the sampler draws almost the inputs.

    It is found by DDIM inversion, and needs a deterministic sampler. Images are shown beside the
    samples of their noise in reconstructions.png.
    """
    model, inputs, size = job.model, job.inputs, job.options.batch_size
    game, field = game_in_steps(model, "noise"), model.field()
    kind = kind_of(field)
    request = request_for_inputs(job)
    given = kind.to_model(inputs.samples)
    latents = in_batches(
        model,
        request,
        size,
        lambda part, place: game.noise_of(part, filled(given, place, size).to(model.game.device)),
    )
    rebuilt = model.draw(replace(request, latent=latents), size)
    error = (kind.to_model(rebuilt) - given).abs().mean().item()
    lines = [f"mean absolute error of the way back: {error:.4f} (in model form)"]
    if kind.default_format(field) == "grid":
        pairs = torch.stack((inputs.samples, rebuilt), 1).flatten(0, 1)  # (2 N, C, H, W)
        columns = 2 * math.ceil(math.sqrt(len(inputs) / 2))
        save_png(job.folder / "reconstructions.png", grid(pairs, columns))
        lines.append(str(job.folder / "reconstructions.png"))
    arrays = {"latents": latents.numpy(), **labels_of(inputs)}
    return [*lines, write_npz(job.folder / "noise.npz", arrays)]
