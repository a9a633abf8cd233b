"""Class labels, on which samples can be conditioned."""

from torch import Tensor

from gan_cli.data.kinds.kind import Kind, kinds


@kinds.register("label")
class Label(Kind):
    """Class numbers, int64 (N,); -1 marks unknown classes."""

    differentiable = False

    def recognizes(self, stored: Tensor) -> bool:  # noqa: ARG002
        """Returns False, since labels are not samples."""
        return False
