"""Tokens of text or other sequences: int64 (T,) in both forms, text in previews."""

from collections.abc import Sequence
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.kinds.kind import Context, Kind, kinds
from gan_cli.data.spec import Field
from gan_cli.utils.errors import ConfigError

SHOWN = 32  # lines in a preview
LINE_BREAKS = dict.fromkeys(map(ord, "\r\n"), "\u21b5")  # a sample is one line


@kinds.register("tokens")
class Tokens(Kind):
    """Token numbers below the length of the field's vocabulary, which critics take as integers."""

    features = "ngrams"
    health_features = ("ngrams",)
    differentiable = False
    previewed = SHOWN

    def recognizes(self, stored: Tensor) -> bool:
        return stored.ndim == 2 and not stored.is_floating_point()

    def check(self, field: Field) -> None:
        if not field.vocabulary:
            raise ConfigError(
                "dataset: its tokens need a vocabulary, the text of each number; describe them by "
                'field=Field("tokens", vocabulary=("a", "b", "c")), say'
            )

    def to_model(self, stored: Tensor) -> Tensor:
        return stored.long()

    def to_stored(self, samples: Tensor) -> Tensor:
        return samples.long()

    def picture(
        self,
        field: Field,
        columns: Sequence[Tensor],
        context: Context,  # noqa: ARG002
    ) -> np.ndarray | None:
        """Returns a line of text for each sample; columns are joined by an arrow."""
        from gan_cli.plots.text import text_picture

        texts = (texts_of(field, column[:SHOWN]) for column in columns)
        return text_picture([" -> ".join(line) for line in zip(*texts, strict=True)])

    def writing(self, field: Field, samples: Tensor) -> str:
        """Returns a line for each sample."""
        return "".join(f"{line}\n" for line in lines_of(field, samples))

    def default_format(self, field: Field) -> str:  # noqa: ARG002
        return "txt"

    def from_array(self, array: np.ndarray) -> Tensor:
        if array.ndim != 2 or array.dtype.kind not in "iu":
            raise ValueError(f"must be whole numbers (N, T), not {array.dtype} {array.shape}")
        return torch.from_numpy(array).long()


def lines_of(field: Field, tokens: Tensor) -> list[str]:
    """Returns token numbers (N, T) as text, one line each; line breaks are shown as an arrow."""
    return [text.translate(LINE_BREAKS) for text in texts_of(field, tokens)]


def texts_of(field: Field, tokens: Tensor) -> list[str]:
    """Returns token numbers (N, T) as text, which ends before the first token without text."""
    if field.tokenizer:
        from gan_cli.data.files.tokenizer_file import decoded

        return decoded(field, tokens.tolist())
    separator = field.separator
    if separator is None:
        separator = "" if all(len(token) <= 1 for token in field.vocabulary) else " "
    words = ([field.vocabulary[i] for i in row] for row in tokens.tolist())
    return [separator.join(takewhile(bool, row)) for row in words]
