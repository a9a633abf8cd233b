"""What the benchmarks share: a run as a loop that can be timed, and loops beside each other."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from statistics import median

from torch import Tensor
from torch.optim import Optimizer

from gan_cli.config.compose import composed
from gan_cli.config.schema import Config
from gan_cli.training.logger import Logger
from gan_cli.training.progress import Display
from gan_cli.training.run import Run
from gan_cli.utils.stop_signals import StopSignal
from gan_cli.validation.validate import validate

Loop = Callable[[int], object]  # plays so many steps


def configure(words: Iterable[str]) -> Config:
    return validate(composed("train", tuple(words)))


def loop_of(run: Run) -> Loop:
    """A run that goes on where it stopped, every time the loop is called."""
    logger = Logger(run.folder)

    def train(steps: int) -> None:
        run.config = replace(run.config, steps=run.step + steps)
        display = Display(run.config.steps, run.step, silent=True)
        run.train(logger, display, StopSignal())
        display.close()

    return train


def repeating(step: Callable[[], None]) -> Loop:
    """A loop of plain steps."""

    def train(steps: int) -> None:
        for _ in range(steps):
            step()

    return train


def play(optimizer: Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def processor_time(loop: Loop, steps: int) -> float:
    start = time.process_time()
    loop(steps)
    return time.process_time() - start


def compare(title: str, loops: Mapping[str, Loop], steps: int, pairs: int) -> None:
    """Prints the processor time of a step of each loop, and the speed beside the first of them."""
    for loop in loops.values():
        loop(1)  # kernels are chosen, memory is claimed
    rounds = [{name: processor_time(f, steps) for name, f in loops.items()} for _ in range(pairs)]
    yardstick = next(iter(loops))
    print(f"\n{title}: medians of {pairs} rounds of {steps} steps, by processor time")
    print(f"{'':32}{'s/step':>10}  speed beside {yardstick} (lowest, highest)")
    for name in loops:
        ratios = [spent[yardstick] / spent[name] for spent in rounds]
        spread = f"{median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f})"
        print(f"{name:32}{median(s[name] for s in rounds) / steps:>10.4f}  {spread}", flush=True)
