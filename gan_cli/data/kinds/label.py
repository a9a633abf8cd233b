"""Class labels: what samples are conditioned on."""

from torch import Tensor

from gan_cli.data.kinds.kind import Kind, kinds


@kinds.register("label")
class Label(Kind):
    """int64 (N,) class numbers; -1 marks an unknown one."""

    differentiable = False

    def recognizes(self, stored: Tensor) -> bool:  # noqa: ARG002
        """Never: a label says something of a sample, and is none."""
        return False
