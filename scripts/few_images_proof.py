"""What augmentation gives with 500 images: digits, and photos of one class.

    python scripts/few_images_proof.py run --cifar cifar10.zip   trains what FILE does not have yet
    python scripts/few_images_proof.py table                     the table of all lines in FILE

Each training appends lines to FILE (few-images.jsonl), one for each of its checkpoints: the Frechet
distance (features random) of 2,000 samples to images that were not trained on, and to the 500 that
were; the metric memorisation with respect to these; and ADA's p. An interrupted command continues
where it was: runs are resumed, and finished ones are left out. --cifar is CIFAR-10 as a zip archive
or a folder with StyleGAN's dataset.json.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import gan_cli
from gan_cli.data.sets import datasets

COUNT, HELD_OUT, SIZE, SAMPLES = 500, 2_500, 16, 2_000
AUGMENTS: dict[str, tuple[str, ...]] = {
    "none": ("augment=none",),
    "diffaugment": (
        *("augment=diffaugment", "augment.policy=[color,translation]"),
        "augment.translation=0.0625",
    ),
    "ada": ("augment=ada", "augment.target=0.2", "augment.speed=25000"),
}
# Digits have a top and a left.
UPRIGHT = ("augment.flip=0", "augment.rotate90=0", "augment.rotation=0")
# A fully connected discriminator knows 500 images by heart after 1,000 steps; one of convolutions
# takes longer than the minutes that a run has here.
DISCRIMINATOR = "{name: mlp_discriminator, width: 256, depth: 2, norm: none}"
SETTINGS = (
    *("model=dcgan", f"model.networks.discriminator={DISCRIMINATOR}", "loss=nonsaturating"),
    *("optimizer.lr=1e-3", "loss.betas=[0.0,0.99]", "batch_size=32"),
    *("metrics=none", "health=false", "logger=none", "every.preview=0", "every.log=100"),
    *("device.precision=bfloat16", "device.channels_last=true", "score_scale=false"),
)
NAMES = ("held_out", "training", "memorised", "memorised_auc")


def images_of(name: str, cifar: Path) -> Tensor:
    """Digits or horses, uint8 (N, C, SIZE, SIZE)."""
    if name == "digits":
        return tensor_of({"name": "mnist_5k", "size": SIZE})["real"]
    options = {"path": str(cifar), "labels": "json", "size": SIZE, "resize": "stretch"}
    found = tensor_of({"name": "folder", **options})
    return found["real"][found["label"] == 7]


def tensor_of(options: dict[str, Any]) -> dict[str, Tensor]:
    dataset = datasets.build(options, where="dataset")
    return {
        key: torch.stack([dataset[i][key] for i in range(len(dataset))])
        for key in ("real", "label")
    }


def save_sides(name: str, cifar: Path) -> dict[str, Path]:
    """Folders of the training images and of held-out ones, which are made once."""
    sides = {side: Path(f"few-{name}-{SIZE}", side) for side in ("training", "held_out")}
    if not all(folder.exists() for folder in sides.values()):
        images = images_of(name, cifar)
        images = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]
        parts = images[:COUNT], images[COUNT : COUNT + HELD_OUT]
        for folder, part in zip(sides.values(), parts, strict=True):
            folder.mkdir(parents=True, exist_ok=True)
            for number, image in enumerate(part):
                pixels = image.permute(1, 2, 0).squeeze(2).numpy()
                Image.fromarray(np.ascontiguousarray(pixels)).save(folder / f"{number:04}.png")
    return sides


def train(name: str, augment: str, seed: int, steps: int, often: int, folder: Path) -> str:
    """Trains a run, or continues it; every `often` steps, a checkpoint is kept."""
    run = f"few-{name}-{augment}-{seed}"
    upright = name == "digits" and augment == "ada"
    words: tuple[str, ...] = (f"dataset.path={folder}",)
    words += (f"dataset.channels={1 if name == 'digits' else 3}",)
    words += (f"every.checkpoint={often}", f"every.keep={often}", "every.evaluate=0")
    words += (
        *SETTINGS,
        *AUGMENTS[augment],
        *(UPRIGHT if upright else ()),
        f"seed={seed}",
        f"steps={steps}",
    )
    gan_cli.train("dataset=folder", *words, f"run={run}")
    return run


def scores(run: str, sides: dict[str, Path], step: int) -> dict[str, float]:
    """Distances of samples at a checkpoint to both sides."""
    found: dict[str, float] = {}
    for side, folder in sides.items():
        metrics = ["fd"] if side == "held_out" else ["fd", "memorisation"]
        card = gan_cli.score(
            run=run,
            which=step,
            real=str(folder),
            features="random",
            metrics=metrics,
            count=SAMPLES,
            output=f"outputs/{run}/{step}-{side}.json",
        )
        values = {key.removesuffix("_random"): value for key, value in card["values"].items()}
        found |= {side: values.pop("fd"), **values}
    return found


def strength(run: str, step: int) -> float | None:
    """ADA's p at a step."""
    for line in Path("outputs", run, "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["step"] == step and "discriminator/augment_p" in row:
            return float(row["discriminator/augment_p"])
    return None


def rows_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def run_all(given: argparse.Namespace, file: Path) -> None:
    """Seed by seed, so that an early end leaves whole comparisons."""
    for seed, name, augment in product(given.seeds, given.data, given.augments):
        sides = save_sides(name, given.cifar)
        case = {"data": name, "augment": augment, "seed": seed}
        done = {row["step"] for row in rows_of(file) if {**row, **case} == row}
        often = given.steps // given.times
        steps = range(often, given.steps + 1, often)
        if done >= set(steps):
            continue
        run = train(name, augment, seed, given.steps, often, sides["training"])
        for step in sorted(set(steps) - done):
            row = {**case, "step": step, "p": strength(run, step), **scores(run, sides, step)}
            with file.open("a") as stream:
                print(json.dumps(row), file=stream)


def table(rows: Iterable[dict[str, Any]]) -> str:
    """The last line of each run as Markdown, and the held-out distance of all its lines."""
    runs = defaultdict(list)
    for row in rows:
        runs[row["data"], row["seed"], row["augment"]].append(row)
    head = ("data", "seed", "augment", *NAMES, "p", "held_out over time")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for key, found in sorted(runs.items()):
        last = max(found, key=lambda row: row["step"])
        cells = [str(part) for part in key] + [f"{last[name]:.3g}" for name in NAMES]
        cells.append("" if last["p"] is None else f"{last['p']:.2f}")
        cells.append(", ".join(f"{row['held_out']:.3g}" for row in found))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--file", type=Path, default=Path("few-images.jsonl"))
    parser.add_argument("--cifar", type=Path, default=Path("cifar10.zip"))
    parser.add_argument("--data", nargs="+", choices=["digits", "horses"])
    parser.add_argument("--augments", nargs="+", choices=list(AUGMENTS), default=list(AUGMENTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--times", type=int, default=4, help="checkpoints that are scored")
    parser.set_defaults(data=["digits", "horses"])
    given = parser.parse_args()
    if given.what == "run":
        run_all(given, given.file)
    print(table(rows_of(given.file)))


if __name__ == "__main__":
    main()
