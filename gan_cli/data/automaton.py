"""Stochastic regular grammars as automata: sampling, exact probabilities and entropy.

The law is that of sentences of at most `length` words. Probabilities are summed over derivations by
the forward algorithm, so that ambiguous grammars are exact, too.
"""

import re
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from gan_cli.utils.errors import ConfigError

RULE = re.compile(r"\s*(\S+)\s*->(.*)")
WEIGHT = re.compile(r"\[\s*([0-9.eE+-]+)\s*\]\s*$")
MOST_BELIEFS = 500  # distributions of the state after as many words
Alternative = tuple[float, list[str]]  # weight, words


class Automaton:
    """States with probabilities of (word, next state) and of the end; state 0 is the first."""

    def __init__(self, words: Sequence[str], moves: Tensor, ends: Tensor, length: int) -> None:
        self.words, self.length = tuple(words), length
        self.moves, self.ends = moves, ends  # (W, S, S), (S,), float64
        total, left = moves.sum(0), [ends]
        for _ in range(length):
            left.append(ends + total @ left[-1])
        self.left = torch.stack(left)  # (T + 1, S): probability to end within t words

    @property
    def mass(self) -> float:
        """Probability of a sentence of at most `length` words."""
        return self.left[-1, 0].item()

    @cached_property
    def choices(self) -> Tensor:
        """Probabilities (T + 1, S, 1 + W S), given that t words are left, to end or to move."""
        states = len(self.ends)
        reached = torch.cat([torch.zeros(1, states, dtype=torch.float64), self.left[:-1]])
        moves = self.moves.permute(1, 0, 2)[None] * reached[:, None, None, :]  # (T + 1, S, W, S)
        ends = self.ends.expand(len(self.left), -1)[..., None]
        joint = torch.cat([ends, moves.flatten(2)], 2)
        return joint / self.left[..., None].clamp(min=torch.finfo(torch.float64).tiny)

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """Draws sentences (count, T); word i is token i + 1, and token 0 follows the end."""
        tokens = torch.zeros(count, self.length, dtype=torch.long)
        state = torch.zeros(count, dtype=torch.long)
        going = torch.ones(count, dtype=torch.bool)
        for t in range(self.length):
            rows = going.nonzero()[:, 0]
            if not len(rows):
                break
            shares = self.choices[self.length - t, state[rows]]
            choice = torch.multinomial(shares, 1, generator=random)[:, 0] - 1
            going[rows] = choice >= 0
            moved, choice = rows[choice >= 0], choice[choice >= 0]
            tokens[moved, t] = choice // len(self.ends) + 1
            state[moved] = choice % len(self.ends)
        return tokens

    def log_probability(self, tokens: Tensor) -> Tensor:
        """Returns the log probability (N,) float64 of sentences (N, T); -inf if impossible."""
        tokens = tokens.cpu()
        forward = torch.zeros(len(tokens), len(self.ends), dtype=torch.float64)
        forward[:, 0] = 1
        ended = torch.zeros(len(tokens), dtype=torch.bool)
        possible = torch.ones(len(tokens), dtype=torch.bool)
        for token in tokens.unbind(1):
            possible &= ~(ended & (token != 0))
            ended |= token == 0
            moved = torch.einsum("ns,nsr->nr", forward, self.moves[(token - 1).clamp(min=0)])
            forward = torch.where(ended[:, None], forward, moved)
        total = (forward @ self.ends) * possible
        return total.log() - self.left[-1, 0].log()

    def entropy(self) -> float | None:
        """Returns the entropy in nats per sentence; None of grammars with too many states of mind.

        What has been said matters by the distribution of the state alone. Sentences that lead to
        the same one are taken together.
        """
        start = tuple(torch.eye(len(self.ends), dtype=torch.float64)[0].tolist())
        beliefs, entropy = {start: 1.0}, 0.0
        for left in range(self.length, -1, -1):
            found: dict[tuple[float, ...], float] = {}
            for belief, mass in beliefs.items():
                state = torch.tensor(belief, dtype=torch.float64)
                moved = torch.einsum("s,wsr->wr", state, self.moves)
                going = moved @ self.left[left - 1] if left else torch.zeros(len(moved))
                shares = torch.cat([(state @ self.ends)[None], going.double()])
                shares = shares / shares.sum()
                entropy -= mass * torch.special.xlogy(shares, shares).sum().item()
                for word in shares[1:].nonzero()[:, 0].tolist():
                    following = moved[word] / moved[word].sum()
                    key = tuple(following.mul(1e12).round().div(1e12).tolist())
                    found[key] = found.get(key, 0.0) + mass * shares[word + 1].item()
            if len(found) > MOST_BELIEFS:
                return None
            beliefs = found
        return entropy


def automaton_of(rules: Sequence[str], length: int) -> Automaton:
    """Returns the automaton of rules such as "S -> the N | a N [0.5]"; the first rule starts."""
    parsed = parsed_rules(rules)
    names = list(parsed)
    words = sorted({word for alternatives in parsed.values() for _, a in alternatives for word in a}
                   - parsed.keys())  # fmt: skip
    if not words:
        raise ConfigError("rules: they make no words; type a rule such as 'S -> word'")
    states = {name: i for i, name in enumerate(names)}
    moves: list[tuple[int, int, int, float]] = []  # word, from, to, probability
    jumps: list[tuple[int, int, float]] = []  # from, to
    ends: list[tuple[int, float]] = []
    count = len(names)
    for name, alternatives in parsed.items():
        total = sum(weight for weight, _ in alternatives)
        for weight, text in alternatives:
            *text, last = text if text and text[-1] in states else [*text, ""]
            state, share = states[name], weight / total
            for word in text:
                moves.append((words.index(word), state, count, share))
                state, share, count = count, 1.0, count + 1
            if last:
                jumps.append((state, states[last], share))
            else:
                ends.append((state, share))
    return joined(words, count, moves, jumps, ends, length)


def joined(
    words: Sequence[str],
    count: int,
    moves: Sequence[tuple[int, int, int, float]],
    jumps: Sequence[tuple[int, int, float]],
    ends: Sequence[tuple[int, float]],
    length: int,
) -> Automaton:
    """Returns an automaton without jumps, which are moves without a word."""
    move = torch.zeros(len(words), count, count, dtype=torch.float64)
    jump = torch.zeros(count, count, dtype=torch.float64)
    end = torch.zeros(count, dtype=torch.float64)
    for word, start, to, share in moves:
        move[word, start, to] += share
    for start, to, share in jumps:
        jump[start, to] += share
    for start, share in ends:
        end[start] += share
    stay = torch.eye(count, dtype=torch.float64) - jump
    if torch.linalg.matrix_rank(stay) < count:
        raise ConfigError("rules: some lead to each other forever, without a word between them")
    reach = torch.linalg.inv(stay).clamp(min=0)
    return Automaton(words, reach @ move, reach @ end, length)


def parsed_rules(rules: Sequence[str]) -> dict[str, list[Alternative]]:
    """Returns the alternatives of each name, with their weights."""
    parsed: dict[str, list[Alternative]] = {}
    for rule in rules:
        found = RULE.fullmatch(rule)
        if not found:
            raise ConfigError(f"rules: cannot read {rule!r}; type a rule as 'S -> the N | a N'")
        name, right = found.groups()
        parsed.setdefault(name, []).extend(alternative(text, rule) for text in right.split("|"))
    for alternatives in parsed.values():
        for _, words in alternatives:
            for word in words[:-1]:
                if word in parsed:
                    raise ConfigError(
                        f"rules: {word!r} is the name of a rule, and may only be the last word of "
                        f"an alternative, not as in {' '.join(words)!r}"
                    )
    if not parsed:
        raise ConfigError("rules: lists none; type a rule such as 'S -> the N | a N'")
    return parsed


def alternative(text: str, rule: str) -> Alternative:
    """Returns the weight and the words of an alternative."""
    found = WEIGHT.search(text)
    if not found:
        return 1.0, text.split()
    try:
        weight = float(found[1])
    except ValueError:
        weight = 0.0
    if not 0 < weight < float("inf"):
        raise ConfigError(f"rules: the weight [{found[1]}] in {rule!r} is no number above 0")
    return weight, text[: found.start()].split()
