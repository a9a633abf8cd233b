"""Shows the progress of training: a live bar in a terminal, plain lines or JSON elsewhere."""

import sys
import time
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gan_cli.health import Verdict
from gan_cli.training.log_file import LogFile
from gan_cli.utils.console import Mode, console, json_line, stamped
from gan_cli.utils.errors import UserError


class Display:
    """Shows the progress of `steps` steps; silent on ranks other than 0.

    In every `mode`, the lines of text are written to `file`, too.
    """

    def __init__(
        self,
        steps: int,
        start: int,
        silent: bool,
        mode: Mode = "text",
        file: LogFile | None = None,
    ) -> None:
        self.steps, self.start, self.silent = steps, start, silent or mode == "quiet"
        self.mode, self.file = mode, file
        self.since, self.at = time.monotonic(), start
        self.began = self.since
        self.live = console.is_terminal and not self.silent and mode == "text"
        self.metric, self.health, self.printed = "", "", set[str]()
        self.bar = Progress(
            TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("elapsed"),
            TimeRemainingColumn(),
            TextColumn("left"),
            TextColumn("{task.description}"),
            console=console,
            disable=not self.live,
        )
        self.task = self.bar.add_task("", total=steps, completed=start)
        self.bar.start()

    def print(self, text: str, event: str = "message", facts: dict[str, Any] | None = None) -> None:
        """Prints a text above the bar; after a broken pipe the run continues silently.

        In JSON, an object has `facts` in place of the text, if they are given.
        """
        if self.file is not None:
            self.file.write(text)
        self._say(text, event, {"text": text} if facts is None else facts)

    def print_once(self, text: str) -> None:
        """Prints a text unless it has been printed before."""
        if text not in self.printed:
            self.printed.add(text)
            self.print(text, "warning")

    def print_error(self, error: UserError) -> None:
        """Prints the error that ends the run as JSON; as text, the command prints it on stderr."""
        if self.mode == "json":
            self._say("", "error", {"text": str(error), "status": error.status})

    def _say(self, text: str, event: str, facts: dict[str, Any]) -> None:
        if not self.silent:
            try:
                self._write(text, event, facts)
            except BrokenPipeError:
                self.silent = True

    def _write(self, text: str, event: str, facts: dict[str, Any]) -> None:
        if self.mode == "json":
            print(json_line(event, facts), flush=True)
            return
        out = self.bar.console if self.live else console
        shown = text if console.is_terminal else stamped(text)
        out.print(shown, markup=False, emoji=False, soft_wrap=True)
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
        elapsed = now - self.began
        left = elapsed / max(step - self.start, 1) * (self.steps - step)
        shown = {k: v for k, v in values.items() if k.endswith("/adversarial")}
        losses = "  ".join(f"{k.split('/')[0]} {v:.3f}" for k, v in shown.items())
        text = f"{rate:.0f} images/s  {losses}{self.metric}{self.health}"
        line = f"step {step}/{self.steps}  {clock(elapsed)} elapsed  {clock(left)} left  {text}"
        if self.live:
            self.bar.update(self.task, completed=step, description=text)
            if self.file is not None:
                self.file.write(line)
        else:
            facts = {"step": step, "steps": self.steps, "elapsed": elapsed, "left": left}
            self.print(line, "progress", {**facts, "images_per_second": rate, "values": values})
        return rate

    def show_metric(self, step: int, values: dict[str, float]) -> None:
        """Shows the first value next to the losses from now on; JSON has all in an object."""
        name, value = next(iter(values.items()))
        self.metric = f"  {name} {value:.4g}"
        if self.mode == "json":
            self._say("", "evaluation", {"step": step, "values": values})

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
