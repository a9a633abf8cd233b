"""BLEU of many texts at once, each against all others or all of a reference.

Papineni et al. 2002 (ACL P02-1040), pooled over the texts, without smoothing. Equals corpus_bleu of
sacrebleu with each reference given to each text, in time linear in the texts: of the counts in all
references only the largest matters, and without one's own the second largest.
"""

import math
from collections import Counter
from collections.abc import Sequence

Words = Sequence[int]
Gram = tuple[int, ...]


def grams(text: Words, n: int) -> Counter[Gram]:
    """Returns how often each n tokens in a row occur in a text."""
    return Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1))


class References:
    """The largest count of each n-gram in a text, and the lengths of the texts."""

    def __init__(self, texts: Sequence[Words], order: int) -> None:
        self.order, self.lengths = order, Counter(len(text) for text in texts)
        self.most: dict[Gram, tuple[int, int, int]] = {}  # largest, its text, the next largest
        for i, text in enumerate(texts):
            for n in range(1, order + 1):
                for gram, count in grams(text, n).items():
                    first, owner, second = self.most.get(gram, (0, -1, 0))
                    if count > first:
                        self.most[gram] = (count, i, first)
                    elif count > second:
                        self.most[gram] = (first, owner, count)

    def matches(self, text: Words, n: int, without: int = -1) -> int:
        """Returns how many n-grams of a text are in a reference, but for that of this number."""
        found = 0
        for gram, count in grams(text, n).items():
            first, owner, second = self.most.get(gram, (0, -1, 0))
            found += min(count, second if owner == without else first)
        return found

    def nearest(self, length: int, own: bool) -> int:
        """Returns the length of a reference that is nearest to `length`, the shorter of two."""
        lengths = (
            other for other, count in self.lengths.items() if count > (own and other == length)
        )
        return min(lengths, key=lambda other: (abs(other - length), other))


def bleu(texts: Sequence[Words], references: Sequence[Words] | None, order: int) -> float:
    """Returns the BLEU in [0, 1] of texts; None: each against all others, which is self-BLEU."""
    own = references is None
    known = References(texts if references is None else references, order)
    matched, total, length, wanted = [0] * order, [0] * order, 0, 0
    for i, text in enumerate(texts):
        length += len(text)
        wanted += known.nearest(len(text), own)
        for n in range(1, order + 1):
            matched[n - 1] += known.matches(text, n, i if own else -1)
            total[n - 1] += max(len(text) - n + 1, 0)
    if not all(matched):
        return 0.0
    precision = sum(math.log(m / t) for m, t in zip(matched, total, strict=True)) / order
    return math.exp(precision + min(0.0, 1 - wanted / length))


def distinct(texts: Sequence[Words], n: int) -> float:
    """Returns the share of different n-grams among all: Li et al. 2016 (arXiv:1510.03055)."""
    every = sum((grams(text, n) for text in texts), Counter[Gram]())
    return len(every) / max(sum(every.values()), 1)
