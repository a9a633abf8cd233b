"""The files that a run will have on the disk."""

import math
from dataclasses import dataclass
from pathlib import Path

from gan_cli.config.schema import Config
from gan_cli.forecast.trial import Preview
from gan_cli.utils.storage import free_disk


@dataclass(frozen=True)
class Disk:
    """Bytes of the files of a finished run, apart from its logs and its report."""

    checkpoint: int  # bytes of one
    checkpoints: int  # that are kept at the end, with the best
    previews: int
    pictures: int  # bytes of all previews
    free: int | None  # of the disk that holds the run folder

    @property
    def total(self) -> int:
        return self.checkpoints * self.checkpoint + self.pictures


def disk_of(
    config: Config, folder: Path, checkpoint: int, preview: Preview | None, scored: bool
) -> Disk:
    """The disk space of a run that is trained to its last step; `scored` ones keep the best."""
    previews = times_due(config.every.preview, config.steps) if preview else 0
    pictures = preview.data_bytes + previews * preview.bytes if preview and previews else 0
    best = scored and config.every.evaluate > 0
    kept = kept_checkpoints(config.steps, config.every.checkpoint, config.keep_last, config)
    return Disk(checkpoint, kept + best, previews, pictures, free_disk(folder))


def times_due(every: int, steps: int) -> int:
    """How often something happens at an interval, and at the last step."""
    return -(-steps // every) if every else 0


def kept_checkpoints(steps: int, every: int, keep_last: int, config: Config) -> int:
    """Checkpoints that are left at the last step: the newest, and those of every.keep."""
    newest = min(keep_last, saved := times_due(every, steps))
    if not config.every.keep or not saved:
        return newest
    older = (saved - newest) * every  # the last step of those that are not among the newest
    return newest + older // math.lcm(every, config.every.keep)
