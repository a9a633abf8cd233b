# ruff: noqa: ARG002  (all losses share one signature, whether or not they use both logits)
"""Adversarial losses on critic logits, each a pair (critic, generator) to be minimized."""

import math

import torch.nn.functional as F
from torch import Tensor

from gan_cli.config.ranges import Finite
from gan_cli.losses.objective import losses
from gan_cli.utils.errors import ConfigError


@losses.register("minimax")
class Minimax:
    """Minimax loss: Goodfellow et al. 2014 (arXiv:1406.2661), Equation 1, with D = sigmoid(logit).

    At the optimal D the value is V = 2 JSD - 2 log 2 (Theorem 1). Therefore (V + 2 log 2) / 2 is a
    lower bound of the Jensen-Shannon divergence, in [0, log 2]. The gradient of the generator
    vanishes where D is certain: the loss is of theoretical interest; prefer nonsaturating.
    """

    paired = False

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return F.softplus(-real).mean() + F.softplus(fake).mean()  # -V

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -F.softplus(fake).mean()  # log(1 - D)

    def encoder(self, real: Tensor) -> Tensor:
        return -F.softplus(-real).mean()  # log D

    def looks_real(self, logits: Tensor) -> Tensor:
        return logits > 0  # D > 1/2

    def estimate(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {"js_divergence": math.log(2) - self.critic(real, fake) / 2}


@losses.register("nonsaturating")
class NonSaturating(Minimax):
    """Non-saturating loss: the generator maximizes log D(G(z)).

    Goodfellow et al. 2014 (arXiv:1406.2661), Section 3. The loss of the critic, and its estimate of
    the Jensen-Shannon divergence, are those of the minimax loss.
    """

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return F.softplus(-fake).mean()

    def encoder(self, real: Tensor) -> Tensor:
        return F.softplus(real).mean()


@losses.register("least_squares")
class LeastSquares:
    """Least squares (LSGAN) with the targets a for fakes and b for real samples.

    Mao et al. 2017 (arXiv:1611.04076), Equation 2. The generator's target is c. The default, a = 0
    and b = c = 1, is Equation 9. With a = -1, b = 1, c = 0 (Equation 8) the generator minimizes the
    Pearson divergence chi2(P + Q || 2 Q) of Equation 7, the integral of (p - q)^2 / (p + q). This
    "triangular discrimination", in [0, 2], is estimated as 2 - 8 L / (b - a)^2 from the critic's
    loss L, for any targets.
    """

    paired = False

    def __init__(self, *, a: Finite = 0.0, b: Finite = 1.0, c: Finite = 1.0) -> None:
        if a == b:
            raise ConfigError(
                f"loss.adversarial: a = b = {a} is the same target for fake and real samples; "
                "set a=0 b=1 c=1, or a=-1 b=1 c=0"
            )
        self.a, self.b, self.c = a, b, c

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return ((real - self.b).square().mean() + (fake - self.a).square().mean()) / 2

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return (fake - self.c).square().mean() / 2

    def encoder(self, real: Tensor) -> Tensor:
        mirrored = self.a + self.b - self.c  # c, as far from b as c is from a
        return (real - mirrored).square().mean() / 2

    def looks_real(self, logits: Tensor) -> Tensor:
        return (logits - self.b).abs() < (logits - self.a).abs()

    def estimate(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        loss = self.critic(real, fake)
        return {"triangular_discrimination": 2 - 8 * loss / (self.b - self.a) ** 2}


@losses.register("hinge")
class Hinge:
    """Hinge loss: Lim and Ye 2017 (Geometric GAN, arXiv:1705.02894), Equations 12 and 13.

    The minimum of the critic's loss is the integral of 2 min(p, q), which is 2 - 2 TV. Therefore
    1 - loss / 2 is a lower bound of the total variation distance, in [0, 1].
    """

    paired = False

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean()

    def encoder(self, real: Tensor) -> Tensor:
        return real.mean()

    def looks_real(self, logits: Tensor) -> Tensor:
        return logits > 0

    def estimate(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {"total_variation": 1 - self.critic(real, fake) / 2}


@losses.register("wasserstein")
class Wasserstein:
    """Wasserstein loss: Arjovsky et al. 2017 (arXiv:1701.07875), Equation 2.

    The estimate is W1 times the Lipschitz constant of the critic, which has to be bounded by weight
    clipping, spectral normalization or a gradient penalty; otherwise there is no optimum.
    """

    paired = False

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean()

    def encoder(self, real: Tensor) -> Tensor:
        return real.mean()

    def estimate(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {"wasserstein": real.mean() - fake.mean()}


@losses.register("relativistic")
class Relativistic:
    """Relativistic pairing loss (RpGAN), which compares each real sample with one fake.

    Jolicoeur-Martineau 2018 (arXiv:1807.00734). R3GAN (Huang et al. 2024, arXiv:2501.05441) uses it
    with the penalties R1 and R2.
    """

    paired = True

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return F.softplus(fake - real).mean()

    def generator(self, fake: Tensor, real: Tensor | None) -> Tensor:
        assert real is not None, "a relativistic generator needs the real logits"
        return F.softplus(real - fake).mean()

    def estimate(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {}


@losses.register("relativistic_average")
class RelativisticAverage:
    """Relativistic average loss (RaGAN): compares samples with the average of the other kind.

    Jolicoeur-Martineau 2018 (arXiv:1807.00734).
    """

    paired = True

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()

    def generator(self, fake: Tensor, real: Tensor | None) -> Tensor:
        assert real is not None, "a relativistic generator needs the real logits"
        return self.critic(fake, real)  # the critic's loss with the roles exchanged

    def estimate(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {}
