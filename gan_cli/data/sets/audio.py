"""Your own sounds, in a folder or a zip archive."""

import logging
import zlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gan_cli.config.ranges import Count, Range
from gan_cli.data.dataset import datasets
from gan_cli.data.files.archive import open_archive
from gan_cli.data.files.labels import labels_of
from gan_cli.data.files.sound import read_sound
from gan_cli.data.files.sound_survey import (
    Form,
    silent,
    sound_names,
    survey_sounds,
    to_stored,
)
from gan_cli.data.files.unreadable import naming_file
from gan_cli.data.spec import Field, sample_spec
from gan_cli.utils.digest import short_hash
from gan_cli.utils.errors import ConfigError, DataError
from gan_cli.utils.kept import kept

LENGTHS = (4096, 8192, 16384, 32768, 65536)  # samples; lengths that are chosen for the data
MARGIN = 0.1  # seconds that are read beyond the end, for the filter of the resampler
SampleRate = Annotated[int, Range(least=100, most=768_000)]
Length = Annotated[int, Range(least=16, most=2**24)]
log = logging.getLogger(__name__)


@datasets.register("audio")
class AudioFiles:
    """All sounds (WAV, FLAC, OGG, MP3, ...) below `path`, a folder or a zip archive.

    A sample is the start of a file, padded with silence, or, with crop=slices, a part of `length`
    samples, from one every `stride` samples. Files that are broken, empty, silent or too short are
    left out, and so are silent slices. Files are read once, and kept in memory up to 2 GiB in all;
    others are decoded whenever they are asked for. `groups` (N,) is the number of the file that a
    slice belongs to, so that a file is trained on or held out as a whole.
    """

    hflip = False

    def __init__(
        self,
        *,
        path: str,
        sample_rate: SampleRate | None = None,  # in Hz; null: that of the files
        length: Length | None = None,  # of a sample; null: 4,096 to 65,536, what the sounds need
        channels: Literal[1, 2] = 1,
        crop: Literal["start", "slices"] = "start",
        stride: Count | None = None,  # from a slice to the next; null: half the length
        labels: Literal["none", "folders"] = "none",
    ) -> None:
        check_stride(crop, stride)
        self.archive = open_archive(path)
        known = None
        if crop == "start" and length and sample_rate:
            known = length / sample_rate + MARGIN
        self.form = Form(channels, sample_rate, known)
        seen = survey_sounds(self.archive, sound_names(self.archive, path), self.form)
        self.names = list(seen.sounds)
        self.left_out = seen.left_out
        self.sounds = list(seen.sounds.values())
        self.checksums = list(seen.checksums.values())
        lengths = list(seen.lengths.values())
        rate = sample_rate or next(iter(seen.rates.values()))
        self.length = length or fitting_length(lengths, rate)
        step = length_of_step(stride, self.length) if crop == "slices" else None
        self.places = self.audible(
            torch.cat([places(*x, self.length, step) for x in enumerate(lengths)])
        )
        self.groups = self.places[:, 0]
        self.label: Tensor | None = None
        names: tuple[str, ...] = ()
        if labels != "none":
            classes, found = labels_of(labels, self.archive, self.names, "sound")
            self.label, names = torch.tensor(classes)[self.groups], tuple(found)
        target = Field("audio", (channels, self.length), sample_rate=rate)
        self.spec = sample_spec(target, len(names), names)
        self.content = (self.names, self.checksums, self.length, crop, step, rate, channels, labels)

    @classmethod
    def provides(cls, options: Mapping[str, Any]) -> frozenset[str]:
        return frozenset({"real"} if options["labels"] == "none" else {"real", "label"})

    def audible(self, places: Tensor) -> Tensor:
        """Leaves out slices of silence, such as pauses; those of files not in memory stay."""
        heard = torch.tensor([not self.is_silent(*place) for place in places.tolist()])
        if not heard.any():
            raise ConfigError(
                f"dataset.crop: all {len(heard)} parts of {self.length} samples are silent, while "
                "their files are not; type dataset.crop=slices, or a larger dataset.length"
            )
        if not heard.all():
            log.warning(
                "left out %d of %d slices, which are silent", int((~heard).sum()), len(heard)
            )
        return places[heard]

    def is_silent(self, which: int, start: int) -> bool:
        sound = self.sounds[which]
        return sound is not None and silent(sound[:, start : start + self.length])

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        which, start = self.places[index].tolist()
        sound = self.sounds[which]
        whole = self.decode(which) if sound is None else sound
        part = torch.from_numpy(whole[:, start : start + self.length].copy())
        sample = {"real": F.pad(part, (0, self.length - part.shape[1]))}
        return sample if self.label is None else sample | {"label": self.label[index]}

    def decode(self, which: int) -> np.ndarray:
        """Returns a sound (C, T); DataError if its file is not the one that was read before."""
        where = self.archive.where(self.names[which])
        with naming_file(where):
            data = self.archive.read(self.names[which])
            if zlib.crc32(data) != self.checksums[which]:
                raise DataError(f"{where} has changed since it was first read")
            return to_stored(read_sound(data, self.form.seconds), self.form)

    def tensors(self) -> None:
        return None

    def labels(self) -> Tensor | None:
        return self.label

    def modes(self) -> None:
        return None

    @kept
    def fingerprint(self) -> str:
        """Returns a hash of names, file contents and how they are cut; equal for a folder's zip."""
        return short_hash(repr(self.content))


def check_stride(crop: str, stride: int | None) -> None:
    if stride is not None and crop != "slices":
        raise ConfigError("dataset.stride: is of slices; add dataset.crop=slices, or leave it out")


def length_of_step(stride: int | None, length: int) -> int:
    return stride or max(length // 2, 1)


def fitting_length(lengths: list[int], rate: int) -> int:
    """Returns the smallest of LENGTHS that holds the longest sound, or the largest of them."""
    longest = max(lengths)
    chosen = next((length for length in LENGTHS if length >= longest), LENGTHS[-1])
    log.info("dataset.length=%d, %.2f s; the longest sound has %d", chosen, chosen / rate, longest)
    return chosen


def places(which: int, count: int, length: int, step: int | None) -> Tensor:
    """Returns number and start (N, 2) of the samples of a sound of `count` samples.

    Without a `step` there is one, from the start; else the last slice ends with the sound.
    """
    last = max(count - length, 0)
    starts = [0] if step is None else [*range(0, last, step), last]
    return torch.tensor([(which, start) for start in starts])
