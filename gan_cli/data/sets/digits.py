"""1,797 handwritten digits of 8x8 pixels (Alpaydin & Kaynak 1998) from scikit-learn's files."""

import gzip
import io
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F

from gan_cli.config.ranges import Natural, Pixels
from gan_cli.config.registry import ConfigError
from gan_cli.data.dataset import datasets
from gan_cli.data.files.image import fit_all
from gan_cli.data.sets.in_memory import InMemory


@datasets.register("digits")
class Digits(InMemory):
    """Gray 8x8 images in 17 shades, enlarged to `size`; needs no download.

    Digits fill the image from top to bottom. `margin` adds black pixels on each side, within
    `size`; digits of MNIST take 20 of 28 pixels (LeCun et al. 1998).
    """

    self_contained: ClassVar[bool] = True  # reads nothing that does not come with the program

    def __init__(
        self, *, size: Pixels | None = 32, margin: Natural = 0, hflip: bool = False
    ) -> None:
        table = np.loadtxt(
            io.BytesIO(gzip.decompress(find_digits().read_bytes())), np.int64, delimiter=","
        )  # (1797, 64 + 1): shades 0 to 16, label
        shades = torch.from_numpy(table[:, :-1].reshape(-1, 1, 8, 8))
        images = ((shades * 255 + 8) // 16).to(torch.uint8)  # rounded
        box = fit_all(images, inner(size, margin), "stretch")
        tensors = {"real": F.pad(box, [margin] * 4), "label": torch.tensor(table[:, -1])}
        super().__init__(tensors, 10, tuple("0123456789"), hflip)


def inner(size: int | None, margin: int) -> int | None:
    """Returns the height and width of the digits without margins."""
    if size is not None and 2 * margin >= size:
        raise ConfigError(
            f"margin: {margin} on each side leave no digit within size={size}; take less than "
            "half the size"
        )
    return size if size is None else size - 2 * margin


def find_digits() -> Path:
    """Returns scikit-learn's file; its own loader would import all of scikit-learn."""
    spec = find_spec("sklearn")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, "datasets", "data", "digits.csv.gz")
        if path.is_file():
            return path
    raise ConfigError(
        "dataset: digits reads the images in the package scikit-learn, which is "
        f"{'installed without them' if spec else 'not installed'}; type pip install scikit-learn"
    )
