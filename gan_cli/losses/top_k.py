"""Top-k training of generators: Sinha et al. 2020 (arXiv:2002.06224), Equation 2."""

import torch
from torch import Tensor


def learning_from_best(logits: Tensor, share: Tensor) -> Tensor:
    """Returns the logits (N, ...), whose gradient is that of the k = `share` N largest alone.

    A loss that averages over N samples has the gradient of its average over those k. Its value is
    still that of all samples. Shapes do not depend on k, so that turns are compiled and recorded
    once. Of a sample with several logits, the mean counts.
    """
    fixed = logits.detach()
    scores = fixed.flatten(1).mean(1) if logits.ndim > 1 else fixed
    kept = (share * len(scores)).round().clamp(min=1)
    rank = scores.argsort(descending=True).argsort()
    factor = torch.where(rank < kept, len(scores) / kept, 0.0)
    return fixed + factor.view(-1, *[1] * (logits.ndim - 1)) * (logits - fixed)
