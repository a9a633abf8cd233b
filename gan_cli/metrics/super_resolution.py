"""PSNR and SSIM of enlarged images, as papers report them, and of their bicubic enlargement."""

from typing import ClassVar

import torch
from torch import Tensor

from gan_cli.config.ranges import Natural
from gan_cli.metrics.fidelity import WINDOW, gradient_energy, luma, psnr, shaved, ssim
from gan_cli.metrics.metric import Collected, Need, metrics
from gan_cli.metrics.paired import pairs_of
from gan_cli.utils.bicubic import enlarged
from gan_cli.utils.errors import ConfigError


@metrics.register("super_resolution")
class SuperResolutionError:
    """Means over held-out images, without `border` pixels on each side.

    psnr_y and ssim_y are those of luma, BT.601 in 16..235, psnr and ssim those of all channels.
    Values named bicubic are of the input enlarged by Pillow, and psnr_gain is what the output
    gains over it. Sharpness is the mean squared difference of neighbouring pixels, divided by that
    of the truth: below 1 an output is blurred.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"pairs"})
    lower_is_better: ClassVar[bool] = False
    featured: ClassVar[bool] = False
    minimum: ClassVar[int] = 1

    def __init__(self, *, border: Natural | None = None) -> None:
        """`border` is by default the factor of enlargement."""
        self.border = border

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:  # noqa: ARG002
        outputs, truths = pairs_of(fake)
        small = fake.pair_inputs
        assert small is not None, "they are collected with the pairs"
        if small.shape[1] not in (1, truths.shape[1]):
            raise ConfigError(
                "metrics.compute.super_resolution: compares images with their enlarged inputs, "
                f"which have {small.shape[1]} channels instead of {truths.shape[1]}; leave it out"
            )
        size = truths.shape[2:]
        border = self.border_of(size[0] // small.shape[2], min(size))
        bicubic = enlarged(small, size).expand_as(truths)
        values = fidelity(outputs, truths, border)
        baseline = fidelity(bicubic, truths, border)
        values["psnr_gain"] = next(iter(values.values())) - next(iter(baseline.values()))
        values |= {f"{name}_bicubic": value for name, value in baseline.items()}
        sharp = gradient_energy(truths).mean().clamp_min(1e-12)
        for name, images in (("", outputs), ("_bicubic", bicubic)):
            values[f"sharpness{name}"] = (gradient_energy(images).mean() / sharp).item()
        return values

    def border_of(self, factor: int, side: int) -> int:
        """Returns the pixels to leave out; ConfigError if fewer than SSIM's window are left."""
        border = factor if self.border is None else self.border
        if side - 2 * border < WINDOW:
            raise ConfigError(
                f"metrics.compute.super_resolution.border: {border} pixels on each side leave "
                f"{max(side - 2 * border, 0)} of {side}, and SSIM needs {WINDOW}; type "
                "metrics.compute.super_resolution.border=0, or metrics=paired"
            )
        return border


def fidelity(outputs: Tensor, truths: Tensor, border: int) -> dict[str, float]:
    """Returns means of PSNR and SSIM of images (N, C, H, W) uint8, of luma first if in colour."""
    spaces = {"": (outputs, truths)}
    if truths.shape[1] >= 3:
        spaces = {"_y": (luma(outputs), luma(truths)), **spaces}
    values = {}
    for name, pair in spaces.items():
        cut = [shaved(images, border) for images in pair]
        values[f"psnr{name}"] = psnr(*cut).mean().item()
        values[f"ssim{name}"] = means(cut[0], cut[1])
    return values


def means(outputs: Tensor, truths: Tensor) -> float:
    """Returns the mean SSIM, of few images at a time, since it takes 20 times their memory."""
    parts = zip(outputs.split(64), truths.split(64), strict=True)
    return torch.cat([ssim(*part) for part in parts]).mean().item()
