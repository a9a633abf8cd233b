"""CelebA, which is decoded on the fly since it is too large for memory."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from gan_cli.config.ranges import Pixels
from gan_cli.data.dataset import datasets
from gan_cli.data.files.download import fetch
from gan_cli.data.files.image import Resize, Shape, fit, read_image, square, to_tensor
from gan_cli.data.files.survey_cache import decoding
from gan_cli.data.files.unreadable import naming_file
from gan_cli.data.spec import image_spec
from gan_cli.utils.digest import short_hash
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.kept import kept


@datasets.register("celeba")
class CelebA:
    """202,599 faces of 218x178 pixels (Liu et al. 2015, arXiv:1411.7766)."""

    def __init__(
        self,
        *,
        root: str = "data",
        split: Literal["train", "valid", "test", "all"] = "train",
        size: Pixels | None = 64,
        resize: Literal["crop", "stretch", "pad"] = "crop",
        hflip: bool = False,
    ) -> None:
        source = fetch("CelebA", root, split=split)
        self.folder = Path(source.root, source.base_folder, "img_align_celeba")
        self.files = list(source.filename)
        check_images(self.folder, self.files)
        self.height, self.width = (218, 178) if size is None else square(size)
        self.resize: Resize = resize
        self.spec = image_spec((3, self.height, self.width))
        self.hflip = hflip

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:  # noqa: ARG003
        return frozenset({"real"})

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        file = self.folder / self.files[index]
        with naming_file(str(file)):
            image = read_image(file.read_bytes(), channels=3)
            return {"real": to_tensor(fit(image, self.height, self.width, self.resize))}

    def tensors(self) -> None:
        return None  # would take 2.3 GiB at 64x64

    def labels(self) -> None:
        return None

    def modes(self) -> None:
        return None

    @kept
    def fingerprint(self) -> str:
        """Returns a hash of the file names; the content is verified when it is downloaded."""
        return short_hash("\n".join(self.files))

    def identity(self) -> dict[str, Any]:
        """Returns what its samples are a function of: the files, their shape, and the decoder."""
        shape = Shape(3, (self.height, self.width), self.resize)
        return {"files": self.fingerprint(), **decoding(shape)}


def check_images(folder: Path, files: list[str]) -> None:
    """Raises ConfigError for missing images, which torchvision does not look for."""
    present = {entry.name for entry in os.scandir(folder)}  # 0.3 s for all 202,599
    missing = [name for name in files if name not in present]
    if missing:
        raise ConfigError(
            f"dataset.root: {len(missing):,} of {len(files):,} images of CelebA are missing in "
            f"{folder} (the first is {missing[0]}); unpack img_align_celeba.zip there again"
        )
