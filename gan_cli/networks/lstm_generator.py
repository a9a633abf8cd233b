"""The LSTM generator of SeqGAN: Yu et al. 2017 (arXiv:1609.05473), Section "The Generative Model".

The cell is that of Hochreiter & Schmidhuber 1997 with a forget gate, and one bias a gate.
"""

import torch
from torch import Tensor, nn

from gan_cli.config.ranges import Positive, Units
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.sequences import (
    SequenceGenerator,
    State,
    embedded,
    initialize_normal,
)
from gan_cli.networks.network import networks


@networks.register("lstm_generator")
class LSTMGenerator(SequenceGenerator):
    """A recurrent network of one layer; 333,320 parameters as published, for 5,000 tokens."""

    def __init__(
        self,
        spec: Spec,
        *,
        embedding: Units = 32,  # length of the vector of a token
        width: Units = 32,  # units of the cell
        init_std: Positive = 0.1,  # of all weights
    ) -> None:
        super().__init__(spec)
        self.width = width
        self.embedding = nn.Parameter(torch.empty(self.tokens, embedding))
        self.from_input = nn.Linear(embedding, 4 * width)
        self.from_state = nn.Linear(width, 4 * width, bias=False)
        self.output = nn.Linear(width, self.tokens)
        initialize_normal(self, init_std)

    def start(self, rows: int) -> State:
        zeros = self.embedding.new_zeros(rows, self.width)
        return zeros, zeros

    def advance(self, previous: Tensor, state: State) -> tuple[Tensor, State]:
        gates = self.from_input(embedded(previous, self.embedding))
        state = self.cell(gates, state)
        return self.output(state[0]), state

    def all_logits(self, inputs: Tensor) -> Tensor:
        gates = self.from_input(embedded(inputs, self.embedding))  # (N, T, 4 width), all at once
        state, outputs = self.start(inputs.shape[0]), []
        for gate in gates.unbind(1):
            state = self.cell(gate, state)
            outputs.append(state[0])
        return self.output(torch.stack(outputs, 1))

    def cell(self, gates: Tensor, state: State) -> State:
        """Returns the output and the memory after an input with these gates (N, 4 width)."""
        h, c = state
        inner, update, forget, out = (gates + self.from_state(h)).chunk(4, 1)
        c = torch.sigmoid(forget) * c + torch.sigmoid(update) * torch.tanh(inner)
        return torch.sigmoid(out) * torch.tanh(c), c
