"""Text of your own: characters, words, or the tokens of a file of the library tokenizers."""

import logging
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from gan_cli.config.ranges import Count, Range, Seed
from gan_cli.data.dataset import datasets
from gan_cli.data.files.texts import read_texts
from gan_cli.data.files.tokenization import Tokenization, tokenized
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.spec import Field
from gan_cli.utils.errors import ConfigError

HERE = "dataset.path"
FITTING = 0.9  # share of the lines that fit a sequence, from which on a line is a sample
HeldOutShare = Annotated[float, Range(least=0, below=1)]
log = logging.getLogger("gan_cli")


@datasets.register("text")
class Text(InMemory):
    """A text file, or the *.txt of a folder or zip. A sample is a line, or a window of text."""

    def __init__(
        self,
        *,
        path: str,
        unit: str = "characters",
        samples: Literal["lines", "windows"] | None = None,
        length: Count = 20,
        stride: Count | None = None,
        lower: bool = False,
        vocabulary_size: Annotated[int, Range(least=2, limit=2**20)] | None = None,
        held_out: HeldOutShare = 0.1,
        seed: Seed = 0,
    ) -> None:
        texts = read_texts(path)
        texts = [text.lower() for text in texts] if lower else texts
        lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
        if not lines:
            raise ConfigError(f"{HERE}: {path} holds no text; type the path of another one")
        found = tokenized(lines, unit, vocabulary_size, True, "dataset.unit")
        fit = [line for line in found.texts if len(line) <= length]
        by_line = samples == "lines" or (samples is None and len(fit) >= FITTING * len(lines))
        if by_line:
            tokens = ended(fit, length, len(lines))
            train, held = divided(tokens, held_out, seed)
        else:
            found = tokenized(texts, unit, vocabulary_size, False, "dataset.unit")
            tokens = windows(found, length, stride or length)
            kept = len(tokens) - round(held_out * len(tokens))
            train, held = tokens[:kept], tokens[kept:]
        self.held = held
        field = Field(
            "tokens",
            vocabulary=found.vocabulary,
            separator=found.separator,
            tokenizer=found.tokenizer,
        )
        super().__init__({"real": train}, field=field)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:
        return frozenset({"real", "held_out"} if options.get("held_out") else {"real"})

    def held_out(self, count: int | None = None) -> dict[str, Tensor]:
        if not len(self.held):
            raise ConfigError("dataset.held_out: is 0, so no text is held out; type 0.1, say")
        return {"real": self.held[:count]}


def ended(lines: list[list[int]], length: int, count: int) -> Tensor:
    """Returns lines of at most `length` tokens (N, length), filled with the token END, 0."""
    if not lines:
        raise ConfigError(
            f"dataset.length: all {count:,} lines are longer than {length} tokens; type a larger "
            "length, or dataset.samples=windows, which cuts running text"
        )
    if len(lines) < count:
        log.warning(
            "dataset: %s of %s lines are longer than %s tokens and are left out; dataset.length=N "
            "keeps longer ones",
            f"{count - len(lines):,}", f"{count:,}", length,
        )  # fmt: skip
    tokens = torch.zeros(len(lines), length, dtype=torch.long)
    for row, line in zip(tokens, lines, strict=True):
        row[: len(line)] = torch.tensor(line)
    return tokens


def windows(found: Tokenization, length: int, stride: int) -> Tensor:
    """Returns windows (N, length) of running texts, each `stride` tokens after the last."""
    cut = [
        torch.tensor(text).unfold(0, length, stride) for text in found.texts if len(text) >= length
    ]
    if not cut:
        longest = max(map(len, found.texts))
        raise ConfigError(
            f"dataset.length: the text has {longest:,} tokens, fewer than the {length:,} of a "
            f"sequence; type dataset.length={max(longest // 2, 1)}, or give a longer text"
        )
    return torch.cat(cut).contiguous()


def divided(tokens: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Returns the sequences to train on, and a share of the different ones, held out."""
    different, which = tokens.unique(dim=0, return_inverse=True)
    order = torch.randperm(len(different), generator=torch.Generator().manual_seed(seed))
    held = order[: round(share * len(different))]
    out = torch.zeros(len(different), dtype=torch.bool)
    out[held] = True
    return tokens[~out[which]], different[held]
