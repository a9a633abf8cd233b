"""Reads every sound file once before training: rates, lengths, samples, and what is left out."""

import logging
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from gan_cli.config.quoting import typed_word
from gan_cli.data.files.archive import Archive
from gan_cli.data.files.image_names import QUIET, by_suffix
from gan_cli.data.files.sound import SUFFIXES, Sound, mixed, read_sound, resampled, to_int16
from gan_cli.data.files.survey import KEPT_BYTES
from gan_cli.data.files.unreadable import reason
from gan_cli.utils.errors import ConfigError

SILENCE = 32  # of int16, -60 dB of full scale: sound that stays within this is silent
SHORTEST = 0.01  # seconds
KINDS = {"silent": "silent", "too short": "too short", "empty file": "empty", "no sound": "empty"}
LISTED = 20  # files that are named when they are left out

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Form:
    """What files are converted to."""

    channels: int
    rate: int | None  # in Hz; None: that of the files, which must be the same
    seconds: float | None = None  # how much of each file is read, if the rate is given


@dataclass
class SoundSurvey:
    """What was read, by file name in the order of the archive."""

    sounds: dict[str, np.ndarray | None] = field(default_factory=dict)
    # int16 (C, T); None: more than KEPT_BYTES were read before it
    lengths: dict[str, int] = field(default_factory=dict)  # T
    rates: dict[str, int] = field(default_factory=dict)  # of the files, in Hz
    checksums: dict[str, int] = field(default_factory=dict)  # CRC-32 of the files
    left_out: dict[str, str] = field(default_factory=dict)  # file -> why


def sound_names(archive: Archive, path: str) -> list[str]:
    """The files that have the suffix of a sound; logs how many others there are, by suffix.

    Raises ConfigError if there is none.
    """
    names = [name for name in archive.names if name.lower().endswith(SUFFIXES)]
    others = [name for name in archive.names if not name.lower().endswith(SUFFIXES)]
    if not names:
        raise ConfigError(no_sounds(others, os.path.abspath(path)))
    left_out = [name for name in others if not name.lower().endswith(QUIET)]
    if left_out:
        log.warning("left out of %s: %s", path, by_suffix(left_out))
    return names


def no_sounds(others: list[str], path: str) -> str:
    """The error for a folder or a zip archive without sounds."""
    packed = [name for name in others if name.lower().endswith(".zip")]
    hint = f"readable are {', '.join(SUFFIXES)}"
    if packed:
        hint = f"type {typed_word('dataset.path', os.path.join(path, packed[0]))}, or unpack it"
    held = by_suffix(others) or "no files"
    return f"dataset.path: no sounds in {path}, which holds {held}; {hint}"


def survey_sounds(archive: Archive, names: list[str], form: Form) -> SoundSurvey:
    """Reads all files; ConfigError if nothing is left, or rates differ and none is asked for."""
    seen, held = SoundSurvey(), 0
    for name in names:
        try:
            data = archive.read(name)
            sound = read_sound(data, form.seconds)
            stored = to_stored(sound, form)
        except Exception as error:  # libsndfile, zipfile and the system raise many types
            seen.left_out[name] = reason(error)
            continue
        if fault := unusable(stored, form.rate or sound.rate):
            seen.left_out[name] = fault
            continue
        held += stored.nbytes
        seen.sounds[name] = stored if held <= KEPT_BYTES else None
        seen.lengths[name], seen.rates[name] = stored.shape[1], sound.rate
        seen.checksums[name] = zlib.crc32(data)
    report(seen.left_out, len(names))
    check_rates(seen.rates.values(), form.rate)
    return seen


def to_stored(sound: Sound, form: Form) -> np.ndarray:
    """int16 (C, T) with the channels and at the rate of `form`."""
    values = mixed(sound.values, form.channels)
    return to_int16(resampled(values, sound.rate, form.rate or sound.rate))


def unusable(stored: np.ndarray, rate: int) -> str | None:
    """Why a sound (C, T) cannot be learned from; None if it can."""
    count = stored.shape[1]
    if count < SHORTEST * rate:
        return f"too short: {count} samples, {1000 * count / rate:.1f} ms"
    return "silent" if silent(stored) else None


def silent(stored: np.ndarray) -> bool:
    """Whether a sound (C, T) moves by no more than SILENCE, whatever its constant part."""
    low, high = stored.min(1).astype(int), stored.max(1).astype(int)
    return bool((high - low <= 2 * SILENCE).all())


def report(left_out: Mapping[str, str], total: int) -> None:
    """Logs which files are left out, and why; ConfigError if those are all."""
    if not left_out:
        return
    lines = [f"    {name}: {why}" for name, why in list(left_out.items())[:LISTED]]
    if len(left_out) > LISTED:
        lines.append(f"    and {len(left_out) - LISTED} more")
    head = f"{len(left_out)} of {total} sounds cannot be used"
    if len(left_out) == total:
        raise ConfigError("\n".join([f"dataset.path: {head}; no sound is left:", *lines]))
    log.warning("%s", "\n".join([f"{head} and are left out ({kinds(left_out.values())}):", *lines]))


def kinds(reasons: Iterable[str]) -> str:
    """How many files are silent, too short, or broken, as in "3 silent, 1 broken"."""
    counts = Counter(KINDS.get(why.split(":")[0], "broken") for why in reasons)
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def check_rates(rates: Iterable[int], wanted: int | None) -> None:
    """Raises ConfigError if sample rates differ and no common one is asked for."""
    found = Counter(rates)
    if wanted is not None or len(found) == 1:
        return
    listed = ", ".join(f"{count} of {rate} Hz" for rate, count in found.most_common(5))
    more = ", ..." if len(found) > 5 else ""
    raise ConfigError(
        f"dataset.sample_rate: the files have different rates ({listed}{more}); type "
        f"dataset.sample_rate={found.most_common(1)[0][0]} to resample them"
    )
