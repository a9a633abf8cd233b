"""What pix2pix learns where the truth is known: from the edges of digits to the digits.

    python scripts/pairs_proof.py pix2pix 0       trains one variant with one seed: minutes
    python scripts/pairs_proof.py table FILE      the table of all lines printed so far

Each training prints one line of JSON: mean absolute error and PSNR of the outputs of 500 held-out
edges, and the share of them that a classifier of the training digits assigns to the class of the
true digit. Variants: pix2pix, l1 (no discriminator), gan (no reconstruction), and shuffled, whose
training pairs are of different digits.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import torch
from torch import Tensor

from gan_cli import train
from gan_cli.checkpoints.choice import find
from gan_cli.data.dataset import HasHeldOut, datasets
from gan_cli.data.sets.paired import Paired
from gan_cli.evaluation.held_out import held_out_pairs
from gan_cli.games.restore import restore_game
from gan_cli.metrics.features.classifier import trained_classifier
from gan_cli.metrics.metric import Collected
from gan_cli.metrics.paired import PairedError

VARIANTS = {
    "pix2pix": (),
    "l1": ("model.game.adversarial=0",),
    "gan": ("model.game.reconstruction=0",),
    "shuffled": ("dataset.name=shuffled_pairs",),
}
SETTINGS = ("model=pix2pix", "batch_size=16", "metrics=none", "health=false", "every.preview=500")
CPU = torch.device("cpu")


@datasets.register("shuffled_pairs")
class Shuffled(Paired):
    """Pairs of training samples that do not belong together; held-out pairs do."""

    def tensors(self) -> dict[str, Tensor] | None:
        found = super().tensors()
        if found is None:
            return None
        return {**found, "source": found["source"].roll(len(self) // 2, 0)}


def scores(run: str) -> dict[str, float]:
    """Errors of the averaged generator on held-out pairs, and the classes of its outputs."""
    checkpoint = find(run, "run")
    options = {**checkpoint.dataset, "name": "paired"}
    dataset = datasets.build(options, where="dataset")
    assert isinstance(dataset, HasHeldOut)
    held = dataset.held_out()
    output, truth = held_out_pairs(restore_game(checkpoint), dataset, len(held["target"]), 0)
    classifier = trained_classifier(dataset, CPU)
    found = PairedError()(Collected(None), Collected(None, pairs=(output, truth)))
    for name, images in (("outputs", output), ("truth", truth)):
        with torch.no_grad():
            classes = classifier(images).argmax(1)
        found[f"class_of_{name}"] = (classes == held["label"]).float().mean().item()
    return found


def table(file: Path) -> str:
    """Means over seeds of the lines in a file, with their range, as Markdown."""
    rows = defaultdict(list)
    for line in file.read_text().splitlines():
        row = json.loads(line)
        rows[row["variant"]].append(row)
    names = ("paired_l1", "paired_psnr", "class_of_outputs", "class_of_truth")
    lines = [f"| variant | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for variant, found in rows.items():
        cells = []
        for name in names:
            values = [row[name] for row in found]
            mean = sum(values) / len(values)
            cells.append(f"{mean:.3f} ({min(values):.3f} to {max(values):.3f})")
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variant", choices=[*VARIANTS, "table"])
    parser.add_argument("seed", help="seed, or the file of lines for a table")
    parser.add_argument("--steps", type=int, default=800)
    given = parser.parse_args()
    if given.variant == "table":
        print(table(Path(given.seed)))
        return
    words = (*SETTINGS, *VARIANTS[given.variant], f"steps={given.steps}", f"seed={given.seed}")
    run = train(*words, f"run=pairs-{given.variant}-{given.seed}")
    found = scores(str(run.folder))
    print(json.dumps({"variant": given.variant, "seed": int(given.seed), **found}), flush=True)


if __name__ == "__main__":
    main()
