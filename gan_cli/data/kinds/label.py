"""Class labels, on which samples can be conditioned."""

from torch import Tensor

from gan_cli.data.kinds.kind import Context, Kind, kinds
from gan_cli.data.spec import Field


@kinds.register("label")
class Label(Kind):
    """Class numbers, int64 (N,); -1 marks unknown classes."""

    differentiable = False

    def data_picture(self, field: Field, context: Context) -> None:
        """Returns None, since labels have no picture."""

    def recognizes(self, stored: Tensor) -> bool:  # noqa: ARG002
        """Returns False, since labels are not samples."""
        return False
