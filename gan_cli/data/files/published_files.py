"""The files of torchvision's data sets: which of them are there, and which are damaged."""

import hashlib
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

IDX = 8  # the type of uint8 in the headers of MNIST's files


def published_files(
    dataset_class: Any, folder: Path, split: Any = None
) -> Iterator[tuple[Path, str | None]]:
    """Paths of the files that torchvision reads, with their MD5 sums if these are known."""
    base = folder / getattr(dataset_class, "base_folder", "")
    for url, _ in getattr(dataset_class, "resources", ()):  # of MNIST: unpacked after the download
        yield folder / dataset_class.__name__ / "raw" / Path(url).stem, None
    for key in ("train_list", "test_list"):  # CIFAR, STL-10
        for name, md5 in getattr(dataset_class, key, ()):
            yield base / name, md5
    if isinstance(meta := getattr(dataset_class, "meta", None), dict):  # CIFAR
        yield base / meta["filename"], meta["md5"]
    if split in getattr(dataset_class, "split_list", {}):  # SVHN
        yield folder / dataset_class.split_list[split][1], dataset_class.split_list[split][2]
    for _, md5, name in getattr(dataset_class, "file_list", ()):  # CelebA
        if not name.endswith(".zip"):
            yield base / name, md5


def is_damaged(path: Path, md5: str | None) -> bool:
    """Whether a file has another MD5 sum, or, without one, another length than its header says."""
    try:
        if md5 is None:
            return path.stat().st_size != idx_size(path)
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest() != md5
    except OSError:
        return True


def idx_size(path: Path) -> int:
    """The length of a file in the IDX format of MNIST, according to its header; -1 without one."""
    with open(path, "rb") as file:
        head = file.read(16)
    if len(head) < 8 or head[:3] != bytes([0, 0, IDX]) or not 1 <= head[3] <= 3:
        return -1
    sides = struct.unpack_from(f">{head[3]}i", head, 4) if len(head) >= 4 + 4 * head[3] else (-1,)
    return 4 + 4 * len(sides) + math.prod(sides)
