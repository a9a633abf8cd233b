"""What a network predicts: noise, data, velocity, or the mixture of EDM.

Each converts an output of the network to the estimate of x_0, and gives the target of training.
alpha and sigma are tensors that broadcast against samples, or numbers.
"""

from typing import Any

from torch import Tensor

from gan_cli.config.ranges import Positive
from gan_cli.config.registry import Registry
from gan_cli.diffusion.schedules.schedule import NoiseSchedule
from gan_cli.utils.errors import ConfigError

LARGEST_VELOCITY = 2.0  # alpha^2 + sigma^2 is at most 1 where the velocity is in use
Number = Any  # a tensor that broadcasts against samples, or a float


class Prediction:
    """Base class: the network sees c_in(t) x_t."""

    def check(self, schedule: NoiseSchedule) -> None:
        """Raises ConfigError if networks cannot learn it of this schedule."""

    def input_scale(self, alpha: Number, sigma: Number) -> Number:
        """Returns c_in, which keeps inputs of variance 1 if alpha^2 + sigma^2 is not 1."""
        return (alpha * alpha + sigma * sigma) ** -0.5

    def target(self, x0: Tensor, eps: Tensor, alpha: Number, sigma: Number) -> Tensor:
        """Returns what the network should have predicted."""
        raise NotImplementedError

    def x0(self, output: Tensor, x: Tensor, alpha: Number, sigma: Number) -> Tensor:
        """Returns the estimate of x_0 from the network's `output` at x_t = `x`."""
        raise NotImplementedError

    def scale(self, alpha: Number, sigma: Number) -> Number:
        """Returns (error of the output / error of x_0)^2, equal for all elements."""
        raise NotImplementedError


predictions: Registry[Prediction] = Registry("prediction")


@predictions.register("epsilon")
class Epsilon(Prediction):
    """The noise eps: Ho et al. 2020 (arXiv:2006.11239), Equation 14."""

    def target(self, x0: Tensor, eps: Tensor, alpha: Number, sigma: Number) -> Tensor:  # noqa: ARG002
        return eps

    def x0(self, output: Tensor, x: Tensor, alpha: Number, sigma: Number) -> Tensor:
        return (x - sigma * output) / alpha

    def scale(self, alpha: Number, sigma: Number) -> Number:
        return (alpha / sigma) ** 2


@predictions.register("x0")
class X0(Prediction):
    """The data x_0."""

    def target(self, x0: Tensor, eps: Tensor, alpha: Number, sigma: Number) -> Tensor:  # noqa: ARG002
        return x0

    def x0(self, output: Tensor, x: Tensor, alpha: Number, sigma: Number) -> Tensor:  # noqa: ARG002
        return output

    def scale(self, alpha: Number, sigma: Number) -> Number:  # noqa: ARG002
        return sigma * 0 + 1


@predictions.register("v")
class Velocity(Prediction):
    """v = alpha eps - sigma x_0: Salimans & Ho 2022 (arXiv:2202.00512), Section 4."""

    def check(self, schedule: NoiseSchedule) -> None:
        size = schedule.level(schedule.last).size
        if size > LARGEST_VELOCITY:
            raise ConfigError(
                f"'v' is {size:.3g} times as large as the data at the most noise of this schedule, "
                "so that nothing else would be learned; use edm, epsilon or x0"
            )

    def target(self, x0: Tensor, eps: Tensor, alpha: Number, sigma: Number) -> Tensor:
        return alpha * eps - sigma * x0

    def x0(self, output: Tensor, x: Tensor, alpha: Number, sigma: Number) -> Tensor:
        return (alpha * x - sigma * output) / (alpha * alpha + sigma * sigma)

    def scale(self, alpha: Number, sigma: Number) -> Number:
        return ((alpha * alpha + sigma * sigma) / sigma) ** 2


@predictions.register("edm")
class Preconditioned(Prediction):
    """c_skip x + c_out F(c_in x): Karras et al. 2022 (arXiv:2206.00364), Table 1.

    The paper has alpha = 1; here x / alpha takes the place of x, and sigma / alpha that of sigma.
    """

    def __init__(
        self,
        *,
        data_std: Positive = 0.5,  # sigma_data, the standard deviation of the data
    ) -> None:
        self.variance = data_std * data_std

    def coefficients(self, ratio: Number) -> tuple[Number, Number]:
        """Returns c_skip and c_out at sigma = `ratio`."""
        total = ratio * ratio + self.variance
        return self.variance / total, ratio * (self.variance / total) ** 0.5

    def input_scale(self, alpha: Number, sigma: Number) -> Number:
        return (alpha * alpha * self.variance + sigma * sigma) ** -0.5

    def target(self, x0: Tensor, eps: Tensor, alpha: Number, sigma: Number) -> Tensor:
        skip, out = self.coefficients(sigma / alpha)
        return (x0 - skip * (x0 + sigma / alpha * eps)) / out

    def x0(self, output: Tensor, x: Tensor, alpha: Number, sigma: Number) -> Tensor:
        skip, out = self.coefficients(sigma / alpha)
        return skip * x / alpha + out * output

    def scale(self, alpha: Number, sigma: Number) -> Number:
        return self.coefficients(sigma / alpha)[1] ** -2
