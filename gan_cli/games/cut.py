"""CUT (Park et al. 2020, arXiv:2007.15651): from image to image without pairs, in one direction."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.config.ranges import Count, NonNegative, Positive
from gan_cli.config.registry import Component
from gan_cli.config.schema import Config
from gan_cli.data.spec import Spec
from gan_cli.games.game import Batch, PreviewContent, games
from gan_cli.games.judged_outputs import JudgedOutputs
from gan_cli.games.request import Request
from gan_cli.losses.objective import Objective
from gan_cli.losses.patch_nce import patch_nce
from gan_cli.losses.terms import Terms
from gan_cli.networks import networks
from gan_cli.utils.errors import ConfigError


@games.register("cut")
class CUT(JudgedOutputs):
    """A generator from "source" to "target" whose outputs keep the content of each patch.

    The generator minimizes `adversarial` times its loss against a discriminator of targets, plus
    `contrastive` times the contrastive loss of its sources and outputs, plus `identity` times that
    of targets and what it makes of them (Equation 5). Patches are compared by the maps of the
    generator's own first half, through the heads of the network "projector".
    """

    players = {"generator": ("generator", "projector"), "discriminator": ("discriminator",)}
    capturable = True

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        contrastive: NonNegative = 0.5,  # weight of the contrastive loss; FastCUT: 10
        identity: NonNegative = 0.5,  # of that of images that need no translation; FastCUT: 0
        adversarial: NonNegative = 1.0,  # weight of the adversarial loss of the generator
        patches: Count = 256,  # places compared in each map, at most all
        temperature: Positive = 0.07,  # of the contrastive loss
    ) -> None:
        super().__init__(networks, objective)
        self.contrastive, self.identity, self.adversarial = contrastive, identity, adversarial
        self.patches, self.temperature = patches, temperature
        check_projector(networks)
        self.constrain()

    @classmethod
    def compatibility_errors(cls, config: Config) -> Iterator[str]:
        name = config.model.networks.get("generator", {}).get("name", "")
        if not hasattr(networks.entries.get(name), "maps"):
            yield (
                f"model.networks.generator: '{name}' has no maps() to compare patches by; use "
                "resnet_translator, or model=cyclegan"
            )
        options = config.model.game
        if not options["adversarial"] or not options["contrastive"]:
            weight = "contrastive" if options["adversarial"] else "adversarial"
            yield f"model.game.{weight}: must be above 0; without it nothing is translated"

    @classmethod
    def spec_of(cls, role: str, spec: Spec, options: Component) -> Spec:  # noqa: ARG003
        """Returns `spec`; sources and outputs pass the same maps, and so have the same channels."""
        shapes = [spec.fields[side].shape for side in ("source", "target") if side in spec.fields]
        if len({shape[0] for shape in shapes}) > 1:
            raise ConfigError(
                f"model.game: CUT compares images of as many channels, and the source has "
                f"{shapes[0][0]}, the target {shapes[1][0]}; make them equal (dataset=unpaired "
                "has source_channels and channels), or use model=cyclegan"
            )
        return spec

    def generator_loss(self, batch: Batch) -> Terms:
        source, target = batch["source"], batch["target"]
        fake = self.generate(source)
        batch["fake"] = fake.detach()  # for the critic's turn on the same batch
        critic = self.critic("discriminator", batch)
        terms = self.objective.generator_terms(critic, (fake,), (target,)).times(self.adversarial)
        losses = {"contrastive": self.contrastive * self.difference(source, fake)}
        if self.identity:
            same = self.generate(target)
            losses["identity"] = self.identity * self.difference(target, same)
        return terms | Terms(losses)

    def difference(self, image: Tensor, output: Tensor) -> Tensor:
        """Returns the contrastive loss of outputs and what they were made of, over all maps."""
        generator: Any = self.networks["generator"]
        with torch.no_grad():
            wanted = generator.maps(image)
        # The places of largest random numbers are distinct, and a CUDA graph can draw them.
        places = [
            torch.rand(each[0, 0].numel(), device=each.device).argsort()[: self.patches]
            for each in wanted
        ]
        project = self.networks["projector"]
        with torch.no_grad():
            keys = project(wanted, places)
        queries = project(generator.maps(output), places)
        losses = [patch_nce(q, k, self.temperature) for q, k in zip(queries, keys, strict=True)]
        return torch.stack(losses).mean()

    def sample(self, request: Request) -> Tensor:
        source: Any = request.given["source"]
        return self.generate(source.to(self.device))

    def preview(self, batch: Batch) -> dict[str, PreviewContent]:
        """Returns sources, each next to its output."""
        return {"translations": (batch["source"], self.generate(batch["source"]))}


def check_projector(networks: nn.ModuleDict) -> None:
    """Raises ConfigError if the heads are for other maps than those of the generator."""
    maps, heads = (getattr(networks[r], "map_channels", None) for r in ("generator", "projector"))
    if maps != heads:
        raise ConfigError(
            f"model.networks.projector: its heads take maps of {heads} channels, and those of the "
            f"generator have {maps}; give it the width, blocks and halvings of the generator"
        )
