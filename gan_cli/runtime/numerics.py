"""The numerics of evaluation: the same float32 whatever the settings of training."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def exact_numerics(device: torch.device) -> Iterator[None]:
    """Context without TF32, without autocast, and with deterministic cuDNN convolutions.

    Values of metrics then do not depend on device.tf32 and device.precision.
    """
    matmul = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with (
            torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False),
            torch.autocast(device.type, enabled=False),
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(matmul)
