"""Moving pictures: frames made large enough to be watched, GIF and MP4 files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from gan_cli.utils.files import atomic_file

CLIP_SIZE = 256  # pixels; smaller frames are enlarged by a whole factor


def save_gif(path: Path, frames: Sequence[np.ndarray], fps: int) -> Path:
    """Frames (height, width, 3) uint8, all of one size; the clip repeats without end."""
    first, *rest = map(Image.fromarray, frames)
    with atomic_file(path, durable=False) as file:
        first.save(file, "gif", save_all=True, append_images=rest, duration=1000 // fps, loop=0)
    return path


def save_mp4(path: Path, frames: Sequence[np.ndarray], fps: int) -> Path:
    """Frames (height, width, 3) uint8, all of one size, as H.264. Needs the extra `video`."""
    import imageio.v3 as imageio

    content = imageio.imwrite(
        "<bytes>", np.stack(frames), extension=".mp4", plugin="pyav", codec="libx264", fps=fps
    )
    with atomic_file(path, durable=False) as file:
        file.write(content)
    return path


def clip(images: np.ndarray) -> list[np.ndarray]:
    """Images (N, H, W, C) uint8 as RGB frames (height, width, 3), large enough to be watched."""
    return [enlarged(rgb(image)) for image in images]


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
    return even(frame.repeat(factor, 0).repeat(factor, 1))


def even(frame: np.ndarray) -> np.ndarray:
    """A frame (height, width, C) whose odd sides are longer by one."""
    height, width, _ = frame.shape
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
