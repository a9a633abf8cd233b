"""Images per second of feature extraction, and seconds for a 2048-d Frechet distance.

    python scripts/benchmark.py metrics

Ours beside torch-fidelity and pytorch-fid in one run, in turns (A B C A B C ...); a ratio is the
median of the ratios within a round. Random weights in the published layout, 32 x 32 images. Where
pytorch-fid is not installed (see parity.py) its rows are left out; its distance is scipy's sqrtm,
which is timed here without it. Needs an otherwise idle machine; five minutes on two CPU cores.
"""

import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
import torch
from random_inception import write_random_weights
from torch import Tensor

from gan_cli.data.sets.in_memory import InMemory
from gan_cli.metrics.features import inception
from gan_cli.metrics.features.inception import Inception, build_network
from gan_cli.metrics.features.inception_weights import read_weights
from gan_cli.metrics.frechet import Moments, frechet_distance

BATCH, DIMENSIONS, SMALL, LARGE = 32, 2048, 1000, 10_000
ROUNDS = 3
Timed = dict[str, Callable[[], object]]


def extractors(weights: Path, images: Tensor) -> Timed:
    """The first is the yardstick."""
    dataset, device = InMemory({"real": images}), torch.device("cpu")
    exact = Inception(dataset, device, inception_weights=str(weights))
    with mock.patch.object(inception, "TOLERANCE", 1.0):  # random weights are judged in parity.py
        fast = Inception(dataset, device, inception_weights=str(weights), fast=True)
    fidelity = build_network(read_weights(weights)[0], weights)
    timed: Timed = {
        "torch-fidelity": lambda: fidelity(images),
        "ours, exact": lambda: exact(images),
        "ours, fast": lambda: fast(images),
    }
    if find_spec("pytorch_fid"):
        network = pytorch_fid_network(weights)
        timed = {"pytorch-fid": lambda: network(images / 255), **timed}
    return timed


def pytorch_fid_network(weights: Path) -> Any:
    from pytorch_fid import inception as theirs

    state = read_weights(weights)[0]
    with mock.patch.object(theirs, "load_state_dict_from_url", return_value=state):
        return theirs.InceptionV3([3]).eval()


def distances() -> Timed:
    """Between the moments of 1,000 and of 10,000 vectors a side."""
    rng = torch.Generator().manual_seed(0)
    scales = torch.logspace(0, -2, DIMENSIONS)  # as uneven as the spectrum of real features

    def draw(count: int) -> Tensor:
        return torch.randn(count, DIMENSIONS, generator=rng) * scales

    small, large = ([Moments.of(draw(n)) for _ in range(2)] for n in (SMALL, LARGE))
    states = [moments.state_dict() for moments in large]
    return {
        f"scipy sqrtm, as pytorch-fid ({LARGE})": lambda: sqrtm_distance(*states),
        f"eigvals, as torch-fidelity ({LARGE})": lambda: eigvals_distance(*states),
        f"ours ({LARGE})": lambda: frechet_distance(*map(fresh, large)),
        f"ours ({SMALL})": lambda: frechet_distance(*map(fresh, small)),
    }


def fresh(moments: Moments) -> Moments:
    """Without the root that an earlier distance has left."""
    return Moments(moments.count, moments.mean, moments.spread)


def sqrtm_distance(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> float:
    from scipy.linalg import sqrtm

    return trace_distance(a, b, np.trace(sqrtm(a["sigma"] @ b["sigma"])).real)


def eigvals_distance(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> float:
    eigenvalues = np.linalg.eigvals(a["sigma"] @ b["sigma"]).astype(complex)
    return trace_distance(a, b, np.sqrt(eigenvalues).sum().real)


def trace_distance(a: dict[str, np.ndarray], b: dict[str, np.ndarray], overlap: float) -> float:
    spread = np.trace(a["sigma"]) + np.trace(b["sigma"]) - 2 * overlap
    return float(((a["mu"] - b["mu"]) ** 2).sum() + spread)


def compare(title: str, timed: Timed, unit: str, scale: Callable[[float], float]) -> None:
    """Prints what `scale` makes of the seconds, and how many times as fast as the first."""
    for run in timed.values():
        run()  # kernels are chosen, memory is claimed
    rounds = [{name: seconds(run) for name, run in timed.items()} for _ in range(ROUNDS)]
    yardstick = next(iter(timed))
    print(f"\n{title}: medians of {ROUNDS} rounds\n{'':42}{unit:>10}  times as fast (from, to)")
    for name in timed:
        gains = [took[yardstick] / took[name] for took in rounds]
        spread = f"{median(gains):.2f} ({min(gains):.2f}, {max(gains):.2f})"
        value = scale(median(took[name] for took in rounds))
        print(f"{name:42}{value:>10.2f}  {spread}", flush=True)


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    with torch.no_grad():
        run()
    return time.perf_counter() - start


def main() -> None:
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(256, (BATCH, 3, 32, 32), generator=rng, dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder:
        weights = write_random_weights(Path(folder) / "random.pth", images)
        timed = extractors(weights, images)
        compare("Inception features", timed, "images/s", lambda took: BATCH / took)
    compare(f"Frechet distance, {DIMENSIONS}-d", distances(), "seconds", lambda took: took)


if __name__ == "__main__":
    main()
