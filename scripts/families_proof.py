"""GANs and diffusion models at equal processor time, on data of known modes.

    python scripts/families_proof.py run --seconds 60    trains what FILE does not have yet
    python scripts/families_proof.py table               the table of all lines in FILE

Each model takes as many steps as it makes in `--seconds` of processor time, measured before, with
its schedules stretched to them. Starting and scoring do not count; what the training itself took is
stated. Each run appends a line to FILE (families.jsonl): modes, share of high quality, reverse KL
and W1 of 2,500 samples, and the calls of the network for a sample.
"""

import argparse
import json
import time
from collections import defaultdict
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import gan_cli

R3GAN = "loss.penalties.r1.weight.over={0} loss.penalties.r2.weight.over={0}"  # half of the steps
DIFFUSION = (
    "batch_size=512 clip_norm=1 ema.half_life=100000 "
    "optimizer.lr={{start:1e-3,end:1e-5,over:{1},shape:cosine,warmup:100}}"
)
MODELS = {  # words of gan-train; {0} is half of the steps, {1} all of them, {2} a recipe's data
    "non-saturating": "experiment={2}_nonsaturating",
    "PacGAN 2": "experiment={2}_pacgan",
    "WGAN-GP": "experiment={2}_wgan_gp",
    "R3GAN": f"experiment={{2}}_r3gan {R3GAN}",
    "DDGAN, 4 steps": (
        "model=ddgan_mlp dataset={3} batch_size=256 loss.penalties.r1.weight=0.1 "
        "optimizer.lr={{start:1e-3,end:1e-5,over:{1},shape:cosine}}"
    ),
    "diffusion": f"model=ddpm_mlp dataset={{3}} {DIFFUSION}",
    "diffusion, EDM": (
        "model=ddpm_mlp dataset={3} model.game.schedule=edm "
        f"model.game.prediction={{{{name:edm,data_std:{{4}}}}}} {DIFFUSION}"
    ),
}
DATA = {"ring": ("ring8", 0.7), "grid": ("grid25", 2.8)}  # recipe, and deviation of the data
QUIET = (
    "every={log: 0, preview: 0, evaluate: 0, checkpoint: 1000000}",
    "health=false",
    "logger=none",
    "metrics=none",
    "score_scale=false",
)
TRIALS = 30, 130  # steps that are timed
VALUES = ("modes", "high_quality", "reverse_kl", "w1_identity")


def words(model: str, data: str, steps: int, seed: int) -> list[str]:
    recipe, std = DATA[data]
    told = MODELS[model].format(max(steps // 2, 1), steps, recipe, data, std)
    return [*told.split(), *QUIET, f"steps={steps}", f"seed={seed}", "device=cpu"]


def seconds_of(model: str, data: str, steps: int, *more: str) -> float:
    """Processor seconds of a training without its score, with all that is done once."""
    start = time.process_time()
    gan_cli.train(*words(model, data, steps, 0), f"run=trial-{time.time_ns()}", *more)
    return time.process_time() - start


def run(model: str, data: str, seed: int, seconds: float) -> dict[str, Any]:
    """Trains a model for about so many seconds, and scores it."""
    seconds_of(model, data, 2)  # what is imported and read at first
    short, long = (seconds_of(model, data, steps) for steps in TRIALS)
    each = max(long - short, 1e-3) / (TRIALS[1] - TRIALS[0])
    steps = max(round(seconds / each), 10)
    name = f"{data}-{''.join(filter(str.isalnum, model))}-{seed}"
    start = time.process_time()
    gan_cli.train(*words(model, data, steps, seed), f"run={name}")
    took = time.process_time() - start
    card = gan_cli.score(
        run=name,
        features="identity",
        metrics=["modes", "transport"],
        count=2_500,
        output=f"outputs/{name}/card-{time.time_ns()}.json",
    )
    values = {key: card["values"][key] for key in VALUES}
    calls = card["protocol"]["fake"].get("network_calls", 1)
    return {"steps": steps, "cpu_seconds": took, "calls": calls, **values}


def rows_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def run_all(given: argparse.Namespace) -> None:
    for seed, data, model in product(given.seeds, given.data, given.models):
        case = {"model": model, "data": data, "seed": seed, "seconds": given.seconds}
        if any({**row, **case} == row for row in rows_of(given.file)):
            continue
        row = {**case, **run(model, data, seed, given.seconds)}
        with given.file.open("a") as stream:
            print(json.dumps(row), file=stream)
        print(row, flush=True)


def table(rows: list[dict[str, Any]]) -> str:
    """Means over the seeds, as Markdown."""
    found = defaultdict(list)
    for row in rows:
        found[row["model"], row["data"]].append(row)
    head = "| | data | calls | steps | modes | high quality | reverse KL | W1 |"
    lines = [head, "|---" * 8 + "|"]
    for (model, data), runs in found.items():
        means = {key: fmean(row[key] for row in runs) for key in ("steps", *VALUES)}
        modes, quality, kl, w1 = (means[key] for key in VALUES)
        cells = (
            f"{means['steps']:,.0f}",
            f"{modes:.1f}",
            f"{quality:.1%}",
            f"{kl:.3f}",
            f"{w1:.2f}",
        )
        lines.append(f"| {model} | {data} | {runs[0]['calls']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--file", type=Path, default=Path("families.jsonl"))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    given = parser.parse_args()
    if given.what == "run":
        run_all(given)
    print(table(rows_of(given.file)))


if __name__ == "__main__":
    main()
