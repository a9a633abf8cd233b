"""Conversion of batches from stored form to model form, shared by all feeds."""

from collections.abc import Mapping

from torch import Tensor

from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Field

Batch = dict[str, Tensor]


def decode(batch: Batch, fields: Mapping[str, Field], mirrored: Tensor | None = None) -> Batch:
    """Returns stored samples (N, *shape) in model form, flipped where `mirrored` (N,) is true."""
    decoded = {}
    for key, value in batch.items():
        kind = kind_of(fields[key])
        decoded[key] = kind.to_model(value if mirrored is None else kind.mirror(value, mirrored))
    return decoded
