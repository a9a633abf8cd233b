"""The options of truncation, shared by gan-sample and gan-fid, and their errors."""

from collections.abc import Iterator
from typing import Protocol


class Truncates(Protocol):
    """Options with a truncation."""

    @property
    def truncation(self) -> float | None: ...
    @property
    def truncation_cutoff(self) -> int | None: ...


def cutoff_errors(options: Truncates) -> Iterator[str]:
    """Yields an error for a cutoff without truncation."""
    if options.truncation_cutoff is not None and options.truncation is None:
        yield "truncation_cutoff: is for truncation; add truncation=0.7, or leave it out"
