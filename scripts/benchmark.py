"""Images per second of whole training steps against a textbook loop, and start-up times.

    python scripts/benchmark.py [--steps 50] [--pairs 5] [--device cpu] [--only loops startup]
    python scripts/benchmark.py metrics     see benchmark_metrics.py
    python scripts/benchmark.py sampling    see benchmark_sampling.py
    python scripts/benchmark.py costs       see benchmark_costs.py
    python scripts/benchmark.py sound       see benchmark_sound.py
    python scripts/benchmark.py translation see benchmark_translation.py
    python scripts/benchmark.py latency     see benchmark_latency.py
    python scripts/benchmark.py stylegan2   see benchmark_stylegan2.py

Everything is measured in one run, in turns (A B C A B C ...), and a ratio is the median of the
ratios within a round: a machine that slows down slows all of them. Same networks (DCGAN, width 64),
batches of 64 x 3 x 32 x 32, D + G + optimizers + data; ours also logs, averages and watches for
signals. Needs gan_cli installed (pip install -e .) and an otherwise idle machine: one busy process
beside it costs two-thread torch two thirds of its speed. About ten minutes on two CPU cores.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from statistics import median

import benchmark_costs
import benchmark_latency
import benchmark_metrics
import benchmark_sampling
import benchmark_sound
import benchmark_stylegan2
import benchmark_translation
import torch
from benchmark_loops import configure, loop_of
from startup import startup_times
from textbook import textbook_training

from gan_cli.data.sets import datasets
from gan_cli.games.build import build_game
from gan_cli.runtime.device import pick_device
from gan_cli.training.run import Run

BATCH = 64
WHATS = (
    *("training", "metrics", "sampling", "costs", "sound", "stylegan2"),
    *("translation", "latency"),
)
WARM_UP = 3  # untimed steps before each block: the caches and queues hold another loop's data
SETTING = [
    *("model=dcgan", "dataset=synthetic", "dataset.size=32", "dataset.channels=3"),
    *("dataset.count=4096", f"batch_size={BATCH}", "metrics=none", "run=benchmark"),
    *("model.networks.generator.width=64", "model.networks.discriminator.width=64"),
    *("every.preview=0", "every.checkpoint=0", "every.evaluate=0"),  # logging stays on
]
BFLOAT16 = ["device.precision=bfloat16", "device.channels_last=true"]

Loop = Callable[[int], float]  # steps -> images per second


def our_loop(overrides: list[str], folder: Path) -> Loop:
    run = Run(configure([*SETTING, *overrides]), folder)
    return timed(loop_of(run), run.runtime.device)


def textbook_loop(overrides: list[str]) -> Loop:
    """The same networks on the same images."""
    config = configure([*SETTING, *overrides])
    device = pick_device(config.device.accelerator)
    dataset = datasets.build(config.dataset, where="dataset")
    pair = build_game(config.model, config.loss, config.augment, dataset.spec).networks
    tensors = dataset.tensors()
    assert tensors is not None
    training = textbook_training(
        pair["generator"], pair["discriminator"], tensors["real"], device, BATCH
    )
    return timed(lambda steps: list(islice(training, steps)), device)


def timed(train: Callable[[int], object], device: torch.device) -> Loop:
    def measure(steps: int) -> float:
        train(WARM_UP)
        synchronize(device)
        start = time.perf_counter()
        train(steps)
        synchronize(device)
        return steps * BATCH / (time.perf_counter() - start)

    return measure


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def compare(title: str, loops: dict[str, Loop], steps: int, pairs: int) -> None:
    """Prints each loop's rate, and its ratio to the first of them."""
    for measure in loops.values():
        measure(1)  # kernels are chosen, memory is claimed
    rounds = [{name: measure(steps) for name, measure in loops.items()} for _ in range(pairs)]
    yardstick = next(iter(loops))
    print(f"\n{title}: medians of {pairs} rounds of {steps} steps")
    print(f"{'':32}{'images/s':>10}  ratio to {yardstick} (lowest, highest)")
    for name in loops:
        ratios = [rates[name] / rates[yardstick] for rates in rounds]
        spread = f"{median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f})"
        print(f"{name:32}{median(rates[name] for rates in rounds):>10.0f}  {spread}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=50, help="timed steps a block (%(default)s)")
    parser.add_argument("--pairs", type=int, default=5, help="rounds (%(default)s)")
    parser.add_argument("--device", default="cpu", help="a file of configs/device (%(default)s)")
    parts = ("loops", "wgan_gp", "startup")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("what", nargs="?", choices=WHATS, default="training")
    options = parser.parse_args()
    if options.what != "training":
        others = {
            "metrics": benchmark_metrics,
            "sampling": benchmark_sampling,
            "costs": benchmark_costs,
            "sound": benchmark_sound,
            "stylegan2": benchmark_stylegan2,
            "translation": benchmark_translation,
            "latency": benchmark_latency,
        }
        others[options.what].main()
        return
    device = [f"device={options.device}"]
    if "startup" in options.only:
        print("start-up: medians of 3, in seconds")
        for name, seconds in startup_times().items():
            print(f"{name:50}{seconds:6.2f}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if "loops" in options.only:
            loops = {
                "textbook, float32": textbook_loop(device),
                "gan-train, float32": our_loop(device, folder / "float32"),
                "gan-train, bfloat16": our_loop([*device, *BFLOAT16], folder / "bfloat16"),
            }
            compare("DCGAN, non-saturating", loops, options.steps, options.pairs)
        if "wgan_gp" in options.only:
            wgan_gp = [*device, "loss=wgan_gp"]
            loops = {
                "WGAN-GP, float32": our_loop(wgan_gp, folder / "gp_float32"),
                "WGAN-GP, bfloat16": our_loop([*wgan_gp, *BFLOAT16], folder / "gp_bfloat16"),
            }
            # A step has five critic turns: a fifth of the steps, and rates unlike those above.
            compare("WGAN-GP", loops, max(1, options.steps // 5), options.pairs)


if __name__ == "__main__":
    main()
