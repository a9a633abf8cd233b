"""Perceptual hashes of images, and pairs of images that look the same.

The hash is that of Zauner 2010 ("Implementation and benchmarking of perceptual image hash
functions"): the signs of low frequencies of a small gray image, relative to their median. It hardly
changes when an image is rescaled, compressed or brightened.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.fft import dctn
from torch import Tensor

SIDE, LOW = 32, 8  # pixels of the gray images, and frequencies in either direction
COLOURED = 16  # pixels of the coloured images, which decide
BITS = LOW * LOW
BANDS = 4  # parts of a hash; two hashes of at most DISTANCE different bits agree in one of them
BAND_BITS = BITS // BANDS  # but for a single bit
DISTANCE = 2 * BANDS - 1
ALIKE, ALIKE_GRAY = 0.97, 0.96  # correlations of coloured and gray images that look the same
MOST = 2**22  # candidates of one band: of a bucket that is larger, only some are compared
CHUNK = 4096  # pairs that are compared at a time
Hashes = NDArray[np.uint64]
ONES = np.array([bin(value).count("1") for value in range(2**16)], np.uint8)


def small_gray(images: Tensor) -> NDArray[np.uint8]:
    """Stored images (N, C, H, W) uint8 as gray ones (N, SIDE, SIDE); transparent is white."""
    return shrunk(opaque(images).mean(1, keepdim=True), SIDE)[:, 0]


def small_coloured(images: Tensor) -> NDArray[np.uint8]:
    """Stored images (N, C, H, W) uint8 as (N, C, COLOURED, COLOURED), without transparency."""
    return shrunk(opaque(images), COLOURED)


def opaque(images: Tensor) -> Tensor:
    """Images (N, C, H, W) in float32; transparent pixels are white."""
    pixels = images.float()
    if pixels.shape[1] != 4:
        return pixels
    alpha = pixels[:, 3:] / 255
    return pixels[:, :3] * alpha + 255 * (1 - alpha)


def shrunk(pixels: Tensor, side: int) -> NDArray[np.uint8]:
    """Images (N, C, side, side), by means over areas."""
    small: NDArray[np.uint8] = (
        F.interpolate(pixels, (side, side), mode="area").round().to(torch.uint8).numpy()
    )
    return small


def hashes_of(small: NDArray[np.uint8]) -> Hashes:
    """The hash (N,) of each small image (N, SIDE, SIDE)."""
    frequencies = dctn(small.astype(np.float32), axes=(1, 2), norm="ortho")
    low = frequencies[:, :LOW, :LOW].reshape(-1, BITS).copy()
    low[:, 0] = frequencies[:, LOW, 0]  # in place of the mean, which is always large
    bits = low > np.median(low, axis=1, keepdims=True)
    packed: NDArray[np.uint8] = np.packbits(bits, axis=1)
    return np.ascontiguousarray(packed).view(np.uint64)[:, 0]


def similar_pairs(
    gray: NDArray[np.uint8], coloured: NDArray[np.uint8]
) -> list[tuple[int, int, float]]:
    """Pairs (i, j) of images that look the same, i < j, with their correlation, best first.

    Takes what `small_gray` and `small_coloured` make of the images.

    The time grows with the number of images, not with that of pairs: only images that share a part
    of their hash, up to one bit, are compared.
    """
    hashes = hashes_of(gray)
    found = [pairs for band in range(BANDS) for pairs in candidates(hashes, band)]
    pairs = np.unique(np.concatenate(found), axis=0)
    alike = [
        (int(i), int(j), float(value))
        for part in np.split(pairs, range(CHUNK, len(pairs), CHUNK))
        for (i, j), value, fine in zip(
            part, correlations(coloured, part), correlations(gray, part), strict=True
        )
        if value >= ALIKE and fine >= ALIKE_GRAY
    ]
    return sorted(alike, key=lambda pair: -pair[2])


def candidates(hashes: Hashes, band: int) -> Iterator[NDArray[np.int64]]:
    """Pairs (P, 2) of near hashes whose parts `band` are equal, or differ in one bit."""
    parts = (hashes >> np.uint64(band * BAND_BITS)) & np.uint64(2**BAND_BITS - 1)
    order = np.argsort(parts, kind="stable")
    ordered = parts[order]
    for bit in (None, *range(BAND_BITS)):
        flipped = parts if bit is None else parts ^ np.uint64(1 << bit)
        first = np.searchsorted(ordered, flipped, "left")
        counts = np.searchsorted(ordered, flipped, "right") - first
        counts = np.minimum(counts, max(2, MOST // max(len(hashes), 1)))
        left = np.repeat(np.arange(len(hashes)), counts)
        within = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
        right = order[np.repeat(first, counts) + within]
        near = (left < right) & (distances(hashes, left, right) <= DISTANCE)
        yield np.stack([left[near], right[near]], 1)


def distances(
    hashes: Hashes, left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Numbers of bits in which hashes differ."""
    words = (hashes[left] ^ hashes[right]).view(np.uint16).reshape(-1, 4)
    return ONES[words].sum(1, dtype=np.int64)


def correlations(small: NDArray[np.uint8], pairs: NDArray[np.int64]) -> NDArray[np.float32]:
    """The correlation of the pixels of each pair of small images (P,)."""
    left, right = (centred(small[pairs[:, side]]) for side in (0, 1))
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    products: NDArray[np.float32] = (left * right).sum(1) / np.maximum(norms, 1e-6)
    return products


def centred(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Small images as vectors of mean 0."""
    flat = small.reshape(len(small), int(np.prod(small.shape[1:]))).astype(np.float32)
    centred: NDArray[np.float32] = flat - flat.mean(1, keepdims=True)
    return centred
