"""What a survey of images finds wrong with them, in words."""

import logging
from collections import Counter
from collections.abc import Mapping

from gan_cli.data.files.image import Shape
from gan_cli.data.files.survey import Survey
from gan_cli.utils.errors import ConfigError

LISTED = 20  # broken images that an error lists
log = logging.getLogger(__name__)


def broken_images(broken: Mapping[str, str], total: int) -> str:
    """The error that lists broken images, with advice."""
    names = sorted(broken)
    lines = [f"    {name}: {broken[name]}" for name in names[:LISTED]]
    if len(names) > LISTED:
        lines.append(f"    and {len(names) - LISTED} more")
    advice = "type dataset.skip_broken=true to leave them out"
    if len(names) == total:
        advice = "no image is left"
    head = f"dataset.path: {len(names)} of {total} images cannot be used; {advice}:"
    return "\n".join([head, *lines])


def check_sizes(seen: Survey, shape: Shape) -> None:
    """Raises ConfigError if image sizes differ and there is no resize policy."""
    height, width = seen.size
    found = Counter(seen.found.values())
    if shape.resize == "none" and set(found) - {seen.size}:
        sizes = ", ".join(f"{n} of {w}x{h}" for (h, w), n in found.most_common(5))
        more = ", ..." if len(found) > 5 else ""
        want, add = "images of one size", f"dataset.size={min(map(min, found))} "
        if shape.size:
            want, add = f"images of {width}x{height}", ""
        raise ConfigError(
            f"dataset.resize: 'none' needs {want}, but there are {sizes}{more} (width x height); "
            f"type {add}dataset.resize=crop (or stretch, or pad)"
        )
    small = sum(n for (h, w), n in found.items() if h < height or w < width)
    if small and shape.resize != "pad":
        log.warning("enlarging %d images that are smaller than %dx%d", small, width, height)
