"""Mode seeking: different latents are to give different samples."""

from dataclasses import dataclass

from torch import Tensor

from gan_cli.config.schedules import Schedule, Weight
from gan_cli.losses.penalty import GeneratorTurn, Penalty, penalties

EPSILON = 1e-5  # of the authors' code: the penalty of a generator that has collapsed is finite


@penalties.register("mode_seeking")
@dataclass(kw_only=True)
class ModeSeeking(Penalty):
    """MSGAN, Mao et al. 2019 (arXiv:1903.05628), Equation 1: 1 / (|G(z1) - G(z2)| / |z1 - z2|).

    Distances are mean absolute differences. The pairs are those of the batch: each latent and its
    sample are held against the next ones, under the same labels where there are any.
    """

    weight: Weight = Schedule(1.0)  # strength of the penalty
    player = "generator"
    by_gradient = False
    per_sample = False

    def __call__(self, turn: GeneratorTurn) -> Tensor:
        latent = turn.latent.roll(1, 0)
        other = turn.generator(latent)
        moved = (other - turn.fake).float().abs().mean()
        return 1 / (moved / (latent - turn.latent).abs().mean() + EPSILON)
