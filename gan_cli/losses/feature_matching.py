"""Feature matching of pix2pixHD (Wang et al. 2018, arXiv:1711.11585, Equation 4)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Maps = Sequence[Sequence[Tensor]]  # for each scale, the maps of all layers, the logits last


def feature_matching(output: Maps, target: Maps) -> Tensor:
    """The mean of |x - y| over the elements of a layer, over layers but the last, and scales."""
    errors = [
        F.l1_loss(x.float(), y.float())
        for one, other in zip(output, target, strict=True)
        for x, y in zip(one[:-1], other[:-1], strict=True)
    ]
    return torch.stack(errors).mean()
