"""LeCam regularization: Tseng et al. 2021 (arXiv:2104.03310)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gan_cli.config.ranges import Decay
from gan_cli.config.schedules import Schedule, Weight
from gan_cli.losses.penalty import CriticTurn, Penalty, penalties

SIDES = ("real", "fake")


@penalties.register("lecam")
@dataclass(kw_only=True)
class LeCam(Penalty):
    """R_LC = E[(D(x) - a_F)^2] + E[(D(G(z)) - a_R)^2]: keeps logits near those of the other side.

    a_R and a_F are moving averages of the mean logits of real samples and of fakes. Until the first
    turn has set them the penalty is 0; then they are plain means, until `decay` forgets more. The
    authors' code drops logits on the wrong side of the other's average, which are rare.
    """

    weight: Weight = Schedule(0.3)  # strength of the penalty
    decay: Decay = 0.99  # of the moving averages of logits, per turn of the critic
    by_gradient = False
    per_sample = False
    state: dict[str, Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.state = {name: torch.zeros(()) for name in (*SIDES, "turns")}

    def __call__(self, turn: CriticTurn) -> Tensor:
        real = turn.critic(*turn.real) if turn.real_logits is None else turn.real_logits
        fake = turn.critic(*turn.fake) if turn.fake_logits is None else turn.fake_logits
        far = (real.float() - self.state["fake"]).square().mean()
        far = far + (fake.float() - self.state["real"]).square().mean()
        return far * (self.state["turns"] > 0)

    def after(self, observed: Mapping[str, Tensor]) -> None:
        turns = self.state["turns"].add_(1)
        rate = (1 / turns).clamp(min=1 - self.decay)
        for side in SIDES:
            found = [v for k, v in observed.items() if f"_{k}".endswith(f"_{side}_logits")]
            average = self.state[side]
            average.add_(rate * (torch.stack(found).mean() - average))

    def place(self, device: torch.device) -> None:
        self.state = {name: value.to(device) for name, value in self.state.items()}

    def state_dict(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.state.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        for name, value in self.state.items():
            value.copy_(torch.as_tensor(state[name]))
