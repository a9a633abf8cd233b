"""What the parts share: options, configs, and the tables that gpu.py prints."""

import argparse
import json
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir

from gan_cli.config.command_line import hydra_arguments
from gan_cli.config.schema import Config
from gan_cli.training.logger import Logger
from gan_cli.training.progress import Display
from gan_cli.training.run import Run
from gan_cli.utils.paths import CONFIGS
from gan_cli.utils.stop_signals import StopSignal
from gan_cli.validation.validate import validate


def options_of(doc: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--folder", type=Path, default=Path("gpu-report"))
    parser.add_argument("--shard", default="0/1", help="K/N: every N-th case from K on")
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    options.shard, options.shards = map(int, options.shard.split("/"))
    return options


class Table:
    """Lines of one part, written after each, so that a part that is stopped has shown the rest."""

    def __init__(self, options: argparse.Namespace, name: str, title: str) -> None:
        suffix = f"-{options.shard}" if options.shards > 1 else ""
        self.path = options.folder / f"{name}{suffix}.json"
        self.title, self.lines = title, list[str]()

    def add(self, line: str) -> None:
        print(line, flush=True)
        self.lines.append(line)
        self.path.write_text(json.dumps({"title": self.title, "lines": self.lines}))

    def attempt(self, name: str, action: Callable[[], str]) -> None:
        """Adds what `action` returns, or the error that it raises."""
        began = time.monotonic()
        try:
            line = action()
        except Exception as error:
            traceback.print_exc()
            first = (str(error).strip().splitlines() or [""])[0]
            line = f"FAILED: {type(error).__name__}: {first[:160]}"
        self.add(f"{name:42}{line}  [{time.monotonic() - began:.1f} s]")


def config_of(*words: str) -> Config:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return validate(compose("train", hydra_arguments(list(words))))


def play(run: Run, steps: int) -> None:
    """Plays on for `steps` steps without output."""
    from dataclasses import replace

    run.config = replace(run.config, steps=run.step + steps)
    logger = Logger(run.folder)
    display = Display(run.config.steps, run.step, silent=True)
    run.train(logger, display, StopSignal())
    display.close()
    logger.close()


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
