"""Sampling of sequences and their continuations; only time steps are a loop."""

import torch
from torch import Tensor

from gan_cli.networks.layers.sequences import SequenceGenerator, State


def drawn(logits: Tensor) -> Tensor:
    """Draws a token (N,) from each row of logits (N, V)."""
    return at_quantile(logits, torch.rand(len(logits), device=logits.device))


@torch.no_grad()
def sequences(policy: SequenceGenerator, rows: int) -> Tensor:
    """Draws sequences (N, T)."""
    state, token, tokens = policy.start(rows), None, []
    for _ in range(policy.length):
        logits, state = policy.step(token, state)
        token = drawn(logits)
        tokens.append(token)
    return torch.stack(tokens, 1)


@torch.no_grad()
def seeded_sequences(
    policy: SequenceGenerator, uniform: Tensor, temperature: float, prompt: Tensor
) -> Tensor:
    """Draws sequences (N, T) by uniform numbers (N, T), each after the same prompt (P,)."""
    state, token, tokens = policy.start(len(uniform)), None, []
    for t, u in enumerate(uniform.unbind(1)):
        logits, state = policy.step(token, state)
        if t < len(prompt):
            token = prompt[t].expand(len(uniform))
        else:
            token = at_quantile(logits / temperature, u)
        tokens.append(token)
    return torch.stack(tokens, 1)


def at_quantile(logits: Tensor, u: Tensor) -> Tensor:
    """Returns the tokens (N,) whose part of the cumulative probability holds u (N,) in [0, 1).

    Ten times as fast as torch.multinomial on a CPU, for 64 tokens.
    """
    total = logits.softmax(1).cumsum(1)
    passed = torch.searchsorted(total, u[:, None] * total[:, -1:], right=True)[:, 0]
    return passed.clamp(max=logits.shape[1] - 1)


@torch.no_grad()
def rollouts(policy: SequenceGenerator, tokens: Tensor, count: int) -> Tensor:
    """Completes all beginnings of sequences (N, T), `count` times each: (T - 1, count, N, T).

    Entry t - 1 continues the first t tokens. At time s, those of all t <= s are advanced at once,
    with the sequences themselves, whose state is where the next ones start.
    """
    rows, length = tokens.shape
    completed = tokens.expand(length - 1, count, rows, length).clone()
    _, state = policy.step(None, policy.start(rows))
    previous = tokens[:, 0]
    for s in range(1, length):
        logits, state = policy.step(previous, state)
        logits = torch.cat([logits[rows:], logits[:rows].repeat(count, 1)])
        state = with_copies(state, rows, count)
        token = drawn(logits)
        completed[:s, :, :, s] = token.view(s, count, rows)
        previous = torch.cat([tokens[:, s], token])
    return completed


def with_copies(state: State, rows: int, count: int) -> State:
    """Appends `count` copies of the first rows of a state."""
    return tuple(
        torch.cat([part, part[:rows].repeat(count, *[1] * (part.ndim - 1))]) for part in state
    )


def relaxed_sequences(
    policy: SequenceGenerator, rows: int, temperature: float
) -> tuple[Tensor, Tensor]:
    """Draws one-hot sequences (N, T, V), with the gradients of a softmax, and their log odds.

    The straight-through Gumbel-softmax: Jang et al. 2017 (arXiv:1611.01144), Section 2.2. The
    second tensor (N, T, V) holds the log probabilities from which the tokens were drawn.
    """
    state, token, tokens, logs = policy.start(rows), None, [], []
    for _ in range(policy.length):
        logits, state = policy.step(token, state)
        gumbel = -torch.empty_like(logits).exponential_().log()
        soft = ((logits + gumbel) / temperature).softmax(1)
        hard = one_hot(soft.argmax(1), policy.tokens)
        token = hard + (soft - soft.detach())  # exactly one-hot
        tokens.append(token)
        logs.append(logits.log_softmax(1))
    return torch.stack(tokens, 1), torch.stack(logs, 1)


def one_hot(tokens: Tensor, count: int) -> Tensor:
    """Token numbers (...) as float32 (..., count)."""
    return torch.nn.functional.one_hot(tokens, count).float()
