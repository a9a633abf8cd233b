"""Reads batches of a data set; what cannot be read becomes a message that processes can pass on."""

import logging
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch.utils.data import default_collate

from gan_cli.data.dataset import MapDataset
from gan_cli.data.feeds.decode import Batch
from gan_cli.utils.errors import DataError
from gan_cli.utils.text import said

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unreadable:
    """Takes the place of a batch that cannot be read."""

    message: str
    trace: str = ""  # of an error in the code of a data set


class Reader:
    """Batches of a data set by the indices of their samples, in stored form."""

    def __init__(self, dataset: MapDataset) -> None:
        self.dataset = dataset

    def __getitem__(self, indices: list[int]) -> Batch | Unreadable:
        samples = []
        for index in indices:
            try:
                samples.append(self.dataset[index])
            except Exception as error:
                return unreadable(error, f"sample {index} of the data set cannot be read")
        try:
            batch: Batch = default_collate(samples)
        except Exception as error:
            return unreadable(error, f"samples {indices} of the data set form no batch")
        return batch


def unreadable(error: Exception, what: str) -> Unreadable:
    """Describes the error of a data set, which names the file itself if it raises DataError."""
    if isinstance(error, DataError):
        return Unreadable(str(error))
    trace = "" if isinstance(error, OSError) else traceback.format_exc()
    return Unreadable(f"{what} ({type(error).__name__}: {said(error)})", trace)


def readable(batches: Iterable[Batch | Unreadable]) -> Iterator[Batch]:
    """Yields batches; raises DataError at the first one that could not be read."""
    for batch in batches:
        if isinstance(batch, Unreadable):
            if batch.trace:
                log.error("%s", batch.trace.rstrip())
            raise DataError(batch.message)
        yield batch
