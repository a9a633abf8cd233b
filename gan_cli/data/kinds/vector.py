"""Vectors: float32 (F,), shown as a histogram if F is 1, and as points if F is 2."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.kinds.kind import Context, Kind, kinds
from gan_cli.data.spec import Field


@kinds.register("vector")
class Vector(Kind):
    """Vectors float32 (N, F), which are not converted for networks."""

    previewed = 2000

    def recognizes(self, stored: Tensor) -> bool:
        return stored.ndim == 2 and stored.is_floating_point()

    def picture(
        self, field: Field, columns: Sequence[Tensor], context: Context
    ) -> np.ndarray | None:
        """Returns a plot of the last column and real samples; None if F is above 2."""
        samples = columns[-1]
        return plot(field, samples if context.real is None else context.real, samples, context)

    def data_picture(self, field: Field, context: Context) -> np.ndarray | None:
        assert context.real is not None
        return plot(field, context.real, None, context)

    def default_format(self, field: Field) -> str:
        return "plot" if field.shape in ((1,), (2,)) else "npz"

    def from_array(self, array: np.ndarray) -> Tensor:
        if array.ndim != 2 or array.dtype.kind != "f":
            raise ValueError(f"must be floating point (N, F), not {array.dtype} {array.shape}")
        return torch.from_numpy(array.astype(np.float32))


def plot(field: Field, real: Tensor, samples: Tensor | None, context: Context) -> np.ndarray | None:
    """Returns a plot of numbers or points; `samples` None shows the real ones alone."""
    from gan_cli.plots.density import density_plot
    from gan_cli.plots.scatter import scatter

    if field.shape == (1,):
        law = None if context.density is None else context.density.log
        return density_plot(real, samples, law, context.critic)
    if field.shape != (2,):
        return None
    return scatter(real, samples, context.critic, context.real_name)
