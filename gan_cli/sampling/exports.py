"""What gan-sample writes: each format is a function that returns the files it wrote."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_cli.plots.density import histogram_plot
from gan_cli.plots.scatter import points_plot
from gan_cli.utils.images import grid, save_png

FPS = 20  # GIF counts in hundredths of a second, of which this is a whole number
CLIP_SIZE = 256  # pixels; smaller frames are enlarged by a whole factor


@dataclass(frozen=True)
class Drawn:
    """One image a seed, or the frames of a walk: `between` from each seed to the next."""

    images: Tensor  # (N, C, H, W) uint8, or vectors (N, F) float32
    seeds: tuple[int, ...]
    labels: list[int] | None  # of the images
    between: int | None = None
    columns: int | None = None


def write_grid(folder: Path, drawn: Drawn) -> list[Path]:
    save_png(folder / "grid.png", grid(drawn.images, drawn.columns))
    return [folder / "grid.png"]


def write_png(folder: Path, drawn: Drawn) -> list[Path]:
    """seed-00007.png, or seed-00007-label-3.png."""
    names = [f"seed-{seed:05d}" for seed in drawn.seeds]
    if drawn.labels is not None:
        names = [f"{name}-label-{k}" for name, k in zip(names, drawn.labels, strict=True)]
    files = [folder / f"{name}.png" for name in names]
    for file, picture in zip(files, channels_last(drawn.images), strict=True):
        save_png(file, picture)
    return files


def write_plot(folder: Path, drawn: Drawn) -> list[Path]:
    """Vectors of one number as a histogram, of two as points."""
    draw = histogram_plot if drawn.images.shape[1] == 1 else points_plot
    save_png(folder / "plot.png", draw(drawn.images))
    return [folder / "plot.png"]


def write_npz(folder: Path, drawn: Drawn) -> list[Path]:
    """images (N, H, W, C) uint8 or samples (N, F) float32; seeds (N,); labels (N,) if any."""
    arrays = {"seeds": np.array(drawn.seeds, np.uint64)}
    if drawn.labels is not None:
        arrays["labels"] = np.array(drawn.labels, np.int64)
    if drawn.images.ndim == 4:
        arrays["images"] = channels_last(drawn.images)
    else:
        arrays["samples"] = drawn.images.numpy()
    np.savez(folder / "samples.npz", **arrays)  # type: ignore[arg-type]  # its stub has allow_pickle
    return [folder / "samples.npz"]


def write_strip(folder: Path, drawn: Drawn) -> list[Path]:
    """A row for each pair of neighbouring seeds, from the one to the other."""
    assert drawn.between is not None
    stride = drawn.between + 1
    starts = range(0, len(drawn.images) - 1, stride)
    rows = torch.cat([drawn.images[start : start + stride + 1] for start in starts])
    save_png(folder / "strip.png", grid(rows, stride + 1))
    return [folder / "strip.png"]


def write_gif(folder: Path, drawn: Drawn) -> list[Path]:
    return [save_gif(folder / "walk.gif", clip(drawn.images), FPS)]


def write_mp4(folder: Path, drawn: Drawn) -> list[Path]:
    return [save_mp4(folder / "walk.mp4", clip(drawn.images), FPS)]


EXPORTS: dict[str, Callable[[Path, Drawn], list[Path]]] = {
    "grid": write_grid,
    "png": write_png,
    "plot": write_plot,
    "npz": write_npz,
    "strip": write_strip,
    "gif": write_gif,
    "mp4": write_mp4,
}


def save_gif(file: Path, frames: Sequence[np.ndarray], fps: int) -> Path:
    """Frames (height, width, 3) uint8, all of one size; over and over."""
    first, *rest = map(Image.fromarray, frames)
    first.save(file, save_all=True, append_images=rest, duration=1000 // fps, loop=0)
    return file


def save_mp4(file: Path, frames: Sequence[np.ndarray], fps: int) -> Path:
    import imageio.v3 as imageio  # the extra `video`

    imageio.imwrite(file, np.stack(frames), plugin="pyav", codec="libx264", fps=fps)
    return file


def channels_last(images: Tensor) -> np.ndarray:
    return images.permute(0, 2, 3, 1).contiguous().numpy()  # (N, H, W, C)


def clip(images: Tensor) -> list[np.ndarray]:
    """RGB frames (height, width, 3), large enough to be watched."""
    return [enlarged(rgb(image)) for image in channels_last(images)]


def rgb(image: np.ndarray) -> np.ndarray:
    """Gray three times over, transparency on white: (H, W, C) to (H, W, 3)."""
    if image.shape[-1] < 4:
        return np.broadcast_to(image, (*image.shape[:2], 3))
    picture = Image.fromarray(image)
    return np.asarray(Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture))[
        ..., :3
    ]


def enlarged(frame: np.ndarray) -> np.ndarray:
    """By a whole factor; odd sides are padded, since H.264 halves its color planes."""
    height, width, _ = frame.shape
    factor = max(1, CLIP_SIZE // max(height, width))
    frame = frame.repeat(factor, 0).repeat(factor, 1)
    height, width, _ = frame.shape
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
