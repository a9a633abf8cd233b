"""What only a GPU can tell, in one command of a few minutes: is it right, and how fast is it?

    python scripts/gpu.py [--parts equal commands speed evaluation] [--folder gpu-report]

Needs gan_cli and its dependencies, no data and no network. Each part runs in processes of its own,
so that the others go on when one fails; details are written to the folder, and a short table is
printed last. `--device cpu` rehearses it without a GPU, with everything made tiny.

equal       every model, loss and precision: two steps on the GPU against the CPU with the same
            random numbers, recorded turns against eager ones, synchronizations a step
commands    gan-train with previews and scores, resume, gan-sample, films, gan-fid, gan-export
speed       images/s of whole steps against a textbook loop, memory, share of time the GPU is busy
evaluation  images/s of Inception features beside pytorch-fid, and 10,000 samples end to end
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = ("equal", "commands", "speed", "evaluation")
TOGETHER = ("equal", "commands")  # right or wrong: these may disturb each other
SHARDS = 8  # processes of `equal`


def start(part: str, options: argparse.Namespace, shard: int = 0) -> subprocess.Popen[bytes]:
    name = f"{part}-{shard}"
    shards = SHARDS if part == "equal" and options.device != "cpu" else 1
    words = [sys.executable, "-m", f"gpu_parts.{part}", "--device", options.device]
    words += ["--folder", str(options.folder), "--shard", f"{shard}/{shards}"]
    words += ["--seconds", str(options.seconds)]
    path = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    if part not in TOGETHER:
        environment.pop("OMP_NUM_THREADS")
    log = open(options.folder / f"{name}.log", "wb")  # noqa: SIM115  # the process writes it
    return subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, env=environment)


def run_together(parts: list[str], options: argparse.Namespace) -> None:
    """Runs the parts at the same time, at most for `options.limit` seconds."""
    began, processes = time.monotonic(), {}
    for part in parts:
        shards = SHARDS if part == "equal" and options.device != "cpu" else 1
        for shard in range(shards):
            processes[f"{part}-{shard}"] = start(part, options, shard)
    for name, process in processes.items():
        left = max(1.0, options.limit - (time.monotonic() - began))
        try:
            status: int | str = process.wait(left)
        except subprocess.TimeoutExpired:
            process.kill()
            status = f"stopped after {options.limit} s"
        if status != 0:
            lines = (options.folder / f"{name}.log").read_text(errors="replace").splitlines()
            print(f"!! {name} ended with {status}:", *lines[-12:], sep="\n   ")
    print(f"[{', '.join(parts)}: {time.monotonic() - began:.0f} s]", flush=True)


def summary(folder: Path) -> None:
    """Prints the tables of all parts."""
    for path in sorted(folder.glob("*.json")):
        table = json.loads(path.read_text())
        print(f"\n{table['title']}")
        for line in table["lines"]:
            print(f"  {line}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--folder", type=Path, default=Path("gpu-report"))
    parser.add_argument("--limit", type=float, default=150, help="seconds a part (%(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="timed seconds a measurement (%(default)s)"
    )
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    options.folder = options.folder.resolve()
    together = [part for part in options.parts if part in TOGETHER]
    if together:
        run_together(together, options)
    for part in options.parts:
        if part not in TOGETHER:
            run_together([part], options)
    summary(options.folder)


if __name__ == "__main__":
    main()
