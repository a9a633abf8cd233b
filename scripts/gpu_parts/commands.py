"""The commands as a user types them, on the GPU: train, resume, sample, film, score, export."""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gpu_parts.common import Table, options_of

SETTINGS = (
    *("dataset=mnist_5k", "every={log: 10, preview: 20, evaluate: 20, checkpoint: 20}"),
    *("metrics=fd_random", "metrics.count=500", "metrics.real_count=1000", "batch_size=64"),
)
FIRST = 4  # commands that are typed one after another


def command(program: str, *words: str) -> str:
    """Runs gan-PROGRAM; returns its last line. RuntimeError with its output if it fails."""
    code = f"from gan_cli.commands import {program} as main; import sys; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=140
    )
    output = (done.stdout + done.stderr).strip().splitlines() or [""]
    print(f"$ gan-{program}", *words, *output[-6:], sep="\n    ")
    if done.returncode:
        raise RuntimeError(f"status {done.returncode}: {' | '.join(output[-2:])}")
    return output[-1][:90]


def main() -> None:
    options = options_of(__doc__)
    table = Table(options, "commands", "The commands")
    device = f"device={options.device}"
    train = (*SETTINGS, device)
    folder = Path(tempfile.mkdtemp())
    os.chdir(folder)
    steps = {
        "train": ("train", "run=a", "steps=40", *train),
        "resume, as typed again": ("train", "run=a"),
        "train on": ("train", "run=a", "steps=60"),
        "train, bfloat16 and channels_last": (
            *("train", "run=b", "steps=40", *train, "model=bigan"),
            *("device.precision=bfloat16", "device.channels_last=true"),
        ),
        "train, float16": ("train", "run=h", "steps=40", *train, "device.precision=float16"),
        "train, wgan_gp": ("train", "run=w", "steps=40", *train, "loss=wgan_gp"),
        "train, a streaming feed": ("train", "run=s", "steps=40", *train, "device.resident=false"),
        "train, compiled": (
            *("train", "run=c", "steps=10", *train, "device.compile=true", "loss=r1"),
            *("model.networks.generator.width=8", "model.networks.discriminator.width=8"),
        ),
        "vectors, with density": (
            *("train", "run=ring", "experiment=ring8_r3gan", "steps=40", device),
            *("every.preview=20", "every.evaluate=20"),
        ),
        "domains, with accuracies": (
            *("train", "run=dann", "model=dann", "dataset=digits_to_mnist_5k", "steps=20", device),
            *("every.evaluate=20", "every.preview=20"),
        ),
        "encoder of a frozen generator": (
            *("train", "run=inv", "model=inversion", "model.pretrained.generator=a", "steps=20"),
            *("dataset=mnist_5k", device),
        ),
        "sample": ("sample", "run=a", "count=16", device),
        "interpolate": ("sample", "run=a", "seeds=0-3", "interpolate=4", device, "output=way"),
        "film": ("sample", "run=a", "task=film", device, "output=film"),
        "reconstruct": (
            "sample",
            "run=b",
            "task=reconstruct",
            "dataset=mnist_5k",
            "count=8",
            device,
            "output=again",
        ),
        "invert": (
            "sample",
            "run=a",
            "task=invert",
            "dataset=mnist_5k",
            "steps=5",
            "count=8",
            device,
            "output=inv",
        ),
        "score": ("fid", "run=a", "metrics=[fd]", "features=random", "count=500", device),
        "score, all metrics": (
            *("fid", "run=a", "metrics=[fd,kd,prdc,sliced,memorisation]", "features=random"),
            *("count=1000", device, "output=all.json"),
        ),
        "export": ("export", "run=a", "format=safetensors,onnx"),
    }
    if options.device == "cpu":
        steps = {name: steps[name] for name in ("train", "sample", "score")}

    def attempt(name: str) -> None:
        program, *words = steps[name]
        table.attempt(name, lambda: command(program, *words))

    names = list(steps)
    for name in names[:FIRST]:  # the others need these
        attempt(name)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(attempt, names[FIRST:]))
    made = sorted(Path("outputs/a/samples").glob("*.png"))[-1:]
    for picture in made:
        shutil.copy(picture, options.folder / "commands-samples.png")


if __name__ == "__main__":
    main()
