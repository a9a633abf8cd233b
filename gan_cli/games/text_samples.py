"""How games of text draw samples: after a prompt, at a temperature."""

from typing import Any, cast

import torch
from torch import Tensor

from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.games.rollouts import seeded_sequences
from gan_cli.networks.layers.sequences import SequenceGenerator
from gan_cli.utils.errors import ConfigError


class TextSamples(Game):
    """The half of a game that draws."""

    temperature: float  # of samples, where a request names none

    @property
    def generator(self) -> SequenceGenerator:
        return cast(SequenceGenerator, self.networks["generator"])

    def check_prompt(self, request: Request) -> None:
        """Raises ConfigError if the prompt is longer than a text, or if there is a truncation."""
        length, given = self.generator.length, len(request.prompt)
        if given > length:
            raise ConfigError(
                f"prompt: has {given} tokens, and the texts of this model {length}; type a shorter "
                "one"
            )
        if request.truncation is not None:
            raise ConfigError(
                "truncation: is for latents, and text has none; type temperature=0.7 for safer "
                "samples"
            )

    def protocol(self, request: Request) -> dict[str, Any]:
        """Returns the temperature of the samples of a request."""
        return {"temperature": request.temperature or self.temperature}

    def sample(self, request: Request) -> Tensor:
        """Returns texts (N, T), which begin with the prompt."""
        uniform = request.noise.uniform(self.generator.length).to(self.device)
        temperature = request.temperature or self.temperature
        prompt = torch.tensor(request.prompt, dtype=torch.long, device=self.device)
        return seeded_sequences(self.generator, uniform, temperature, prompt)
