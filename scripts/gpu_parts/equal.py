"""Every model, loss and precision on the GPU: against the CPU, and recorded against eager turns."""

import argparse
import contextlib
import math
import os
import tempfile
import warnings
from pathlib import Path

import torch

from gan_cli.training.run import Run
from gan_cli.utils.paths import CONFIGS
from gpu_parts.common import Table, config_of, options_of, play
from gpu_parts.shared_noise import SharedNoise

COMMON = (
    *("run=gpu", "batch_size=16", "metrics=none", "health=false", "steps=1000000"),
    *("every={log: 0, preview: 0, evaluate: 0, checkpoint: 0}", "device.tf32=false"),
)
IMAGES = ("dataset=synthetic", "dataset.count=256", "dataset.size=32")
NARROW = tuple(f"model.networks.{role}.width=16" for role in ("generator", "discriminator"))
PAIR = (
    *("dataset=pair", "dataset@dataset.source=synthetic", "dataset@dataset.target=synthetic"),
    *("dataset.source={count: 64, size: 28}", "dataset.target={count: 64, size: 28, seed: 1}"),
)
VECTORS = ("dataset=ring", "dataset.count=4096", "model=mlp", "batch_size=64")
TOLERANCE = {"float32": 2e-3, "bfloat16": 0.15, "float16": 0.15}


def cases() -> dict[str, tuple[str, ...]]:
    """Words by name: all losses on dcgan, all models and precisions, all augmentations."""
    found: dict[str, tuple[str, ...]] = {}
    for loss in names("loss"):
        found[f"loss={loss}"] = (*IMAGES, f"loss={loss}", "model=dcgan", *NARROW)
    for model in names("model"):
        if model in ("inversion", "f_anogan"):  # these take a trained generator: part commands
            continue
        for precision in ("float32", "bfloat16", "float16"):
            if model == "unrolled" and precision == "float16":
                continue
            words: tuple[str, ...] = (*IMAGES, f"model={model}")
            if model == "affine":
                words = ("dataset=mixture1d", "model=affine", "loss=f_kl", "batch_size=256")
            elif model == "bigan_mlp":
                words = ("dataset=ring", "dataset.count=4096", "model=bigan_mlp")
            elif model.startswith("dann"):
                words = (*PAIR, f"model={model}", "batch_size=16")
            found[f"model={model} {precision}"] = (*words, f"device.precision={precision}")
    for augment in names("augment"):
        if augment != "none":
            words = (*IMAGES, "model=dcgan", *NARROW, "loss=r3gan", f"augment={augment}")
            found[f"augment={augment}"] = words
    found["vectors, wgan_gp"] = (*VECTORS, "loss=wgan_gp")
    found["packing"] = (*IMAGES, "model=dcgan", *NARROW, "model.game.packing=2")
    found["channels_last, accumulate, clip"] = (
        *(*IMAGES, "model=sngan", "device.channels_last=true", "accumulate=2", "clip_norm=1"),
    )
    found["lr and weight schedules"] = (
        *(*IMAGES, "model=dcgan", *NARROW, "loss=r3gan"),
        *("optimizer.lr={start: 1e-3, end: 1e-5, over: 8}",),
        *("loss.penalties.r1.weight={start: 10, end: 1, over: 8}",),
    )
    found["betas schedule"] = (
        *(*IMAGES, "model=dcgan", *NARROW, "loss=r3gan"),
        "optimizer.betas=[0.0, {start: 0.9, end: 0.99, over: 8}]",
    )
    return found


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


def values_of(run: Run) -> list[tuple[str, float]]:
    """All logged values with their names, in order; empties the meters."""
    rows, run.meters.rows = run.meters.rows, []
    return [
        (f"step {step} {player}/{name}", value)
        for step, player, values in rows
        for name, value in zip(values.names, values.values.tolist(), strict=True)
    ]


def started(words: tuple[str, ...], device: str, folder: Path) -> Run:
    return Run(config_of(*COMMON, f"device={device}", *words), folder)


def worst(expected: list[tuple[str, float]], values: list[tuple[str, float]]) -> tuple[float, str]:
    """The largest deviation, relative to the value or a tenth of the mean size, and where it is."""
    scale = sum(abs(v) for _, v in expected if math.isfinite(v)) / len(expected) / 10 + 1e-3
    found = [(0.0, "")]
    for (name, right), (_, value) in zip(expected, values, strict=True):
        if right != value and not (math.isnan(right) and math.isnan(value)):
            error = abs(value - right) / (abs(right) + scale)
            found.append((error, f"{name}: {value:.5g}, expected {right:.5g}"))
    return max(found)


def against_cpu(words: tuple[str, ...], device: str, folder: Path) -> tuple[float, float]:
    """The largest deviations from the CPU in the first turn, and in all turns of two steps.

    The first turn is that of equal weights; its update already depends on the signs of gradients
    that are rounding errors.
    """
    seen = []
    for place, extra in (("cpu", ()), (device, ("device.graphs=false",))):
        run = started((*words, *extra), place, folder / place)
        with SharedNoise():
            play(run, 2)
        first = len(run.meters.rows[0][-1].names)
        seen.append(values_of(run))
    for what in (worst(seen[0][:first], seen[1][:first]), worst(*seen)):
        print("   worst:", *what)
    return worst(seen[0][:first], seen[1][:first])[0], worst(*seen)[0]


def recorded_against_eager(words: tuple[str, ...], device: str, folder: Path) -> tuple[str, str]:
    """Words on the largest difference after 8 steps, and on synchronizations a step."""
    runs = []
    for graphs in ("false", "auto"):
        chosen = (*words, f"device.graphs={graphs}", "device.deterministic=true")
        run = started(chosen, device, folder / graphs)
        play(run, 8)
        runs.append((run, values_of(run)))
    (eager, first), (recorded, second) = runs
    graphs_of = recorded.turns.graphs
    if graphs_of is None:
        return "no graphs", f"{waits(eager)} waits"
    reasons = sorted(set(graphs_of.eager.values()))
    state = f"{len(graphs_of.recordings)} graphs"
    if reasons:
        state += f", {len(graphs_of.eager)} eager ({reasons[0][:90]})"
    difference, where = worst(first, second)
    equal = f"differ by {difference:.1e} ({where})" if difference else "equal bits"
    return f"{state}, {equal}", f"{waits(eager)} and {waits(recorded)} waits"


def waits(run: Run) -> int:
    """Synchronizations in three steps of a run that has warmed up."""
    if run.runtime.device.type != "cuda":
        return 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        play(run, 3)
        torch.cuda.set_sync_debug_mode("default")
    found = [w for w in caught if str(w.message).startswith("called a synchronizing")]
    for warning in found[:4]:
        print("   waits:", warning.filename, warning.lineno)
    return len(found)


def compare(words: tuple[str, ...], device: str, precision: str) -> str:
    with tempfile.TemporaryDirectory() as temporary:
        first, later = against_cpu(words, device, Path(temporary))
        graphs, found = recorded_against_eager(words, device, Path(temporary))
    verdict = "" if first < TOLERANCE[precision] else " TOO FAR"
    return f"cpu {first:.0e} {later:.0e}{verdict}; {graphs}; {found}"


def main(options: argparse.Namespace) -> None:
    table = Table(options, "equal", "GPU against CPU; recorded against eager; waits in 3 steps")
    torch.backends.cuda.matmul.allow_tf32 = False
    chosen = list(cases().items())[options.shard :: options.shards]
    if options.device == "cpu":
        chosen = chosen[::12]
    for name, words in chosen:
        precision = name.rpartition(" ")[2] if name.startswith("model=") else "float32"
        table.attempt(name, lambda w=words, p=precision: compare(w, options.device, p))  # type: ignore[misc]


if __name__ == "__main__":
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with contextlib.suppress(KeyboardInterrupt):
        main(options_of(__doc__))
