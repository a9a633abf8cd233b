"""Images per second of whole training steps on the GPU: a textbook loop, and ours in its modes."""

import argparse
import cProfile
import pstats
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from textbook import textbook_training
from torch.profiler import ProfilerActivity, profile

from gan_cli.data.sets import datasets
from gan_cli.games.build import build_game
from gan_cli.runtime.device import pick_device
from gan_cli.training.run import Run
from gan_cli.utils.paths import CONFIGS
from gpu_parts.common import Table, config_of, options_of, play, synchronize

COMMON = (
    *("run=speed", "dataset=synthetic", "dataset.count=16384", "metrics=none", "steps=1000000"),
    *("every.preview=0", "every.checkpoint=0", "every.evaluate=0", "every.log=50"),
)
WIDTHS = ("model.networks.generator.width=64", "model.networks.discriminator.width=64")
NETWORKS: dict[str, tuple[str, ...]] = {
    "dcgan": ("model=dcgan", *WIDTHS),
    "dcgan, wgan_gp": ("model=dcgan", "loss=wgan_gp", *WIDTHS),
    "sngan": ("model=sngan", "loss=hinge"),
    "r3gan": ("model=r3gan", "loss=r3gan"),
    "stylegan2": ("model=stylegan2",),
}
TF32, FLOAT32 = "device.tf32=true", "device.tf32=false"
BFLOAT16 = ("device.precision=bfloat16", "device.channels_last=true")
MODES: dict[str, tuple[str, ...]] = {
    "eager float32": ("device.graphs=false", FLOAT32, "device.channels_last=false"),
    "eager TF32": ("device.graphs=false", TF32, "device.channels_last=false"),
    "eager TF32 channels_last": ("device.graphs=false", TF32),
    "eager bfloat16 channels_last": ("device.graphs=false", *BFLOAT16),
    "graphs TF32": (TF32, "device.channels_last=false"),
    "graphs TF32 channels_last": (TF32,),
    "graphs bfloat16 channels_last": BFLOAT16,
    "compiled TF32 channels_last": ("device.graphs=false", TF32, "device.compile=true"),
    "compiled and graphs bfloat16": (*BFLOAT16, "device.compile=true"),
}
SHORT = ("eager TF32 channels_last", "graphs TF32 channels_last", "graphs bfloat16 channels_last")
# (network, pixels, batch): modes
PLAN: list[tuple[str, int, int, tuple[str, ...]]] = [
    ("dcgan", 32, 64, SHORT),
    ("r3gan", 32, 64, SHORT),
    ("dcgan, wgan_gp", 32, 64, SHORT),
    ("r3gan", 32, 512, SHORT[1:]),
    ("dcgan", 32, 512, SHORT),
    ("r3gan", 64, 64, SHORT),
    ("sngan", 32, 64, SHORT),
    ("stylegan2", 32, 64, SHORT),
    ("stylegan2", 64, 64, SHORT),
    ("dcgan", 64, 64, SHORT),
    ("dcgan", 64, 512, SHORT),
    ("sngan", 64, 64, SHORT),
    ("sngan", 32, 512, SHORT),
    ("dcgan", 32, 64, tuple(mode for mode in MODES if mode not in SHORT)),
]


def rate(steps: Callable[[int], object], batch: int, device: torch.device, seconds: float) -> float:
    """Images per second of whole steps, over about `seconds`, after a warm-up."""
    steps(5)
    synchronize(device)
    began = time.perf_counter()
    steps(5)
    synchronize(device)
    number = max(5, int(seconds * 5 / (time.perf_counter() - began)))
    began = time.perf_counter()
    steps(number)
    synchronize(device)
    return number * batch / (time.perf_counter() - began)


def words_of(network: str, pixels: int, batch: int, device: str) -> tuple[str, ...]:
    sizes = (f"dataset.size={pixels}", f"batch_size={batch}", f"device={device}")
    return (*COMMON, *sizes, *NETWORKS[network])


def textbook(network: str, pixels: int, batch: int, device: str, seconds: float) -> float:
    """The rate of the textbook loop on the same networks (its loss is the non-saturating one)."""
    config = config_of(*words_of(network, pixels, batch, device))
    dataset = datasets.build(config.dataset, where="dataset")
    pair = build_game(config.model, config.loss, config.augment, dataset.spec).networks
    tensors: Any = dataset.tensors()
    place = pick_device(device)
    training: Iterator[None] = textbook_training(
        pair["generator"],
        pair["discriminator"],
        tensors["real"],
        place,
        batch,
        int(pair["generator"].latent_dim),  # type: ignore[arg-type]
    )
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = True  # as PyTorch has it
    return rate(lambda n: list(islice(training, n)), batch, place, seconds)


def ours(words: tuple[str, ...], batch: int, seconds: float) -> tuple[float, str]:
    """The rate of gan-train, and words on memory and on how busy the GPU is."""
    with tempfile.TemporaryDirectory() as temporary:
        run = Run(config_of(*words), Path(temporary))
        device = run.runtime.device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        speed = rate(lambda n: play(run, n), batch, device, seconds)
        if device.type != "cuda":
            return speed, ""
        peak = torch.cuda.max_memory_allocated() / 2**20
        return speed, f"{peak:6.0f} MiB, busy {busy(run):.0%}"


def where_time_goes(words: tuple[str, ...]) -> str:
    """Writes a profile of the CPU's side of 300 steps to the log."""
    with tempfile.TemporaryDirectory() as temporary:
        run = Run(config_of(*words), Path(temporary))
        play(run, 20)
        profiler = cProfile.Profile()
        profiler.enable()
        play(run, 300)
        synchronize(run.runtime.device)
        profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(35)
    return "profile in the log"


def busy(run: Run) -> float:
    """The share of 20 steps in which a kernel runs."""
    play(run, 3)
    synchronize(run.runtime.device)
    began = time.perf_counter()
    play(run, 20)
    synchronize(run.runtime.device)
    wall = time.perf_counter() - began
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        play(run, 20)
        synchronize(run.runtime.device)
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profiler.events() or ()
        if event.device_type == torch.autograd.DeviceType.CUDA
    )
    total = end = 0.0
    for start, stop in spans:
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total / 1e6 / wall


def main(options: argparse.Namespace) -> None:
    table = Table(options, "speed", "Images/s of whole steps (ratio to the textbook loop)")
    if options.device == "cuda":
        version = f"torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}"
        table.add(f"{torch.cuda.get_device_name()}, {version}")
    words = (*words_of("dcgan", 32, 64, options.device), *MODES["graphs TF32 channels_last"])
    if options.device == "cuda":
        table.attempt("the CPU's side of a step", lambda: where_time_goes(words))
    plan = PLAN if options.device == "cuda" else [("dcgan", 32, 8, ("eager float32",))]
    for network, pixels, batch, modes in plan:
        if not (CONFIGS / "model" / f"{network.partition(',')[0]}.yaml").exists():
            continue
        yardstick = [0.0]
        case = f"{network} {pixels}x{pixels} batch {batch}"

        def plain(c: Any = (network, pixels, batch), y: list[float] = yardstick) -> str:
            y[0] = textbook(c[0], c[1], c[2], options.device, options.seconds)
            return f"{y[0]:9.0f}"

        if "wgan_gp" not in network:  # the textbook loop knows one loss
            table.attempt(f"{case}: textbook", plain)
        for mode in modes:
            words = (*words_of(network, pixels, batch, options.device), *MODES[mode])

            def measure(w: Any = words, b: int = batch, y: list[float] = yardstick) -> str:
                speed, more = ours(w, b, options.seconds)
                ratio = f"{speed / y[0]:5.2f}x" if y[0] else "      "
                return f"{speed:9.0f} {ratio} {more}"

            table.attempt(f"  {mode}", measure)


if __name__ == "__main__":
    main(options_of(__doc__))
