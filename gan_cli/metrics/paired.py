"""Errors of outputs whose truth is known: those of held-out pairs."""

from typing import ClassVar

from torch import Tensor

from gan_cli.metrics.fidelity import psnr
from gan_cli.metrics.metric import Collected, Need, metrics
from gan_cli.utils.errors import ConfigError


@metrics.register("paired")
class PairedError:
    """Mean absolute error, as a share of the range of pixels, and mean PSNR of images in dB.

    Both prefer a blurred mean of the possible outputs to a sharp one that is possible: they say how
    close an output is to the truth, and not whether it looks real.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"pairs"})
    lower_is_better: ClassVar[bool] = True
    featured: ClassVar[bool] = False
    minimum: ClassVar[int] = 1

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:  # noqa: ARG002
        outputs, truths = pairs_of(fake)
        error = (outputs.double() - truths.double()) / 255
        return {
            "paired_l1": error.abs().mean().item(),
            "paired_psnr": psnr(outputs, truths).mean().item(),
        }


def pairs_of(fake: Collected) -> tuple[Tensor, Tensor]:
    """Returns outputs and truths (N, C, H, W) uint8; ConfigError if there are none."""
    if fake.pairs is None:
        raise ConfigError("metrics.compute: there are no held-out pairs; use dataset=paired")
    return fake.pairs
