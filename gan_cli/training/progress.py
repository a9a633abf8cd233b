"""What a run shows while it plays: a live bar in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterable

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gan_cli.utils.console import console


class Display:
    """Progress of `steps` steps; silent in processes other than rank 0."""

    def __init__(self, steps: int, start: int, silent: bool) -> None:
        self.steps, self.start, self.silent = steps, start, silent
        self.since, self.at = time.monotonic(), start
        self.began = self.since
        self.live = console.is_terminal and not silent
        self.metric, self.warning, self.said = "", "", set[str]()
        self.bar = Progress(
            TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=20),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=console,
            disable=not self.live,
        )
        self.task = self.bar.add_task("", total=steps, completed=start)
        self.bar.start()

    def say(self, text: str) -> None:
        if not self.silent:
            try:
                self.print(text)
            except BrokenPipeError:  # whoever read along has gone; the run goes on
                self.silent = True

    def say_once(self, text: str) -> None:
        if text not in self.said:
            self.said.add(text)
            self.say(text)

    def print(self, text: str) -> None:
        (self.bar.console if self.live else console).print(text, markup=False, soft_wrap=True)
        sys.stdout.flush()

    def advance(self, step: int) -> None:
        """Cheap enough for every step: rich redraws at most ten times a second."""
        if self.live:
            self.bar.update(self.task, completed=step)

    def show(self, step: int, images_per_step: int, values: dict[str, float]) -> float:
        """The losses at `step`; returns images per second since the last call."""
        now = time.monotonic()
        rate = (step - self.at) * images_per_step / max(now - self.since, 1e-9)
        self.since, self.at = now, step
        shown = {k: v for k, v in values.items() if k.endswith("/adversarial")}
        losses = "  ".join(f"{k.split('/')[0]} {v:.3f}" for k, v in shown.items())
        text = f"{rate:.0f} images/s  {losses}{self.metric}{self.warning}"
        if self.live:
            self.bar.update(self.task, completed=step, description=text)
        else:
            left = (now - self.began) / max(step - self.start, 1) * (self.steps - step)
            self.say(f"step {step}/{self.steps}  {clock(left)} left  {text}")
        return rate

    def scored(self, name: str, value: float) -> None:
        self.metric = f"  {name} {value:.4g}"

    def warn(self, names: Iterable[str]) -> None:
        """Beside the losses from now on: what is wrong."""
        self.warning = "".join(f"  ! {name}" for name in names)

    def close(self) -> None:
        self.bar.stop()


def clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
