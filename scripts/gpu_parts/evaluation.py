"""Scores on the GPU: Inception features beside pytorch-fid, and 10,000 samples end to end."""

import argparse
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import torch
from random_inception import write_random_weights
from torch import Tensor

from gan_cli.data.sets.in_memory import InMemory
from gan_cli.metrics.features import inception
from gan_cli.metrics.features.inception import Inception
from gan_cli.metrics.features.inception_weights import read_weights
from gan_cli.runtime.numerics import exact_numerics
from gan_cli.training.run import Run
from gpu_parts.common import Table, config_of, options_of, play, synchronize

BATCH = 250


def rate(action: Callable[[], object], images: int, device: torch.device, seconds: float) -> float:
    action()
    action()
    synchronize(device)
    began, number = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        action()
        synchronize(device)
        number += 1
    return number * images / (time.perf_counter() - began)


def extractors(
    weights: Path, images: Tensor, device: torch.device
) -> dict[str, Callable[[], object]]:
    dataset = InMemory({"real": images})
    exact = Inception(dataset, device, inception_weights=str(weights))
    with mock.patch.object(inception, "TOLERANCE", 1.0):  # random weights are judged in parity.py
        fast = Inception(dataset, device, inception_weights=str(weights), fast=True)
    on_device = images.to(device)

    def ours() -> object:
        with exact_numerics(device):
            return exact(on_device)

    def channels_last() -> object:
        with mock.patch.object(exact, "layout", return_value=torch.channels_last):
            return ours()

    found: dict[str, Callable[[], object]] = {
        "ours, exact": ours,
        "ours, exact, channels_last": channels_last,
        "ours, fast": lambda: fast(on_device),
    }
    if find_spec("pytorch_fid"):
        from pytorch_fid import inception as theirs

        state = read_weights(weights)[0]
        with mock.patch.object(theirs, "load_state_dict_from_url", return_value=state):
            network = theirs.InceptionV3([3]).eval().to(device)

        @torch.no_grad()
        def pytorch_fid() -> object:
            return network(images.to(device) / 255)[0].squeeze(3).squeeze(2).cpu().numpy()

        found = {"pytorch-fid": pytorch_fid, **found}
    return found


def end_to_end(weights: Path, device: str, count: int) -> str:
    """Seconds of one evaluation with `count` samples a side."""
    with tempfile.TemporaryDirectory() as temporary:
        words = (
            *("run=score", "model=dcgan", "dataset=synthetic", f"dataset.count={count}"),
            *("dataset.size=32", f"device={device}", "metrics=fid", f"metrics.count={count}"),
            *(f"metrics.inception_weights={weights}", "steps=1000000", "score_scale=false"),
            *("every={log: 0, preview: 0, evaluate: 0, checkpoint: 0}",),
        )
        run = Run(config_of(*words), Path(temporary))
        play(run, 1)
        seconds = []
        for _ in range(2):  # the first one also embeds the data
            synchronize(run.runtime.device)
            began = time.perf_counter()
            run.evaluate()
            synchronize(run.runtime.device)
            seconds.append(time.perf_counter() - began)
        run.logger.close()
    return f"{count} samples: first {seconds[0]:.1f} s (with the data), then {seconds[1]:.1f} s"


def main(options: argparse.Namespace) -> None:
    table = Table(options, "evaluation", "Inception features, images/s")
    device = torch.device(options.device)
    images = torch.randint(0, 256, (BATCH, 3, 32, 32), dtype=torch.uint8)
    if options.device == "cpu":
        images = images[:8]
    with tempfile.TemporaryDirectory() as temporary:
        weights = write_random_weights(Path(temporary) / "random.pth", images[:32])
        for name, action in extractors(weights, images, device).items():
            table.attempt(
                name,
                lambda a=action: f"{rate(a, len(images), device, options.seconds):9.0f}",  # type: ignore[misc]
            )
        count = 10_000 if options.device == "cuda" else 64
        table.attempt("one evaluation", lambda: end_to_end(weights, options.device, count))


if __name__ == "__main__":
    main(options_of(__doc__))
