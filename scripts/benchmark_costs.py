"""Seconds of a step, a log, a preview, an evaluation and a checkpoint, by size of the images.

    python scripts/benchmark.py costs

One run of DCGAN for each size, each part timed several times on its own; medians. The images are
synthetic, and the scores are those of fd_random on 1,000 samples. Also prints the memory of the
process and its open files before and after many steps, and what logs, previews, evaluations and
checkpoints of the default run take beside its steps. Needs an otherwise idle machine; four
minutes on two CPU cores.
"""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmark_loops import configure

from gan_cli.config.schema import Every
from gan_cli.training.logger import Logger
from gan_cli.training.progress import Display
from gan_cli.training.run import Run
from gan_cli.utils.stop_signals import StopSignal

SIZES = (32, 64, 128, 256)
TIMES = 3
MANY = 1000  # steps between the two readings of memory and open files
SETTING = [
    *("run=costs", "model=dcgan", "dataset=synthetic", "dataset.count=1000", "batch_size=16"),
    *("model.networks.generator.width=16", "model.networks.discriminator.width=16"),
    *("metrics=fd_random", "metrics.count=1000", "score_scale=false", "steps=1000000"),
    *("every={log: 1000000, preview: 0, evaluate: 0, checkpoint: 0, keep: 0}", "device=cpu"),
]
DEFAULTS = (
    *("dataset.size=32", "dataset.count=5000", "batch_size=64"),
    *("model.networks.generator.width=64", "model.networks.discriminator.width=64"),
)


def opened(folder: Path, *words: str) -> Run:
    return Run(configure([*SETTING, *words]), folder)


def play(run: Run, steps: int) -> None:
    run.config = replace(run.config, steps=run.step + steps)
    run.train(run.logger, run.display, StopSignal())


def seconds(action: Callable[[], object]) -> float:
    spent = []
    for _ in range(TIMES):
        began = time.perf_counter()
        action()
        spent.append(time.perf_counter() - began)
    return median(spent)


def preview(run: Run) -> None:
    for name, picture in run.previews.pictures():
        run.logger.picture(run.step, name, picture)


def costs(folder: Path, *words: str) -> dict[str, float]:
    run = opened(folder, *words)
    run.logger, run.display = Logger(folder), Display(10, 0, silent=True)
    play(run, 3)

    def log() -> None:
        run.health.before_update("generator")
        run.health.before_update("discriminator")
        play(run, 1)
        run.write_log()

    step = seconds(lambda: play(run, 5)) / 5
    found = {
        "step": step,
        "log": max(0.0, seconds(log) - step),
        "preview": seconds(lambda: preview(run)),
        "evaluation": seconds(run.evaluate),
        "checkpoint": seconds(run.save),
    }
    run.logger.close()
    return found


def shares(folder: Path) -> str:
    """Words on what is not training in a run of the default networks and intervals."""
    found, every = costs(folder, *DEFAULTS), Every()
    often = {"log": every.log, "preview": every.preview, "evaluation": every.evaluate}
    often["checkpoint"] = every.checkpoint
    parts = [f"{name} {found[name] / found['step'] / steps:.2%}" for name, steps in often.items()]
    return f"of the default run: {', '.join(parts)} of the time of the steps"


def growth(folder: Path) -> str:
    """Words on the memory and the open files of a process after few and after many steps."""
    run = opened(folder, "dataset.size=16", "every.log=100", "batch_size=4")
    run.logger, run.display = Logger(folder), Display(10, 0, silent=True)
    readings = []
    for steps in (MANY // 10, MANY, MANY):
        play(run, steps)
        readings.append(f"step {run.step}: {resident_mib():.0f} MiB, {open_files()} files")
    run.logger.close()
    return "; ".join(readings)


def resident_mib() -> float:
    """The memory of this process now, not its peak, which the largest images have set; on Linux."""
    pages = Path("/proc/self/statm")
    size = int(pages.read_text().split()[1]) if pages.exists() else 0
    return size * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        header = ""
        for size in SIZES:
            found = costs(folder / str(size), f"dataset.size={size}")
            if not header:
                header = "".join(f"{name:>12}" for name in found)
                print(f"seconds by size of the images, medians of {TIMES}\n{'':9}{header}")
            print(f"{size:>4}x{size:<4}" + "".join(f"{value:12.3f}" for value in found.values()))
        print(growth(folder / "growth"))
        print(shares(folder / "shares"))


if __name__ == "__main__":
    main()
