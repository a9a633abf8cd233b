"""How games of text draw samples: after a prompt, at a temperature."""

from typing import cast

from torch import Tensor

from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.games.rollouts import seeded_sequences
from gan_cli.networks.layers.sequences import SequenceGenerator


class TextSamples(Game):
    """The half of a game that draws."""

    temperature: float  # of samples, where a request names none

    def sample(self, request: Request) -> Tensor:
        generator = cast(SequenceGenerator, self.networks["generator"])
        uniform = request.noise.uniform(generator.length).to(self.device)
        return seeded_sequences(generator, uniform, self.temperature)
