"""Phase shuffle: Donahue et al. 2019 (arXiv:1802.04208), Section 3.3."""

import torch
from torch import Tensor, nn


class PhaseShuffle(nn.Module):
    """Moves each sample along time by a random -n to n steps, in training mode only.

    Without it, a critic can tell fakes by the phase of the periodic artefacts of transposed
    convolutions. What is moved beyond an end is replaced by the reflection of the rest. Shifts are
    drawn for each sample, as in the paper; the authors' code draws one for a batch.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T) to the same."""
        if self.n == 0 or not self.training:
            return x
        shift = torch.randint(-self.n, self.n + 1, (len(x), 1), device=x.device)
        return shifted(x, shift)

    def extra_repr(self) -> str:
        return f"n={self.n}"


def shifted(x: Tensor, shift: Tensor) -> Tensor:
    """Moves samples (N, C, T) later by `shift` (N, 1) steps below T; ends are reflected."""
    last = x.shape[2] - 1
    source = (torch.arange(last + 1, device=x.device) - shift).abs()  # (N, T)
    source = last - (last - source).abs()
    return x.gather(2, source[:, None].expand_as(x))
