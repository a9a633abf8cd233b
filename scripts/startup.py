"""How long a command takes from being typed to its first sign of life."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

IMPORTS = {
    "import hydra": "import hydra",
    "import torch": "import torch",
    "import torchvision": "import torchvision",
    "import SummaryWriter": "from torch.utils.tensorboard import SummaryWriter",
}


def startup_times(repeats: int = 3) -> dict[str, float]:
    """Medians in seconds, by what was started; one run before them fills the file cache."""
    actions = {name: ["-c", code] for name, code in IMPORTS.items()}
    actions["gan-train --help"] = ["-m", "gan_cli.train", "--help"]
    times = {
        name: median([wall_time(arguments) for _ in range(repeats + 1)][1:])
        for name, arguments in actions.items()
    }
    first = median([first_step_time() for _ in range(repeats + 1)][1:])
    return {**times, "gan-train dataset=synthetic: first training step": first}


def wall_time(arguments: list[str]) -> float:
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        python(arguments, folder)
    return time.perf_counter() - start


def first_step_time() -> float:
    """Until the journal's line of step 1, which is written once its losses have been read."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.time()
        python(["-m", "gan_cli.train", "dataset=synthetic", "steps=1"], folder)
        (logger,) = Path(folder).rglob("metrics.jsonl")
        line = json.loads(logger.read_text().splitlines()[0])
        assert line["step"] == 1
        return line["time"] - start


def python(arguments: list[str], folder: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True, capture_output=True)
