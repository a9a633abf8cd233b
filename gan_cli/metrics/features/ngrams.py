"""Features of text: which tokens, and which tokens in a row, a sequence holds."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_cli.data.dataset import Dataset
from gan_cli.metrics.features.untrained import ModuleFeatures
from gan_cli.metrics.metric import extractors

LONGEST = 3  # tokens in a row
BUCKETS = 64  # for the n-grams of each length
PRIME = 1_000_003


class NgramFeatures(nn.Module):
    """The share of each n-gram among those of its length, n = 1 to LONGEST, hashed to BUCKETS.

    Feature hashing, Weinberger et al. 2009 (arXiv:0902.2206), without signs: the vocabulary may be
    of any size. Up to BUCKETS tokens have a bucket each.
    """

    def forward(self, tokens: Tensor) -> Tensor:
        """int64 (N, T) to float32 (N, LONGEST * BUCKETS)."""
        shares = []
        for n in range(1, min(LONGEST, tokens.shape[1]) + 1):
            windows = tokens.unfold(1, n, 1)  # (N, T - n + 1, n)
            hashed = windows[..., 0]
            for i in range(1, n):
                hashed = (hashed * PRIME + windows[..., i]) % (2**31 - 1)
            counts = nn.functional.one_hot(hashed % BUCKETS, BUCKETS).float()
            shares.append(counts.mean(1))  # (N, BUCKETS)
        return nn.functional.pad(torch.cat(shares, 1), (0, BUCKETS * (LONGEST - len(shares))))


@extractors.register("ngrams")
class Ngrams(ModuleFeatures):
    """NgramFeatures: no download, any vocabulary, any length."""

    name = "ngrams"
    kinds: ClassVar[frozenset[str]] = frozenset({"tokens"})

    def __init__(self, dataset: Dataset, device: torch.device) -> None:  # noqa: ARG002
        super().__init__(NgramFeatures(), device)
