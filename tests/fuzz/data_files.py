"""Folders, zips, arrays and statistics with mutated bytes, names, labels and shapes."""

import gzip
import io
import json
import random
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gan_cli.fid import main as fid
from gan_cli.train import main as train
from tests.fuzz.outcome import outcome_of

Files = dict[str, bytes]
SIZE = 16
FORMATS = ("PNG", "PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")
NETWORKS = (
    *("model.networks.generator.width=4", "model.networks.discriminator.width=4", "device=cpu"),
    *("run=fuzz", "steps=1", "batch_size=2", "metrics=none", "health=false", "device.threads=1"),
    *("every={log: 1, preview: 0, evaluate: 0, checkpoint: 0}", "device.workers=0"),
)
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.5, 2**70, -1e300, float("nan"), "", "x", "0", "é", "x" * 300),
    *([], [0], [[]], [0, 1], {}, {"a": 1}, [None], ["cats/0.png", 0], [["cats/0.png", 0, 0]]),
)


def images(rng: random.Random) -> Files:
    """Eight images in two folders, in formats drawn at random, with labels for all."""
    files = {}
    for i in range(8):
        pixels = np.frombuffer(rng.randbytes(SIZE * SIZE * 3), np.uint8).reshape(SIZE, SIZE, 3)
        kind, memory = rng.choice(FORMATS), io.BytesIO()
        image = Image.fromarray(pixels).convert(rng.choice(("RGB", "RGB", "L")))
        image.save(memory, kind)
        files[f"{('cats', 'dogs')[i % 2]}/{i}.{kind.lower()}"] = memory.getvalue()
    labels = [[name, i % 2] for i, name in enumerate(files)]
    document = {"labels": labels, "class_names": ["cats", "dogs"]}
    return files | {"dataset.json": json.dumps(document).encode()}


def other_bytes(data: bytes, rng: random.Random) -> bytes:
    """`data` with flipped, lost, repeated or foreign bytes."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randint(0, len(found))
        near_start = rng.randint(0, min(64, len(found)))  # where headers are
        at = rng.choice((at, near_start))
        length = rng.choice((1, 2, 4, 16, 1000))
        change = rng.randrange(6)
        if change == 0 and found:
            found[min(at, len(found) - 1)] ^= 1 << rng.randrange(8)
        elif change == 1:
            del found[at:]
        elif change == 2:
            del found[at : at + length]
        elif change == 3:
            found[at:at] = rng.randbytes(length)
        elif change == 4:
            found[at : at + length] = bytes(length)
        else:
            found[at : at + length] = b"\xff" * length
    return bytes(found)


def other_json(document: Any, rng: random.Random) -> Any:
    """`document` with one value, at any depth, replaced by an odd one."""
    if rng.random() < 0.3 or not isinstance(document, dict | list) or not document:
        return rng.choice(ODD)
    if isinstance(document, dict):
        key = rng.choice(list(document))
        return document | {key: other_json(document[key], rng)}
    place = rng.randrange(len(document))
    return [*document[:place], other_json(document[place], rng), *document[place + 1 :]]


def mutated(files: Files, rng: random.Random) -> Files:
    """`files` with one of them changed in content, in name or in the labels that it holds."""
    name = rng.choice(list(files))
    content = files[name]
    change = rng.randrange(8)
    if change == 0 and (document := document_of(files)) is not None:
        return files | {"dataset.json": json.dumps(other_json(document, rng)).encode()}
    if change == 1:
        return files | {name: b""}
    if change == 2:
        return files | {name: files[rng.choice(list(files))]}
    if change == 3:
        kept = {key: value for key, value in files.items() if key != name}
        return kept | {rng.choice((f"./{name}", name.upper(), f"{name}.txt", f"é {name}")): content}
    if change == 4:
        return {key: value for key, value in files.items() if rng.random() < 0.5}
    return files | {name: other_bytes(content, rng)}


def document_of(files: Files) -> Any:
    """What dataset.json holds, None if an earlier change has made it no JSON."""
    try:
        return json.loads(files["dataset.json"])
    except (KeyError, ValueError):
        return None


def as_folder(files: Files, place: Path) -> Path:
    for name, content in files.items():
        (place / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "set" / name).write_bytes(content)
    (place / "set").mkdir(exist_ok=True)
    return place / "set"


def as_zip(files: Files, place: Path, rng: random.Random) -> Path:
    """A zip of the files; half of them with bytes of the zip itself changed."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", rng.choice((0, 8))) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    data = memory.getvalue()
    path = place / "set.zip"
    path.write_bytes(other_bytes(data, rng) if rng.random() < 0.5 else data)
    return path


def folder_case(rng: random.Random, place: Path) -> list[str]:
    """Trains on a mutated folder or zip, or compares it with photos."""
    files = images(rng)
    for _ in range(rng.choice((1, 1, 2))):
        files = mutated(files, rng) if files else files
    path = as_zip(files, place, rng) if rng.random() < 0.5 else as_folder(files, place)
    if rng.random() < 0.4:
        return ["fid", f"fake={path}", "real=photos", "features=pixels", "metrics=[fd]"]
    labels = rng.choice(("none", "json", "folders"))
    options = rng.choice(([], ["dataset.size=16", "dataset.resize=crop"], ["dataset.channels=1"]))
    skip = rng.choice(([], ["dataset.skip_broken=true"]))
    return ["train", "dataset=folder", f"dataset.path={path}", f"dataset.labels={labels}",
            *options, *skip, *NETWORKS]  # fmt: skip


def odd_array(array: np.ndarray, rng: random.Random) -> np.ndarray:
    """`array` in another shape, of another type or with other values."""
    array = array.copy()
    changes: tuple[Callable[[], np.ndarray], ...] = (
        lambda: array[:0],
        lambda: array[:1],
        lambda: array[..., 0],
        lambda: array[None],
        lambda: np.moveaxis(array, -1, 0),
        lambda: array.astype(rng.choice(("f2", "f4", "f8", "i1", "i8", "u4", "c8", "?", "U3"))),
        lambda: array * np.float32(np.nan),
        lambda: array.astype("f4") - 1e30,
        lambda: array.reshape(-1),
        lambda: np.array(rng.choice((0, 1.5, "x", -1))),
        lambda: array.astype(object),
        lambda: np.array([{"a": 1}], dtype=object),
        lambda: array[: len(array) // 2],
        lambda: array.astype("i8") * 10**6,
        lambda: -array.astype("i8"),
    )
    return rng.choice(changes)()


def npz_case(rng: random.Random, place: Path) -> list[str]:
    """Compares mutated arrays or statistics with photos."""
    draw = np.random.default_rng(rng.randrange(2**32))
    if rng.random() < 0.5:
        pixels = draw.integers(0, 256, (8, SIZE, SIZE, 3), dtype=np.uint8)
        arrays = {"images": pixels, "labels": np.arange(8) % 2}
    else:
        width = SIZE * SIZE * 3
        arrays = {"mu": np.zeros(width), "sigma": np.eye(width)}
    name = rng.choice(list(arrays))
    if rng.random() < 0.7:
        arrays[name] = odd_array(arrays[name], rng)
    elif rng.random() < 0.3:
        arrays[rng.choice(("x", "arr_0", "count", "features"))] = arrays.pop(name)
    memory = io.BytesIO()
    np.savez(memory, **arrays)
    path, data = place / "set.npz", memory.getvalue()
    path.write_bytes(other_bytes(data, rng) if rng.random() < 0.3 else data)
    side = rng.choice(([f"fake={path}", "real=photos"], ["fake=photos", f"real={path}"]))
    metrics = rng.choice(("[fd]", "[fd,kd]", "[prdc]", "[class_fd]"))
    return ["fid", *side, "features=pixels", f"metrics={metrics}"]


def mnist_case(rng: random.Random, place: Path) -> list[str]:
    """Trains on mutated files in the layout of MNIST."""
    raw = place / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for split in "train", "t10k":
        pixels, labels = rng.randbytes(8 * 28 * 28), bytes(i % 10 for i in range(8))
        files = {
            f"{split}-images-idx3-ubyte": struct.pack(">IIII", 2051, 8, 28, 28) + pixels,
            f"{split}-labels-idx1-ubyte": struct.pack(">II", 2049, 8) + labels,
        }
        damaged = rng.choice(list(files))
        files[damaged] = other_bytes(files[damaged], rng)
        for name, content in files.items():
            (raw / name).write_bytes(content)
            (raw / f"{name}.gz").write_bytes(gzip.compress(content))
    return ["train", "dataset=mnist", f"dataset.root={place}", "dataset.download=false", *NETWORKS]


CASES = (folder_case, folder_case, folder_case, npz_case, npz_case, mnist_case)
MAINS = {"fid": fid, "train": train}


def fault_of(seed: int) -> str | None:
    """What is wrong with the answer to case `seed`, with the words to type; None if nothing is."""
    rng, place = random.Random(seed), Path("case").resolve()
    shutil.rmtree(place, ignore_errors=True)
    shutil.rmtree("outputs/fuzz", ignore_errors=True)
    place.mkdir()
    name, *words = rng.choice(CASES)(rng, place)
    fault = outcome_of(MAINS[name], words).fault()
    return fault and f"case {seed}: gan-{name} {words}\n{fault}"
