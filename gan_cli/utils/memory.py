"""Running out of memory as an error that says what to lower."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from gan_cli.utils.errors import OutOfMemoryError, UserError

# What torch, its libraries and numpy say; sizes that no computer can hold are told in other words.
SAYINGS = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|unable to allocate|ALLOC_FAILED"
    r"|storage size calculation overflowed|array is too big|maximum allowed dimension",
    re.IGNORECASE,
)
SIZE = re.compile(r"allocate (\d[\d.,]*) ?(bytes|[KMGTPE]iB)", re.IGNORECASE)
LACKING = "out of memory"
TRAINING = (
    "lower batch_size, raise accumulate (parts of a batch, one after the other), or lower the "
    "width of the networks or the size of the images; checkpoints are as they were"
)
EVALUATION = "lower metrics.count and metrics.real_count, or leave metrics out"
SAMPLING = "lower batch_size or count"


@contextmanager
def memory_errors(advice: str) -> Iterator[None]:
    """Raises OutOfMemoryError, with what to do, where torch, numpy or Python lack memory.

    It is a decorator, too. Of nested ones, the innermost gives its advice.
    """
    try:
        yield
    except (MemoryError, RuntimeError, ValueError, OSError) as error:
        if not lacks_memory(error):
            raise
        raise OutOfMemoryError(f"{shortage_in_words(error)}: {advice}") from error


def shortage_in_words(error: Exception) -> str:
    """What has failed, with the size if the error tells it."""
    size = SIZE.search(str(error))
    return f"out of memory (it takes another {readable(size[1], size[2])})" if size else LACKING


def lacks_memory(error: Exception) -> bool:
    """Whether an error of torch, numpy, Python or the system tells of too little memory."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    told = isinstance(error, MemoryError) or SAYINGS.search(str(error)) is not None
    return told and not isinstance(error, UserError)


def readable(number: str, unit: str) -> str:
    """An amount as numpy and torch.cuda write it: bytes as GiB or MiB."""
    if unit.lower() != "bytes":
        return f"{number} {unit}"
    return as_size(float(number.replace(",", "")))


def as_size(size: float) -> str:
    """A number of bytes as it is read best."""
    units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"]
    power = min(int(size).bit_length() // 10, len(units) - 1) if size else 0
    return f"{size / 1024**power:.3g} {units[power]}"
