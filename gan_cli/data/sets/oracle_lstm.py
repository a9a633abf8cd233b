"""The oracle of SeqGAN: Yu et al. 2017 (arXiv:1609.05473), Section "Synthetic Data Experiments".

An LSTM whose weights are all drawn from N(0, 1) and never trained. Its law is known, so that texts
are scored by their true probability.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from gan_cli.config.ranges import Count, Samples, Seed, Units
from gan_cli.data.dataset import datasets
from gan_cli.data.ground_truth import Law
from gan_cli.data.sets.known_text import KnownText
from gan_cli.data.spec import Field

ROWS = 2000  # sequences computed at a time


class RandomLSTM:
    """The random network; token 0 precedes the first one."""

    def __init__(self, tokens: int, width: int, length: int, seed: int) -> None:
        random = torch.Generator().manual_seed(seed)
        self.length, self.width = length, width
        shapes = [(tokens, width), (4 * width, width), (4 * width, width), (tokens, width)]
        drawn = (torch.randn(shape, generator=random) for shape in shapes)
        self.embedding, self.from_input, self.from_state, self.output = drawn
        self.bias, self.last = (torch.randn(n, generator=random) for n in (4 * width, tokens))

    def step(self, token: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns log probabilities (N, V) of the next token, and the state."""
        gates = self.embedding[token] @ self.from_input.T + h @ self.from_state.T + self.bias
        inner, update, forget, out = gates.chunk(4, 1)
        c = forget.sigmoid() * c + update.sigmoid() * inner.tanh()
        h = out.sigmoid() * c.tanh()
        return (h @ self.output.T + self.last).log_softmax(1), h, c

    def start(self, rows: int) -> tuple[Tensor, Tensor, Tensor]:
        zeros = torch.zeros(rows, self.width)
        return torch.zeros(rows, dtype=torch.long), zeros, zeros

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """Draws sequences (count, T)."""
        return torch.cat([self.drawn(rows, random) for rows in split(count)])

    def drawn(self, rows: int, random: torch.Generator) -> Tensor:
        token, h, c = self.start(rows)
        tokens = []
        for _ in range(self.length):
            log, h, c = self.step(token, h, c)
            token = torch.multinomial(log.exp(), 1, generator=random)[:, 0]
            tokens.append(token)
        return torch.stack(tokens, 1)

    def log_probability(self, tokens: Tensor) -> Tensor:
        """Returns the log probability (N,) float64 of sequences (N, T)."""
        return torch.cat([self.logs(part) for part in tokens.cpu().split(ROWS)])

    def logs(self, tokens: Tensor) -> Tensor:
        token, h, c = self.start(len(tokens))
        total = torch.zeros(len(tokens), dtype=torch.float64)
        for following in tokens.unbind(1):
            log, h, c = self.step(token, h, c)
            token = following
            total += log.gather(1, token[:, None])[:, 0].double()
        return total


def split(count: int) -> Iterator[int]:
    """Yields parts of a number of sequences."""
    for start in range(0, count, ROWS):
        yield min(ROWS, count - start)


@datasets.register("oracle_lstm")
class OracleLSTM(KnownText):
    """Sequences of a random LSTM, whose law is known."""

    def __init__(
        self,
        *,
        vocabulary: Units = 5000,
        length: Count = 20,
        width: Units = 32,
        count: Samples = 10_000,
        held_out: Samples = 2000,
        seed: Seed = 0,
    ) -> None:
        self.oracle = RandomLSTM(vocabulary, width, length, seed)
        words = tuple(str(i) for i in range(vocabulary))
        field = Field("tokens", vocabulary=words, separator=" ")
        super().__init__(self.oracle.draw, field, count, held_out, seed)

    def law(self) -> Law:
        return Law(self.oracle.log_probability)
