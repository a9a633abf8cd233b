"""How the errors at different times are weighted in the loss."""

from torch import Tensor

from gan_cli.config.ranges import Positive
from gan_cli.config.registry import Registry
from gan_cli.diffusion.predictions import Prediction


class Weighting:
    """Base class of weightings."""

    def __call__(self, prediction: Prediction, alpha: Tensor, sigma: Tensor) -> Tensor:
        """Returns the factors of the squared errors of the network's outputs."""
        raise NotImplementedError


weightings: Registry[Weighting] = Registry("weighting")


@weightings.register("simple")
class Simple(Weighting):
    """All errors of the prediction count alike: L_simple of Ho et al. 2020 (arXiv:2006.11239)."""

    def __call__(self, prediction: Prediction, alpha: Tensor, sigma: Tensor) -> Tensor:  # noqa: ARG002
        return sigma * 0 + 1


@weightings.register("min_snr")
class MinSNR(Weighting):
    """Errors of x_0 count min(SNR, gamma): Hang et al. 2023 (arXiv:2303.09556), Section 3.4."""

    def __init__(
        self,
        *,
        gamma: Positive = 5.0,  # bound of the weight, SNR = (alpha / sigma)^2
    ) -> None:
        self.gamma = gamma

    def __call__(self, prediction: Prediction, alpha: Tensor, sigma: Tensor) -> Tensor:
        snr = (alpha / sigma) ** 2
        return snr.clamp(max=self.gamma) / prediction.scale(alpha, sigma)
