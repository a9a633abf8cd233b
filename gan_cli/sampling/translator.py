"""A model as a function of photos of any size, whole or in tiles."""

import logging
from math import lcm
from typing import Any

import numpy as np
from torch import Tensor

from gan_cli.games.draw import draw
from gan_cli.games.request import Request
from gan_cli.sampling.model import Model
from gan_cli.sampling.options import SampleOptions
from gan_cli.sampling.photos import Photo, read_label_map, read_photo
from gan_cli.sampling.tiles import MOST, Tiles, reach, translated
from gan_cli.utils.errors import ConfigError

OUTPUT_SIDE = 2048  # pixels per side of what is computed at once; takes about 4 GiB in SRResNet
log = logging.getLogger("gan_cli")


class Translator:
    """The model as a function of photos."""

    def __init__(self, model: Model, options: SampleOptions, target: str) -> None:
        self.model, self.target, (self.key,) = model, target, model.game.inputs(target)
        given, made = (model.spec.fields[key].shape for key in (self.key, target))
        self.channels, self.factor = given[0], made[1] // given[1]
        if (given[1] * self.factor, given[2] * self.factor) != tuple(made[1:]):
            raise ConfigError(
                f"input: the model makes {made[1]} x {made[2]} pixels of {given[1]} x {given[2]}, "
                "which is no whole factor; type dataset=NAME instead"
            )
        maps = model.checkpoint.dataset.get("source_classes") if self.key == "source" else None
        self.classes: int | None = maps  # of label maps, which become one-hot images
        (self.seed,) = options.seeds or (0,)
        self.label = model.labels(options.labels, [self.seed])
        modules: Any = model.game.networks.modules()
        self.multiple = lcm(*(getattr(module, "multiple", 1) for module in modules))
        self.side = options.tile or max(OUTPUT_SIDE // self.factor, 2 * MOST)
        self.overlap = options.overlap
        self.seen: int | None = None  # pixels that an output depends on; measured with the first
        self.measured = False

    def __call__(self, images: Tensor) -> Tensor:
        """Maps (1, C, H, W) in [-1, 1] to outputs."""
        request = Request([self.seed], self.label, {self.key: images}, target=self.target)
        with self.model.runtime.autocast():
            (output,) = draw(self.model.game, request, 1)
        return output

    def read(self, data: bytes) -> Photo:
        """Decodes an image file, or a label map if the model takes these."""
        if self.classes is not None:
            return read_label_map(data, self.classes)
        return read_photo(data, self.channels)

    def tiles(self, height: int, width: int) -> Tiles:
        """Returns how an image of this size is cut; the overlap is measured when it matters."""
        tiles = Tiles(self.side, self.overlap or 0, self.multiple, self.factor)
        if self.overlap is not None or tiles.count(height, width) == 1:
            return tiles
        if not self.measured:
            self.seen = reach(self, self.channels, self.multiple, self.factor)
            self.measured = True
            if self.seen is None:
                log.warning(
                    "overlap: outputs depend on more than %d pixels around them, so that tiles of "
                    "an overlap of %d agree with the whole image only roughly; type overlap=N or "
                    "tile=N for more",
                    *(MOST, MOST),
                )
        overlap = MOST if self.seen is None else self.seen
        return Tiles(max(self.side, 3 * overlap), overlap, self.multiple, self.factor)

    def output(self, photo: Photo) -> np.ndarray:
        """Returns the output (H, W, C) uint8; ConfigError if the networks take one size alone."""
        height, width = photo.colours.shape[:2]
        device = self.model.game.device
        try:
            return translated(self, photo.colours, self.tiles(height, width), device)
        except RuntimeError as error:
            if "shape" not in str(error) and "size" not in str(error):
                raise
            own = " x ".join(map(str, self.model.spec.fields[self.key].shape[1:]))
            raise ConfigError(
                f"input: the model's networks take no images of {height} x {width} "
                f"({str(error).splitlines()[0]}); type dataset=folder dataset.path=FOLDER for "
                f"images of {own}"
            ) from None
