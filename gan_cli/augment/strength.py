"""The adaptive probability of ADA."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

CENTRED = ("real_accuracy", "pair_accuracy")  # shares of logits above their boundary, best first


def mean_sign(observed: Mapping[str, Tensor]) -> Tensor:
    """E[sign(D(real))], in [-1, 1], from the values that a critic's turn has observed.

    It is 2 a - 1 for the accuracy a on real samples, so it counts from the decision boundary of the
    loss. For losses without one it is E[sign(D(real) - D(fake))]. Of several critics it is the
    mean.
    """
    for name in CENTRED:
        shares = [v for key, v in observed.items() if key == name or key.endswith(f"_{name}")]
        if shares:
            return 2 * torch.stack(shares).mean() - 1
    raise ValueError(
        f"an adaptive augmentation needs an observed {' or '.join(CENTRED)}, got: "
        f"{', '.join(observed) or 'none'}"
    )


@dataclass
class Controller:
    """Karras et al. 2020, Section 3: raises p while r_t > target, and lowers it otherwise.

    r_t is the mean of E[sign(D(real))] over `interval` turns of the critic; p changes by at most
    `interval` * `images_per_turn` / `speed`, and stays in [0, limit]. All state is on the device
    and is changed in place, without waiting for it.
    """

    target: float
    step: float  # change of p at the end of an interval
    interval: int
    limit: float

    def __post_init__(self) -> None:
        self.state = {name: torch.zeros(()) for name in ("signs", "turns")}

    def place(self, device: torch.device) -> None:
        self.state = {name: value.to(device) for name, value in self.state.items()}

    def update(self, p: Tensor, sign: Tensor) -> None:
        """Counts a turn; at the end of an interval, changes `p` in place."""
        signs, turns = self.state["signs"], self.state["turns"]
        signs.add_(sign.nan_to_num())
        turns.add_(1)
        due = (turns >= self.interval).to(p.dtype)
        p.add_(due * self.step * (signs / turns - self.target).sign()).clamp_(0, self.limit)
        signs.mul_(1 - due)
        turns.mul_(1 - due)
