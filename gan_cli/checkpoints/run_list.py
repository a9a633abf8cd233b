"""The runs below outputs/ as a table, for commands that were typed without one. No torch."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_cli.config.quoting import typed_word
from gan_cli.utils.side_files import read_object
from gan_cli.utils.text import shown

SHOWN = 20  # runs of a list


@dataclass(frozen=True)
class ListedRun:
    """A run with a checkpoint: when the newest was written, of which step, and the best score."""

    name: str
    written: float  # seconds since 1970
    step: int | None
    score: str

    def row(self, command: str) -> tuple[str, ...]:
        date = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.written))
        step = "" if self.step is None else f"{self.step:,}"
        return date, step, self.score, f"{command} {typed_word('run', self.name)}"


def runs_below(outputs: Path) -> list[ListedRun]:
    """The runs below a folder that have checkpoints, the newest checkpoint first."""
    files: dict[Path, list[Path]] = {}
    for file in outputs.glob("**/checkpoints/*.pt"):
        files.setdefault(file.parent.parent, []).append(file)
    found = (listed(folder, outputs, checkpoints) for folder, checkpoints in files.items())
    return sorted((run for run in found if run), key=lambda run: (-run.written, run.name))


def listed(folder: Path, outputs: Path, checkpoints: list[Path]) -> ListedRun | None:
    """The entry of one run, None if its files vanish meanwhile."""
    try:
        written = max(file.stat().st_mtime for file in checkpoints)
    except OSError:
        return None
    numbers = (file.stem.removeprefix("step-") for file in checkpoints)
    steps = [int(number) for number in numbers if number.isdecimal()]
    name = str(folder.relative_to(outputs))
    return ListedRun(name, written, max(steps, default=None), best_score(folder))


def best_score(folder: Path) -> str:
    """The best value of the first metric of a run with its name, "" if there is none."""
    best: Any = (read_object(folder / "run.json") or {}).get("objective")
    try:
        return f"{shown(str(best['name']), 30)} {float(best['value']):.4g}"
    except (LookupError, TypeError, ValueError):
        return ""


def missing_run(outputs: Path, command: str, instead: str = "") -> str:
    """Says that a command needs a run: the runs that there are, or how to train one."""
    runs = runs_below(outputs)
    alternatives = f"checkpoint=PATH{instead}"
    if not runs:
        return (
            f"run: has no value; type run=NAME or {alternatives}. There is no run below {outputs}/ "
            f"yet: type gan-train run=first to train one, then {command} run=first"
        )
    rows = [("checkpoint of", "step", "best score", "type"), *(r.row(command) for r in runs)]
    rows = rows[: SHOWN + 1]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [f"run: has no value; type run=NAME or {alternatives}. The newest runs:"]
    for date, step, score, typed in rows:
        cells = f"{date:<{widths[0]}}  {step:>{widths[1]}}  {score:<{widths[2]}}  {typed}"
        lines.append(f"  {cells}")
    if more := len(runs) - SHOWN:
        lines += [f"  and {more} more below {outputs}/"] if more > 0 else []
    return "\n".join(lines)
