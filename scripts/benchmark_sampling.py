"""Samples per second of gan-sample's path, against the bare generator on the same threads.

    python scripts/benchmark_sampling.py [--count 2048] [--pairs 7]

The model of the default run, untrained. In turns, in batches of 64: the generator alone on random
latents, and the whole way of gan-sample, which draws a latent from each sample's own seed, pads the
last batch, rounds to uint8 and collects. Processor time, since a busy machine falsifies wall time.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from gan_cli.config.compose import composed
from gan_cli.data.kinds import kind_of
from gan_cli.data.sets import datasets
from gan_cli.games.build import build_game
from gan_cli.games.draw import BATCH, draw
from gan_cli.games.request import Request
from gan_cli.validation.validate import validate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=2048, help="samples a turn (%(default)s)")
    parser.add_argument("--pairs", type=int, default=7, help="turns of each (%(default)s)")
    options, _ = parser.parse_known_args()
    config = validate(composed("train", ["device=cpu", "run=benchmark", "metrics=none"]))
    dataset = datasets.build(config.dataset, where="dataset")
    game = build_game(config.model, config.loss, config.augment, dataset.spec)
    game.networks.eval()
    generator, kind = game.networks["generator"], kind_of(dataset.spec.fields["real"])

    @torch.inference_mode()
    def bare() -> None:
        for _ in range(options.count // BATCH):
            generator(torch.randn(BATCH, 100))

    @torch.inference_mode()
    def ours() -> None:
        torch.cat([kind.to_stored(x) for x in draw(game, Request(range(options.count)))])

    rounds = [(processor_time(bare), processor_time(ours)) for _ in range(options.pairs + 1)][1:]
    ratios = [b / a for a, b in rounds]
    for name, seconds in zip(
        ("generator alone", "gan-sample"), zip(*rounds, strict=True), strict=True
    ):
        print(f"{name:20}{options.count / median(seconds):>10.0f} images per processor second")
    print(f"time ratio {median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f})")


def processor_time(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
