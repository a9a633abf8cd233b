"""Dropout whose units can be chosen by the seeds of samples."""

import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.utils.noise import Noise


class SeededDropout(nn.Module):
    """Dropout: Srivastava et al. 2014. A share `p` of the units is zero, the others are larger.

    In training mode it draws from the global generator, in eval mode from `noise`; without one it
    then changes nothing.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor, noise: Noise | None = None) -> Tensor:
        if not self.p or not (self.training or noise is not None):
            return x
        if self.training or noise is None:
            return F.dropout(x, self.p)
        if self.p == 1:
            return x * 0
        kept = noise.uniform(*x.shape[1:]).to(x.device) >= self.p
        return x * kept / (1 - self.p)
