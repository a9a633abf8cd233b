"""pix2pix (Isola et al. 2017, arXiv:1611.07004): from image to image, learned from pairs."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.config.ranges import NonNegative
from gan_cli.config.registry import Component
from gan_cli.config.schema import Config
from gan_cli.data.kinds.image import CHANNELS
from gan_cli.data.spec import Spec
from gan_cli.games.game import Batch, PreviewContent, Turn, games
from gan_cli.games.judged_outputs import JudgedOutputs
from gan_cli.games.request import Request
from gan_cli.losses.feature_matching import feature_matching
from gan_cli.losses.objective import Objective
from gan_cli.losses.penalty import Critic
from gan_cli.losses.reconstruction import Distance, distance
from gan_cli.losses.terms import Terms
from gan_cli.networks import networks
from gan_cli.utils.noise import Noise


@games.register("pix2pix")
class Pix2Pix(JudgedOutputs):
    """A generator from "source" to "target" against a discriminator that sees both, Equation 4.

    The loss of the generator is `adversarial` times that of the objective, plus `reconstruction`
    times the `distance` to the target, plus `feature_matching` times the difference of the
    discriminator's features (pix2pixHD: Wang et al. 2018, arXiv:1711.11585, Equation 4). With
    adversarial=0 the discriminator is not trained.

    With conditional=false the discriminator sees the target alone (Section 4.1, "L1+GAN").
    """

    players = {"discriminator": ("discriminator",), "generator": ("generator",)}
    augments_together = True
    capturable = True

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        reconstruction: NonNegative = 100.0,  # weight of the distance to the target
        distance: Distance = "l1",  # l1, l2 or smooth_l1
        adversarial: NonNegative = 1.0,  # weight of the adversarial loss
        feature_matching: NonNegative = 0.0,  # weight of features of the discriminator
        conditional: bool = True,  # does the discriminator see the source, too?
    ) -> None:
        super().__init__(networks, objective)
        self.reconstruction, self.distance, self.adversarial = reconstruction, distance, adversarial
        self.feature_matching, self.sees_source = feature_matching, conditional
        self.constrain()

    @classmethod
    def compatibility_errors(cls, config: Config) -> Iterator[str]:
        options = config.model.game
        weights = ("reconstruction", "adversarial", "feature_matching")
        if not any(options[key] for key in weights):
            yield "model.game.reconstruction: all weights are 0; set reconstruction=100, say"
        name = config.model.networks.get("discriminator", {}).get("name", "")
        if options["feature_matching"]:
            if not hasattr(networks.entries.get(name), "maps"):
                yield (
                    f"model.game.feature_matching: the discriminator '{name}' has no maps(); use "
                    "patchgan, or feature_matching=0"
                )
            if not options["adversarial"]:
                yield (
                    "model.game.feature_matching: with adversarial=0 the discriminator is not "
                    "trained, and its features are random; set adversarial=1, or feature_matching=0"
                )

    @classmethod
    def spec_of(cls, role: str, spec: Spec, options: Component) -> Spec:
        """Returns, for the discriminator, the spec of targets with the channels of the source."""
        if role != "discriminator" or not options["conditional"] or "source" not in spec.fields:
            return spec
        channels, *size = spec.shape
        return spec.with_shape((channels + spec.fields["source"].shape[0], *size))

    def turns(self, step: int) -> Iterator[Turn]:
        """Yields the generator's turn first; the critic's first turn then reuses its fakes."""
        self.objective.schedule(step)
        yield Turn("generator", self.generator_loss)
        if self.adversarial:
            yield from self.critic_turns("discriminator", self.discriminator_loss, step)

    def generator_loss(self, batch: Batch) -> Terms:
        fake = self.generate(batch["source"])
        batch["fake"] = fake.detach()  # for the critic's turn on the same batch
        terms = Terms({})
        if self.adversarial:
            critic = self.critic("discriminator", batch)
            played = self.objective.generator_terms(critic, (fake,), (batch["target"],))
            terms |= played.times(self.adversarial)
        if self.reconstruction:
            error = distance(self.distance, fake, batch["target"])
            terms |= Terms({"reconstruction": self.reconstruction * error})
        if self.feature_matching:
            terms |= Terms({"feature_matching": self.feature_matching * self.matching(batch, fake)})
        return terms

    def matching(self, batch: Batch, fake: Tensor) -> Tensor:
        """Returns the difference between the discriminator's features of outputs and targets."""
        discriminator: Any = self.networks["discriminator"]
        with torch.no_grad():
            wanted = discriminator.maps(self.seen(batch["target"], batch))
        return feature_matching(discriminator.maps(self.seen(fake, batch)), wanted)

    def critic(self, role: str, batch: Batch) -> Critic:
        """Returns the discriminator as a function of targets; one draw augments both images."""
        network = self.networks[role]
        return lambda sample: network(self.seen(sample, batch))

    def seen(self, sample: Tensor, batch: Batch) -> Tensor:
        """Returns what the discriminator sees of targets, augmented: source and target."""
        if not self.sees_source:
            return self.augment(sample)
        sample, source = self.augment_together(sample, batch["source"])
        return torch.cat([source.to(sample.dtype), sample], 1)

    def sample(self, request: Request) -> Tensor:
        source: Any = request.given["source"]
        return self.translate(source.to(self.device), request.layer_noise)

    def translate(self, source: Tensor, noise: Noise) -> Tensor:
        """Returns outputs (N, *shape); a generator that drops units takes them from `noise`."""
        generator = self.networks["generator"]
        if not takes_noise(generator):
            return generator(source)
        return generator(source, noise=noise)

    def preview(self, batch: Batch) -> dict[str, PreviewContent]:
        """Returns sources, each next to its output and its target."""
        source, noise = batch["source"], Request(range(len(batch["source"]))).layer_noise
        return {"translations": (drawn(source), self.translate(source, noise), batch["target"])}


def drawn(images: Tensor) -> Tensor:
    """Returns images that have a picture: one-hot label maps as gray values of the classes."""
    classes = images.shape[1]
    if classes in CHANNELS:
        return images
    return images.argmax(1, keepdim=True) * (2 / (classes - 1)) - 1


def takes_noise(generator: nn.Module) -> bool:
    """Whether a generator has units to drop that the noise of samples chooses."""
    return getattr(generator, "sampling_noise", False) is True
