"""Generators of token sequences: one token after the other, each given those before it."""

from typing import TypeVar

import torch
from torch import Tensor, nn

from gan_cli.data.spec import Field, Spec
from gan_cli.utils.errors import ConfigError

State = tuple[Tensor, ...]  # what a generator remembers of the tokens so far, rows first
IMPOSSIBLE = -1e9  # a logit; finite, so that 0 times its log probability is 0
T = TypeVar("T", bound=nn.Module)


def token_field(spec: Spec) -> Field:
    """Returns the target of a spec, if it is a sequence of tokens; ConfigError otherwise."""
    field = spec.fields[spec.target]
    if field.kind != "tokens" or not field.vocabulary:
        raise ConfigError(
            f"name: is for text, and the samples are of kind {field.kind}; use dataset=text, "
            "oracle_lstm or grammar"
        )
    return field


def embedded(tokens: Tensor, weight: Tensor) -> Tensor:
    """Rows of `weight` (V, E): of token numbers (...), or their mixtures of one-hots (..., V)."""
    if tokens.is_floating_point():
        return tokens @ weight
    return nn.functional.embedding(tokens, weight)


def initialize_normal(network: T, std: float) -> T:
    """Draws all weights and biases from N(0, std^2)."""
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=std)
    return network


class SequenceGenerator(nn.Module):
    """Base class: the distribution of each token, given those before it.

    A subclass defines `start`, `advance` and `all_logits`. Token 0 precedes the first one. If the
    vocabulary has an empty text, it ends a sequence: after it, nothing else has a probability.
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        field = token_field(spec)
        self.length, self.tokens = field.shape[0], len(field.vocabulary)
        self.inputs_in_words = {"tokens": f"token numbers, 0 to {self.tokens - 1}"}
        self.end = field.vocabulary.index("") if "" in field.vocabulary else None

    def start(self, rows: int) -> State:
        """Returns the state before the first token."""
        raise NotImplementedError

    def advance(self, previous: Tensor, state: State) -> tuple[Tensor, State]:
        """Returns logits (N, V) of the next token, given the previous one (N,) or (N, V)."""
        raise NotImplementedError

    def all_logits(self, inputs: Tensor) -> Tensor:
        """Returns the logits (N, T, V) after each of the tokens (N, T)."""
        raise NotImplementedError

    def step(self, previous: Tensor | None, state: State) -> tuple[Tensor, State]:
        """Returns float32 logits (N, V) of the next token and the state; None: of the first one."""
        if previous is None:
            first = torch.zeros(len(state[0]), dtype=torch.long, device=state[0].device)
            logits, state = self.advance(first, state)
            return logits.float(), state
        logits, state = self.advance(previous, state)
        return self.with_ends(logits.float(), previous), state

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (N, T) to log probabilities (N, T, V) of each, given those before it."""
        first = torch.zeros_like(tokens[:, :1])
        logits = self.all_logits(torch.cat([first, tokens[:, :-1]], 1)).float()
        later = self.with_ends(logits[:, 1:], tokens[:, :-1])
        return torch.cat([logits[:, :1], later], 1).log_softmax(2)

    def with_ends(self, logits: Tensor, previous: Tensor) -> Tensor:
        """Returns logits (..., V), where after the end nothing else is possible."""
        if self.end is None:
            return logits
        token = previous.argmax(-1) if previous.is_floating_point() else previous
        ended = (token == self.end)[..., None]
        others = torch.arange(self.tokens, device=logits.device) != self.end
        return logits.masked_fill(ended & others, IMPOSSIBLE)

    def log_likelihood(self, tokens: Tensor) -> Tensor:
        """Returns the log probability (N,) of whole sequences (N, T)."""
        return self(tokens).gather(2, tokens[..., None])[..., 0].sum(1)
