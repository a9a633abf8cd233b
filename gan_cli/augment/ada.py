"""Adaptive discriminator augmentation: Karras et al. 2020 (arXiv:2006.06676)."""

from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from gan_cli.augment.augment import augments
from gan_cli.augment.draws import in_full_precision
from gan_cli.augment.pipe import Pipe
from gan_cli.augment.strength import Controller, mean_sign
from gan_cli.config.ranges import BatchSize, Count, Range, Share
from gan_cli.config.schedules import Schedule
from gan_cli.utils.errors import ConfigError

Probability = Annotated[Schedule, Range(least=0, most=1)]
Sign = Annotated[float, Range(least=-1, most=1)]
ADAPTS = ("target", "speed", "interval", "initial", "limit")  # options of the adaptive p


@augments.register("ada")
@dataclass(kw_only=True)
class ADA(Pipe):
    """Applies each transform of the pipe to each image with probability p.

    p is a number or a schedule, or, if it is null, adapted to how often the critic is right on real
    images.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"image"})
    p: Probability | None = None  # of each transform; null: adapted
    target: Sign = 0.6  # of the mean sign of real logits
    speed: Count = 500_000  # images in which p can rise from 0 to 1
    interval: Count = 4  # turns of the critic from one change of p to the next
    initial: Share = 0.0  # p at the start
    limit: Share = 1.0  # p is at most this; from about 0.8 on, transforms show in samples
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
                "augment=ada, whose file sets it, or set it to that of the run"
            )
        if self.initial > self.limit:
            raise ConfigError(f"initial: {self.initial} is above limit={self.limit}; lower it")

    @in_full_precision
    def __call__(self, samples: Tensor) -> Tensor:
        p = self.on(samples.device)
        return self.recolor(self.reshaped(samples, p), p)

    @in_full_precision
    def together(self, sample: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        p = self.on(sample.device)
        images = (sample, *given)
        moved = self.reshaped(torch.cat(images, 1), p).split([x.shape[1] for x in images], 1)
        return self.recolor(moved[0], p), *moved[1:]

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
