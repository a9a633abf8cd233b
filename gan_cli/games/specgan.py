"""SpecGAN (Donahue et al. 2019, arXiv:1802.04208): a GAN of spectrograms, heard as sound."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from gan_cli.config.ranges import Natural, NonNegative, Range
from gan_cli.config.registry import Component
from gan_cli.config.schema import Config
from gan_cli.data.dataset import Dataset, pick
from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Field, Spec
from gan_cli.games.game import Batch, games
from gan_cli.games.gan import GAN
from gan_cli.games.request import Request
from gan_cli.games.spectrograms import inverted, log_amplitudes
from gan_cli.losses.objective import Objective
from gan_cli.losses.terms import Terms
from gan_cli.networks.layers.sound_sizes import check_sound
from gan_cli.utils.errors import ConfigError

Window = Annotated[int, Range(least=16, most=65_536)]
MEASURED = 4096  # sounds whose amplitudes are averaged
PART = 64  # sounds at a time
FAKES = ("fake", "fake_latent")  # keys that a generator's turn leaves in the batch


@games.register("specgan")
class SpecGAN(GAN):
    """The generator makes spectrograms, which the critic compares with those of the data.

    Both see log amplitudes, standardized for each frequency and clipped. Samples are sounds, whose
    phases Griffin-Lim estimates.
    """

    augments = False

    def __init__(
        self,
        networks: nn.ModuleDict,
        objective: Objective,
        *,
        window: Window = 256,  # samples of a Fourier transform; twice the height of the images
        hop: Window = 128,  # samples from one transform to the next
        iterations: Natural = 16,  # of Griffin-Lim
        classify: tuple[NonNegative, NonNegative] = (1.0, 1.0),  # weights: discriminator, generator
        classify_fakes: bool = True,  # AC-GAN's discriminator classifies fakes, too
    ) -> None:
        super().__init__(networks, objective, classify=classify, classify_fakes=classify_fakes)
        self.window, self.hop, self.iterations = window, hop, iterations

    @classmethod
    def compatibility_errors(cls, config: Config) -> Iterator[str]:
        window, hop = config.model.game["window"], config.model.game["hop"]
        if window % 2 or not hop <= window // 2:
            yield (
                f"model.game.hop: windows of {window} samples every {hop} do not overlap by half; "
                "use an even window and at most half of it, such as window=256 hop=128"
            )

    @classmethod
    def spec_of(cls, role: str, spec: Spec, options: Component) -> Spec:  # noqa: ARG003
        """Returns the spec of images (C, window / 2, T / hop) of the spectrograms."""
        check_sound(spec)
        channels, length = spec.shape
        hop = options["hop"]
        if length % hop:
            raise ConfigError(
                f"name: sounds of {length} samples are no multiple of hop={hop}; type "
                f"dataset.length={max(length // hop, 1) * hop}"
            )
        image = Field("image", (channels, options["window"] // 2, length // hop))
        return replace(spec, fields={**spec.fields, spec.target: image})

    def look_at(self, dataset: Dataset) -> None:
        """Sets the mean and standard deviation of each frequency, of up to MEASURED sounds."""
        generator: Any = self.networks["generator"]
        target = dataset.spec.target
        to_model = kind_of(dataset.spec.fields[target]).to_model
        order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))
        total = squares = torch.zeros(1, dtype=torch.float64)
        count = 0
        for index in order[:MEASURED].sort().values.split(PART):
            sound = to_model(pick(dataset, target, index))
            level = log_amplitudes(sound, self.window, self.hop).double()
            total = total + level.sum((0, 1, 3))
            squares = squares + level.square().sum((0, 1, 3))
            count += level.numel() // level.shape[2]
        mean = total / count
        generator.set_statistics(mean, (squares / count - mean.square()).clamp(min=0).sqrt())

    def seen(self, batch: Batch) -> Batch:
        """Returns a batch whose real samples are spectrograms (N, C, window / 2, T / hop)."""
        generator: Any = self.networks["generator"]
        with torch.no_grad():
            level = log_amplitudes(batch["real"], self.window, self.hop)
            return Batch({**batch, "real": generator.to_image(level)})

    def discriminator_loss(self, batch: Batch, due: tuple[str, ...]) -> Terms:
        return super().discriminator_loss(self.seen(batch), due)

    def generator_loss(self, batch: Batch, due: tuple[str, ...] = ()) -> Terms:
        seen = self.seen(batch)
        terms = super().generator_loss(seen, due)
        batch.update({key: seen[key] for key in FAKES})  # for the critic's turn
        return terms

    def sample(self, request: Request) -> Tensor:
        generator: Any = self.networks["generator"]
        level = generator.to_level(super().sample(request))
        count = level[0].numel()
        phase = request.layer_noise.uniform(count).to(level.device)
        return inverted(level, phase, self.window, self.hop, self.iterations)

    def logits(self, samples: Tensor) -> None:  # noqa: ARG002
        """Returns None, since the critic takes spectrograms and not samples."""
        return
