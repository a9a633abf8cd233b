"""Sentences of a stochastic regular grammar, whose probabilities are exact."""

from typing import Annotated

from gan_cli.config.ranges import Range, Samples, Seed
from gan_cli.data.automaton import Automaton, automaton_of
from gan_cli.data.dataset import datasets
from gan_cli.data.ground_truth import Law
from gan_cli.data.sets.known_text import KnownText
from gan_cli.data.spec import Field
from gan_cli.utils.errors import ConfigError

RULES = (
    "S -> the N | a N | the A [0.5]",
    "A -> small N | old N | small A [0.25]",
    "N -> cat V | dog V | bird V",
    "V -> sleeps | sees O | sees that S [0.25]",
    "O -> the M | a M",
    "M -> cat | dog | bird | dog and S [0.25]",
)
Length = Annotated[int, Range(least=1, most=1000)]


@datasets.register("grammar")
class Grammar(KnownText):
    """Sentences that `rules` make of their first name, given that they have at most `length` words.

    An alternative is words, of which the last may be a name of a rule; [0.5] is its weight.
    """

    def __init__(
        self,
        *,
        rules: tuple[str, ...] = RULES,
        length: Length = 12,
        count: Samples = 10_000,
        held_out: Samples = 2000,
        seed: Seed = 0,
    ) -> None:
        self.automaton: Automaton = automaton_of(rules, length)
        if self.automaton.mass <= 0:
            raise ConfigError(
                f"length: the rules make no sentence of at most {length} words; type a larger one"
            )
        vocabulary = ("", *self.automaton.words)
        field = Field("tokens", vocabulary=vocabulary, separator=" ")
        super().__init__(self.automaton.draw, field, count, held_out, seed)

    def law(self) -> Law:
        return Law(self.automaton.log_probability, self.automaton.entropy())
