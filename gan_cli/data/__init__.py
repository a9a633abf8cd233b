"""Data: what samples look like, the data sets, the files they come from, and feeds of batches."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_cli.data.sets import datasets as datasets


def __getattr__(name: str) -> Any:
    """`datasets`, the registry of all data sets; not imported before it is asked for."""
    if name == "datasets":
        from gan_cli.data.sets import datasets

        return datasets
    raise AttributeError(f"module 'gan_cli.data' has no attribute '{name}'")
