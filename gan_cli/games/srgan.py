"""SRGAN (Ledig et al. 2017, arXiv:1609.04802) and ESRGAN (Wang et al. 2018, arXiv:1809.00219)."""

from collections.abc import Iterator

from torch import nn

from gan_cli.config.ranges import NonNegative
from gan_cli.config.schema import Config
from gan_cli.games.game import Batch, games
from gan_cli.games.judged_outputs import JudgedOutputs
from gan_cli.games.perceptual import PerceptualNode
from gan_cli.games.super_resolution import SuperResolution
from gan_cli.losses.objective import Objective
from gan_cli.losses.reconstruction import Distance
from gan_cli.losses.terms import Terms


@games.register("srgan")
class SRGAN(JudgedOutputs, SuperResolution):
    """Super-resolution whose outputs a discriminator also judges.

    The generator minimizes content + adversarial * adversarial. Start it from a run of
    model=srresnet with `pretrained=RUN`: from random weights, such games end in bad optima (SRGAN,
    Section 3.2).
    """

    players = {"discriminator": ("discriminator",), "generator": ("generator",)}
    capturable = True

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        reconstruction: NonNegative = 1e-2,  # weight of the distance of pixels in [0, 1]
        distance: Distance = "l1",  # l1, l2 or smooth_l1
        perceptual: NonNegative = 1.0,  # weight of the distance of features, if there are any
        perceptual_distance: Distance = "l1",  # l1, l2 or smooth_l1
        features: PerceptualNode | None = None,  # network whose features are compared
        adversarial: NonNegative = 5e-3,  # weight of the adversarial loss
    ) -> None:
        super().__init__(
            networks,
            objective,
            reconstruction=reconstruction,
            distance=distance,
            perceptual=perceptual,
            perceptual_distance=perceptual_distance,
            features=features,
        )
        self.adversarial = adversarial
        self.constrain()

    @classmethod
    def compatibility_errors(cls, config: Config) -> Iterator[str]:
        yield from super().compatibility_errors(config)
        if not config.model.game["adversarial"]:
            yield (
                "model.game.adversarial: is 0, so that the discriminator teaches nothing; "
                "type model.game.adversarial=0.005, or model=srresnet"
            )

    def generator_loss(self, batch: Batch) -> Terms:
        fake = self.generate(batch["source"])
        batch["fake"] = fake.detach()  # for the critic's turn on the same batch
        critic = self.critic("discriminator", batch)
        adversarial = self.objective.generator_terms(critic, (fake,), (batch["target"],))
        content = self.content.terms(fake, batch["target"])
        return content | adversarial.times(self.adversarial)
