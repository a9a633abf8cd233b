"""Metrics of text: BLEU against the data and against each other, distinct n-grams, known words."""

import re
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from gan_cli.config.ranges import Count, Range
from gan_cli.data.kinds.tokens import texts_of
from gan_cli.data.spec import Field
from gan_cli.metrics.metric import Collected, Need, metrics
from gan_cli.metrics.ngrams import bleu, distinct
from gan_cli.utils.errors import ConfigError

Order = Annotated[int, Range(least=1, most=10)]
WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")


class TextMetric:
    """Base class: knows the vocabulary, and where texts end."""

    needs: ClassVar[frozenset[Need]] = frozenset({"samples"})
    featured: ClassVar[bool] = False
    minimum: ClassVar[int] = 2
    field: Field | None = None

    def open(self, field: Field, device: torch.device) -> None:  # noqa: ARG002
        """Takes the vocabulary of the data; ConfigError if they are no text."""
        if field.kind != "tokens":
            raise ConfigError(
                f"metrics: bleu, self_bleu, distinct and words are for text, and the samples are "
                f"of kind {field.kind}; leave them out, as with metrics=none"
            )
        self.field = field

    def tokens(self, side: Collected, count: int) -> list[list[int]]:
        """Returns the tokens of at most `count` texts, up to their end; data may be sorted."""
        assert side.samples is not None
        every = torch.arange(min(count, len(side.samples))) * len(side.samples)
        rows: list[list[int]] = side.samples[every // min(count, len(side.samples))].tolist()
        if self.field is None or "" not in self.field.vocabulary:
            return rows
        end = self.field.vocabulary.index("")
        return [row[: row.index(end)] if end in row else row for row in rows]


@metrics.register("bleu")
class Bleu(TextMetric):
    """Share of the n-grams of samples, n = 1 to `order`, that are in the data, in [0, 1].

    It sees no lack of diversity: one good text, repeated, has 1. At most `count` texts a side.
    """

    lower_is_better: ClassVar[bool] = False

    def __init__(self, *, order: Order = 4, count: Count = 2000) -> None:
        self.order, self.count = order, count

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        texts, references = self.tokens(fake, self.count), self.tokens(real, self.count)
        return {f"bleu_{self.order}": bleu(texts, references, self.order)}


@metrics.register("self_bleu")
class SelfBleu(TextMetric):
    """BLEU of each sample against all others: Zhu et al. 2018 (arXiv:1802.01886). Low is diverse.

    It grows with the number of texts, so values compare at equal counts, with that of the data.
    """

    lower_is_better: ClassVar[bool] = True

    def __init__(self, *, order: Order = 4, count: Count = 500) -> None:
        self.order, self.count = order, count

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        sides = {"": fake, "_of_data": real}
        return {
            f"self_bleu_{self.order}{name}": bleu(self.tokens(side, self.count), None, self.order)
            for name, side in sides.items()
        }


@metrics.register("distinct")
class Distinct(TextMetric):
    """Share of different n-grams among all of `count` samples, and of different texts."""

    lower_is_better: ClassVar[bool] = False

    def __init__(self, *, order: Order = 2, count: Count = 1000) -> None:
        self.order, self.count = order, count

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:  # noqa: ARG002
        texts = self.tokens(fake, self.count)
        values = {f"distinct_{n}": distinct(texts, n) for n in range(1, self.order + 1)}
        return {**values, "distinct_texts": len(set(map(tuple, texts))) / len(texts)}


@metrics.register("words")
class Words(TextMetric):
    """Share of the words of samples that are words of the data, all of which have to be collected.

    Of windows of running text the first and the last word, which may be cut, are left out.
    """

    lower_is_better: ClassVar[bool] = False

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:
        if self.field is None:
            raise ConfigError("metrics.compute.words: needs the vocabulary of a data set")
        known = set(words_of(self.field, real.samples))
        made = words_of(self.field, fake.samples)
        return {"valid_words": sum(word in known for word in made) / max(len(made), 1)}


def words_of(field: Field, samples: Tensor | None) -> list[str]:
    """Returns the words of stored texts (N, T), in lower case."""
    assert samples is not None
    whole = "" in field.vocabulary
    found: list[str] = []
    for text in texts_of(field, samples):
        words = WORD.findall(text.lower())
        found += words if whole else words[1:-1]
    return found
