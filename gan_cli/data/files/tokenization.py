"""From text to tokens: characters, words, or the tokens of a file of the library tokenizers."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from gan_cli.data.files.tokenizer_file import numbers_of, read_tokenizer, vocabulary_of
from gan_cli.data.spec import Field
from gan_cli.utils.errors import ConfigError

END = ""  # the token that ends a text: it has no text of its own
UNKNOWN = {"characters": "\ufffd", "words": "<unk>"}  # what rare tokens are replaced by
WORD = re.compile(r"\w+(?:['\u2019-]\w+)*|[^\w\s]")  # a word, or a punctuation mark


@dataclass(frozen=True)
class Tokenization:
    """The tokens of texts, as numbers, and the text of each number."""

    vocabulary: tuple[str, ...]
    texts: list[list[int]]  # the tokens of each text
    separator: str  # between the texts of two tokens
    tokenizer: str = ""  # content of the file of tokenizers, if there is one


def tokenized(
    texts: Sequence[str], unit: str, most: int | None, ends: bool, where: str
) -> Tokenization:
    """Returns the tokens of texts; `ends` adds END to the vocabulary, as token 0.

    At most `most` tokens are kept, the most frequent ones.
    """
    if unit not in UNKNOWN:
        return by_file(texts, unit, ends, where)
    split = [list(text) if unit == "characters" else WORD.findall(text) for text in texts]
    counted = Counter(token for tokens in split for token in tokens)
    first = [END] if ends else []
    known = sorted(counted, key=lambda token: (-counted[token], token))
    if most is not None and len(known) + len(first) > most:
        first = [*first, UNKNOWN[unit]]
        known = known[: max(most - len(first), 0)]
    vocabulary = tuple(first + sorted(known))
    number = {token: i for i, token in enumerate(vocabulary)}
    unknown = number.get(UNKNOWN[unit], 0)
    numbers = [[number.get(token, unknown) for token in tokens] for tokens in split]
    return Tokenization(vocabulary, numbers, "" if unit == "characters" else " ")


def by_file(texts: Sequence[str], given: str, ends: bool, where: str) -> Tokenization:
    """Returns the tokens of texts by the file of a tokenizer, which are counted after END."""
    content = read_tokenizer(given, where)
    first = [END] if ends else []
    numbers = numbers_of(content, texts, where)
    shifted = [[number + len(first) for number in text] for text in numbers]
    vocabulary = (*first, *vocabulary_of(content, where))
    return Tokenization(vocabulary, shifted, "", content)


def prompt_tokens(field: Field, text: str) -> list[int]:
    """Returns the tokens of a prompt; ConfigError if it has others than the vocabulary."""
    if not field.vocabulary:
        raise ConfigError("prompt: is for models of text, and this is none; leave it out")
    if field.tokenizer:
        ends = int(field.vocabulary[0] == END)
        [numbers] = numbers_of(field.tokenizer, [text], "prompt")
        return [number + ends for number in numbers]
    words = any(len(token) > 1 for token in field.vocabulary) and field.separator != ""
    tokens = WORD.findall(text) if words else list(text)
    number = {token: i for i, token in enumerate(field.vocabulary)}
    unknown = list(dict.fromkeys(token for token in tokens if token not in number))
    if unknown:
        listed = ", ".join(repr(token) for token in unknown[:5])
        near = [n for token in unknown[:1] for n in get_close_matches(token, number, 1) if n]
        lower = all(token.lower() in number for token in tokens)
        advice = f"type prompt={text.lower()!r}" if lower else "type tokens of the training text"
        advice = f"did you mean {near[0]!r}?" if near and not lower else advice
        raise ConfigError(f"prompt: the model does not know {listed}; {advice}")
    return [number[token] for token in tokens]
