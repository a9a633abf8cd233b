"""Super-resolution by a generator alone: SRResNet and the first stage of ESRGAN."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_cli.config.ranges import NonNegative
from gan_cli.config.schema import Config
from gan_cli.games.content import Content
from gan_cli.games.game import Batch, Game, PreviewContent, Turn, games
from gan_cli.games.perceptual import PerceptualNode
from gan_cli.games.request import Request
from gan_cli.losses.objective import Objective
from gan_cli.losses.reconstruction import Distance
from gan_cli.losses.terms import Terms
from gan_cli.utils.bicubic import enlarged
from gan_cli.utils.images import to_uint8


@games.register("super_resolution")
class SuperResolution(Game):
    """Makes large images of small ones; trained by distances to the true ones.

    SRResNet (Ledig et al. 2017, arXiv:1609.04802) minimizes the squared error of pixels, the first
    stage of ESRGAN (Wang et al. 2018, arXiv:1809.00219) the absolute one.
    """

    players: ClassVar[Mapping[str, tuple[str, ...]]] = {"generator": ("generator",)}
    reads = frozenset({"source", "target"})
    conditional = False
    capturable = True

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective | None = None,
        *,
        reconstruction: NonNegative = 1.0,  # weight of the distance of pixels in [0, 1]
        distance: Distance = "l1",  # l1, l2 or smooth_l1
        perceptual: NonNegative = 1.0,  # weight of the distance of features, if there are any
        perceptual_distance: Distance = "l1",  # l1, l2 or smooth_l1
        features: PerceptualNode | None = None,  # network whose features are compared
    ) -> None:
        super().__init__(networks, objective)
        self.content = Content(reconstruction, distance, perceptual, perceptual_distance, features)

    @classmethod
    def compatibility_errors(cls, config: Config) -> Iterator[str]:
        options = config.model.game
        compared = options["features"] is not None and options["perceptual"]
        if not compared and not options["reconstruction"]:
            yield (
                "model.game.reconstruction: is 0, and no features are compared, so that nothing "
                "ties the output to the target; type model.game.reconstruction=1, or "
                "model.game.features.name=vgg19"
            )

    def place(self, device: torch.device) -> None:
        super().place(device)
        self.content.place(device)

    def turns(self, step: int) -> Iterator[Turn]:  # noqa: ARG002
        yield Turn("generator", self.generator_loss)

    def generator_loss(self, batch: Batch) -> Terms:
        return self.content.terms(self.generate(batch["source"]), batch["target"])

    def generate(self, source: Tensor) -> Tensor:
        """Returns enlarged images, in [-1, 1] up to what the network overshoots."""
        large: Tensor = self.networks["generator"](source)
        return large

    def inputs(self, target: str) -> tuple[str, ...]:  # noqa: ARG002
        return ("source",)

    def sample(self, request: Request) -> Tensor:
        return self.generate(request.given["source"][list(range(len(request)))].to(self.device))

    def preview(self, batch: Batch) -> dict[str, PreviewContent]:
        """Returns the small image, its bicubic enlargement, the output and the truth."""
        source, target = batch["source"], batch["target"]
        bicubic = enlarged(to_uint8(source.cpu()), target.shape[2:])
        baseline = (bicubic.to(source.device) / 127.5 - 1).expand_as(target)
        return {"comparison": (source, baseline, self.generate(source), target)}
