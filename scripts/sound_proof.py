"""What models of sound learn: chirps, whose law is known, and spoken digits, which are recognized.

    python scripts/sound_proof.py chirps RUN [RUN ...]   distances of samples to the law, a table
    python scripts/sound_proof.py digits RUN PATH        how many samples are recognized

The runs are trained before, as in docs/sound.md. For chirps the table has the Kolmogorov-Smirnov
distances of the pitch, sweep and loudness of samples to their uniform law, the share of the power
that is near the pitch, and the same of untrained networks and of new data. Digits are recognized by
a classifier of spectrograms, which is trained on the recordings at PATH.
"""

import argparse

import torch
from torch import Tensor

from gan_cli.checkpoints.choice import find
from gan_cli.data.kinds import kind_of
from gan_cli.data.sets import datasets
from gan_cli.data.sets.chirps import quantiles
from gan_cli.games.draw import draw_all
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.games.restore import network_spec, restore_game
from gan_cli.metrics.features.chirps import ChirpMeasures
from gan_cli.metrics.features.classifier import as_images, trained_classifier
from gan_cli.metrics.inception_score import inception_score
from gan_cli.metrics.ks import ks_to_uniform
from gan_cli.networks import networks

COUNT = 1000
CPU = torch.device("cpu")


def drawn(game: Game, label: Tensor | None = None) -> Tensor:
    """COUNT sounds (N, C, T) in [-1, 1], of the seeds 0, 1, 2, ..."""
    return draw_all(game, Request(range(COUNT), label))


def chirp_row(name: str, sounds: Tensor) -> str:
    measures = ChirpMeasures()
    with torch.no_grad():
        distances = ks_to_uniform(quantiles(measures(sounds))).tolist()
        purity = measures.purity(sounds).nanmean().item()
    mean = sum(distances) / len(distances)
    cells = " | ".join(f"{value:.3f}" for value in (*distances, mean, purity))
    return f"| {name} | {cells} |"


def chirps(runs: list[str]) -> None:
    print("| samples | pitch | sweep | loudness | mean | purity |\n|---|---|---|---|---|---|")
    data = datasets.build({"name": "chirps", "count": COUNT, "seed": 1}, where="dataset")
    tensors = data.tensors()
    assert tensors is not None
    print(chirp_row("new data", tensors["real"].float() / 32768))
    for i, run in enumerate(runs):
        checkpoint = find(run, "run")
        game = restore_game(checkpoint)
        label = None
        if game.labelled:
            label = torch.arange(COUNT) % checkpoint.spec.classes
        if i == 0:
            role = game.samples_from
            spec = network_spec(checkpoint, role)
            torch.manual_seed(0)
            new = networks.build(checkpoint.node(role), spec, where=role)
            untrained = game.with_networks({role: new.eval()})
            print(chirp_row("an untrained network", drawn(untrained, label)), flush=True)
        print(chirp_row(f"{run}, step {checkpoint.step}", drawn(game, label)), flush=True)


def digits(run: str, path: str) -> None:
    """Prints the accuracy on samples of known labels, and scores of the classifier."""
    data = datasets.build({"name": "audio", "path": path, "labels": "folders"}, where="dataset")
    classifier = trained_classifier(data, CPU)
    checkpoint = find(run, "run")
    game = restore_game(checkpoint)
    classes = checkpoint.spec.classes
    label = torch.arange(COUNT) % classes
    field = checkpoint.spec.fields[checkpoint.spec.target]
    stored = kind_of(field).to_stored(drawn(game, label if game.labelled else None))
    with torch.no_grad():
        logits = torch.cat([classifier(as_images(part)) for part in stored.split(250)])
    seen = logits.argmax(1)
    print(f"{run}, step {checkpoint.step}: {COUNT} samples")
    print(f"classifier on held-out recordings: {100 * classifier.accuracy:.1f} %")
    print(f"score like the inception score: {inception_score(logits):.2f} of {classes}")
    print(f"digits recognized: {seen.bincount(minlength=classes).tolist()}")
    if game.labelled:
        right = (seen == label).float()
        each = [f"{100 * right[label == k].mean().item():.0f}" for k in range(classes)]
        print(f"recognized as their digit: {100 * right.mean().item():.1f} % ({' '.join(each)})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["chirps", "digits"])
    parser.add_argument("words", nargs="+", help="runs of chirps; a run and the path of digits")
    given = parser.parse_args()
    if given.what == "chirps":
        chirps(given.words)
    else:
        digits(*given.words)


if __name__ == "__main__":
    main()
