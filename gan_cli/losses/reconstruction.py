"""Distances between an output and the target that it should equal."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

Distance = Literal["l1", "l2", "smooth_l1"]


def distance(kind: Distance, output: Tensor, target: Tensor) -> Tensor:
    """The mean over all elements of |x|, x^2, or Huber's loss of the difference x, 0-d.

    "smooth_l1" is x^2 / 2 for |x| < 1 and |x| - 1/2 beyond (Girshick 2015, arXiv:1504.08083).
    """
    output, target = output.float(), target.float()
    if kind == "l1":
        return F.l1_loss(output, target)
    return F.mse_loss(output, target) if kind == "l2" else F.smooth_l1_loss(output, target)
