"""Images that look the same are found by their perceptual hashes, and others are not."""

import io
import time

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gan_cli.forecast.hashes import similar_pairs, small_coloured, small_gray

COUNT = 60


def photos(count: int, seed: int = 0, side: int = 64) -> Tensor:
    """Smooth random pictures (count, 3, side, side) uint8, each different from the others."""
    noise = torch.randn(count, 3, 9, 9, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(noise, (side, side), mode="bicubic")
    return (127 + 60 * smooth).clamp(0, 255).to(torch.uint8)


def pairs(images: Tensor) -> set[tuple[int, int]]:
    found = similar_pairs(small_gray(images), small_coloured(images))
    return {(i, j) for i, j, _ in found}


def changed(images: Tensor, change) -> Tensor:
    """Each image after `change`, a function of Pillow images."""
    found = []
    for pixels in images:
        image = change(Image.fromarray(pixels.permute(1, 2, 0).numpy()))
        found.append(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    return torch.stack(found)


def rescaled(image: Image.Image) -> Image.Image:
    return image.resize((40, 40), Image.Resampling.LANCZOS).resize(image.size)


def recompressed(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "jpeg", quality=40)
    return Image.open(file).convert("RGB")


def brightened(image: Image.Image) -> Image.Image:
    return image.point(lambda value: int(value * 0.85 + 20))


@pytest.mark.parametrize("change", [rescaled, recompressed, brightened])
def test_changed_copies_are_found_and_nothing_else(change):
    images = photos(COUNT)
    both = torch.cat([images, changed(images, change)])
    assert pairs(both) == {(i, i + COUNT) for i in range(COUNT)}


def flipped(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def other_colours(image: Image.Image) -> Image.Image:
    return Image.merge("RGB", image.split()[::-1])


@pytest.mark.parametrize("change", [flipped, other_colours])
def test_mirror_images_and_other_colours_are_not_the_same(change):
    images = photos(COUNT)
    assert not pairs(torch.cat([images, changed(images, change)]))


def test_gray_and_transparent_images_are_compared_too():
    gray = photos(8)[:, :1]
    assert pairs(torch.cat([gray, gray])) == {(i, i + 8) for i in range(8)}
    clear = torch.cat([photos(8), torch.zeros(8, 1, 64, 64, dtype=torch.uint8)], 1)
    clear[:, 3, 20:40] = 255  # what cannot be seen does not count
    hidden = clear.clone()
    hidden[:, :3, :20] = 99
    assert {(i, i + 8) for i in range(8)} <= pairs(torch.cat([clear, hidden]))


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_images_to_compare(count):
    assert pairs(photos(1)[:count]) == set()


def test_the_time_grows_with_the_images_and_not_with_their_pairs():
    gray, coloured = (small(photos(40_000, side=16)) for small in (small_gray, small_coloured))
    start = time.process_time()
    found = similar_pairs(gray, coloured)
    assert time.process_time() - start < 30  # 3 s; all 800 million pairs would take minutes
    assert len(found) < 100
