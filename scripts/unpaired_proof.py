"""What CycleGAN and CUT learn where the true map is known: digits in colour, from gray ones.

    python scripts/unpaired_proof.py cyclegan 0      trains one variant with one seed: minutes
    python scripts/unpaired_proof.py table FILE      the table of all lines printed so far

Each training prints one line of JSON: the mean absolute error and the PSNR of 500 translated
held-out images with respect to their true translations; the share of them that a classifier of
true translations assigns to the class of the source; and how many of the classes most of whose
images become those of another class, a wrong bijection. Variants: cyclegan; no_cycle, whose
networks are trained by their discriminators alone; cut and fastcut, whose sources are gray RGB
images; no_contrast, which is cut with next to no contrastive loss.
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
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.sets.known_map import MAPS
from gan_cli.evaluation.held_out import held_out_pairs
from gan_cli.games.restore import restore_game
from gan_cli.metrics.features.classifier import trained_classifier
from gan_cli.metrics.metric import Collected
from gan_cli.metrics.paired import PairedError

CYCLEGAN = (
    "model=cyclegan",
    "model.networks.to_target.width=16",
    "model.networks.discriminator_target={width: 16, layers: 2}",
)
CUT = (
    *("model=cut", "dataset.source_channels=3", "model.networks.generator.width=16"),
    "model.networks.discriminator={width: 16, layers: 2}",
)
VARIANTS = {
    "cyclegan": CYCLEGAN,
    "no_cycle": (*CYCLEGAN, "model.game.cycle=0"),
    "cut": CUT,
    "fastcut": (*CUT, "model.game.contrastive=10", "model.game.identity=0"),
    "no_contrast": (*CUT, "model.game.contrastive=1e-6", "model.game.identity=0"),
}
SETTINGS = ("metrics=none", "health=false", "log=quiet", "dataset.images.size=16", "batch_size=16")
CPU = torch.device("cpu")


def classifier_of(map: str) -> tuple[torch.nn.Module, torch.nn.Module]:
    """Classifiers of digits, and of their true translations."""
    gray = datasets.build({"name": "mnist_5k", "size": 16}, where="dataset")
    tensors = gray.tensors()
    assert tensors is not None
    changed = {"real": MAPS[map](tensors["real"]), "label": tensors["label"]}
    classes = len(gray.spec.class_names)
    mapped = InMemory(changed, classes, gray.spec.class_names)
    return trained_classifier(gray, CPU), trained_classifier(mapped, CPU)


@torch.no_grad()
def classes_of(classifier: torch.nn.Module, images: Tensor) -> Tensor:
    return classifier(images).argmax(1)


def scores(run: str, map: str) -> dict[str, float]:
    """Errors of the averaged generator on held-out images, and the classes of its outputs."""
    checkpoint = find(run, "run")
    dataset = datasets.build(checkpoint.dataset, where="dataset")
    assert isinstance(dataset, HasHeldOut)
    source = dataset.held_out()["source"]
    output, truth = held_out_pairs(restore_game(checkpoint), dataset, len(source), 0)
    found = PairedError()(Collected(None), Collected(None, pairs=(output, truth)))
    of_sources, of_targets = classifier_of(map)
    gray = source[:, :1]
    expected, seen = classes_of(of_sources, gray), classes_of(of_targets, output)
    found["class_kept"] = (seen == expected).float().mean().item()
    found["class_of_truth"] = (classes_of(of_targets, truth) == expected).float().mean().item()
    counts = torch.zeros(10, 10)
    counts.index_put_((expected, seen), torch.ones(len(seen)), accumulate=True)
    found["classes_changed"] = int((counts.argmax(1) != torch.arange(10)).sum())
    return found


def table(file: Path) -> str:
    """Means over seeds of the lines in a file, with their range, as Markdown."""
    rows = defaultdict(list)
    for line in file.read_text().splitlines():
        row = json.loads(line)
        rows[row["map"], row["variant"]].append(row)
    names = ("paired_l1", "paired_psnr", "class_kept", "classes_changed")
    lines = [f"| map | variant | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for (map, variant), found in rows.items():
        cells = []
        for name in names:
            values = [row[name] for row in found]
            mean = sum(values) / len(values)
            cells.append(f"{mean:.3f} ({min(values):.3f} to {max(values):.3f})")
        lines.append(f"| {map} | {variant} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variant", choices=[*VARIANTS, "table"])
    parser.add_argument("seed", help="seed, or the file of lines for a table")
    parser.add_argument("--map", choices=list(MAPS), default="tint")
    parser.add_argument("--steps", type=int, default=800)
    given = parser.parse_args()
    if given.variant == "table":
        print(table(Path(given.seed)))
        return
    words = (*VARIANTS[given.variant], *SETTINGS, f"dataset.map={given.map}")
    rate = f"{{start: 2e-4, end: 0, over: {given.steps}, shape: linear_after_half}}"
    words += (f"steps={given.steps}", f"seed={given.seed}", f"optimizer.lr={rate}")
    run = train(*words, f"run=unpaired-{given.map}-{given.variant}-{given.seed}")
    row = {"map": given.map, "variant": given.variant, "seed": int(given.seed)}
    print(json.dumps({**row, **scores(str(run.folder), given.map)}), flush=True)


if __name__ == "__main__":
    main()
