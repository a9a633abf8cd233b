"""The strength p of an augmentation: a number, a schedule, or adapted to the critic."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

import torch
from torch import Tensor

from gan_cli.config.ranges import BatchSize, Count, Range, Share
from gan_cli.config.schedules import Schedule
from gan_cli.utils.errors import ConfigError

Probability = Annotated[Schedule, Range(least=0, most=1)]
Sign = Annotated[float, Range(least=-1, most=1)]
ADAPTS = ("target", "speed", "interval", "initial", "limit")  # options of the adaptive p
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


@dataclass(kw_only=True)
class Strength:
    """p in [0, 1], on the device of the samples: the part of an augmentation that changes it."""

    p: Probability | None = None  # a number or a schedule; null: adapted
    target: Sign = 0.6  # of the mean sign of real logits
    speed: Count = 500_000  # images in which p can rise from 0 to 1
    interval: Count = 4  # turns of the critic from one change of p to the next
    initial: Share = 0.0  # p at the start
    limit: Share = 1.0  # p is at most this; with ada, transforms show in samples from about 0.8 on
    batch_size: BatchSize | None = None  # images that the critic sees in a turn, of all processes

    def __post_init__(self) -> None:
        self.check()
        first = self.initial if self.p is None else self.p(0)
        self.probability = torch.tensor(first, dtype=torch.float32)
        step = self.interval * (self.batch_size or 0) / self.speed
        self.controller = Controller(self.target, step, self.interval, self.limit)

    def check(self) -> None:
        """Raises ConfigError for options that are missing or would not be used."""
        defaults = {field.name: field.default for field in fields(self)}
        changed = [name for name in ADAPTS if getattr(self, name) != defaults[name]]
        if self.p is not None and changed:
            raise ConfigError(
                f"{changed[0]}: nothing is adapted while p is given; leave it out, or set p=null"
            )
        if self.p is None and self.batch_size is None:
            raise ConfigError(
                "batch_size: has no value, and p changes with the number of images; choose "
                "augment=ada or augment=diffusion, whose files set it, or set it to that of the run"
            )
        if self.initial > self.limit:
            raise ConfigError(f"initial: {self.initial} is above limit={self.limit}; lower it")

    def on(self, device: torch.device) -> Tensor:
        """Returns p, which is moved to the device the first time."""
        if self.probability.device != device:
            self.place(device)
        return self.probability

    def place(self, device: torch.device) -> None:
        self.probability = self.probability.to(device)
        self.controller.place(device)

    def schedule(self, step: int) -> None:
        if self.p is not None:
            self.probability.fill_(self.p(step))

    def after(self, observed: dict[str, Tensor]) -> None:
        if self.p is None:
            sign = mean_sign(observed)
            self.controller.update(self.on(sign.device), sign)

    def observed(self) -> dict[str, Tensor]:
        return {"augment_p": self.probability.clone()}

    def state_dict(self) -> dict[str, Any]:
        state = {"p": self.probability, **self.controller.state}
        return {name: value.clone() for name, value in state.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if not state:  # of a run without augmentation, which allow_changes=true continues
            return
        if not 0 <= float(state["p"]) <= 1:
            raise ValueError(f"augment.p: {float(state['p'])} is no probability")
        for name, value in {"p": self.probability, **self.controller.state}.items():
            value.copy_(torch.as_tensor(state[name]))
