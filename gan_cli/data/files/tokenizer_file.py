"""Files of the library tokenizers (https://pypi.org/project/tokenizers), an optional package."""

from collections.abc import Sequence
from typing import Any

from gan_cli.data.spec import Field
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.paths import user_path


def read_tokenizer(given: str, where: str) -> str:
    """Returns the content of a tokenizer file; ConfigError if it is none."""
    path = user_path(given)
    if not path.is_file():
        raise ConfigError(
            f"{where}: expected characters, words or the file of a tokenizer, and there is no file "
            f"{given}; type characters or words"
        )
    try:
        content = path.read_text(encoding="utf-8")
        opened(content, where)
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{where}: {path} cannot be read as text; type another file") from None
    return content


def opened(content: str, where: str) -> Any:
    """Returns the tokenizer of a file's content; ConfigError if the library is missing."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise ConfigError(
            f"{where}: the tokens are those of a tokenizer file, which needs "
            "pip install 'gan-cli[text]'"
        ) from None
    try:
        return Tokenizer.from_str(content)
    except Exception as error:  # the library raises Exception itself
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{where}: the file is no tokenizer file ({reason})") from None


def numbers_of(content: str, texts: Sequence[str], where: str) -> list[list[int]]:
    """Returns the tokens of each text, as the tokenizer counts them."""
    tokenizer = opened(content, where)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [encoding.ids for encoding in encodings]


def vocabulary_of(content: str, where: str) -> list[str]:
    """Returns the tokens in the order of their numbers."""
    tokenizer = opened(content, where)
    count = max(tokenizer.get_vocab().values(), default=-1) + 1
    return [tokenizer.id_to_token(i) or f"<{i}>" for i in range(count)]


def decoded(field: Field, rows: Sequence[Sequence[int]]) -> list[str]:
    """Returns the texts of token numbers, each up to the end of the text."""
    tokenizer = opened(field.tokenizer, "format")
    ends = int(field.vocabulary[0] == "")  # the end is token 0, before those of the tokenizer
    kept = [list(row)[: list(row).index(0)] if ends and 0 in row else list(row) for row in rows]
    ids = [[number - ends for number in row] for row in kept]
    texts: list[str] = tokenizer.decode_batch(ids, skip_special_tokens=False)
    return texts
