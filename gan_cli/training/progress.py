"""Shows the progress of training: a live bar in a terminal, plain lines elsewhere."""

import sys
import time

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gan_cli.health import Verdict
from gan_cli.utils.console import console


class Display:
    """Shows the progress of `steps` steps; silent on ranks other than 0."""

    def __init__(self, steps: int, start: int, silent: bool) -> None:
        self.steps, self.start, self.silent = steps, start, silent
        self.since, self.at = time.monotonic(), start
        self.began = self.since
        self.live = console.is_terminal and not silent
        self.metric, self.health, self.printed = "", "", set[str]()
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

    def print(self, text: str) -> None:
        """Prints a line above the bar; after a broken pipe the run continues silently."""
        if not self.silent:
            try:
                self._write(text)
            except BrokenPipeError:
                self.silent = True

    def print_once(self, text: str) -> None:
        """Prints a text unless it has been printed before."""
        if text not in self.printed:
            self.printed.add(text)
            self.print(text)

    def _write(self, text: str) -> None:
        (self.bar.console if self.live else console).print(text, markup=False, soft_wrap=True)
        sys.stdout.flush()

    def advance(self, step: int) -> None:
        """Moves the bar to `step`; rich redraws it at most ten times a second."""
        if self.live:
            self.bar.update(self.task, completed=step)

    def show(self, step: int, images_per_step: int, values: dict[str, float]) -> float:
        """Shows the losses at `step`; returns the images per second since the last call."""
        now = time.monotonic()
        rate = (step - self.at) * images_per_step / max(now - self.since, 1e-9)
        self.since, self.at = now, step
        shown = {k: v for k, v in values.items() if k.endswith("/adversarial")}
        losses = "  ".join(f"{k.split('/')[0]} {v:.3f}" for k, v in shown.items())
        text = f"{rate:.0f} images/s  {losses}{self.metric}{self.health}"
        if self.live:
            self.bar.update(self.task, completed=step, description=text)
        else:
            left = (now - self.began) / max(step - self.start, 1) * (self.steps - step)
            self.print(f"step {step}/{self.steps}  {clock(left)} left  {text}")
        return rate

    def show_metric(self, name: str, value: float) -> None:
        """Shows the value next to the losses from now on."""
        self.metric = f"  {name} {value:.4g}"

    def show_health(self, verdict: Verdict) -> None:
        """Shows the state of health next to the losses from now on, findings with their names."""
        self.health = f"  {verdict.label()}"

    def close(self) -> None:
        self.bar.stop()


def clock(seconds: float) -> str:
    """Returns a duration as h:mm:ss, or m:ss below an hour."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
