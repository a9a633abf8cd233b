"""Restores PyTorch's process-wide settings, for functions that are called from other programs."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def torch_settings_kept() -> Iterator[None]:
    """Restores the settings of `configure_torch` and the CPU's random state on exit.

    It can be used as a decorator, too.
    """
    import torch

    threads, matmul = torch.get_num_threads(), torch.get_float32_matmul_precision()
    tf32, benchmark = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cudnn.benchmark = benchmark
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
