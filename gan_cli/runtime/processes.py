"""Communication between the processes of a run, which torchrun starts."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor


class Processes:
    """The group of `world` processes, of which this one is `rank`.

    With one process, no method communicates.
    """

    def __init__(self, device: torch.device) -> None:
        self.rank = int(os.environ.get("RANK", 0))
        self.world = int(os.environ.get("WORLD_SIZE", 1))
        self.device = device
        if self.world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Overwrites `tensors` with those of rank 0."""
        if self.world > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def average(self, gradients: list[Tensor]) -> None:
        """Replaces gradients by their means over all processes, in one flat all-reduce.

        DistributedDataParallel is not used, since its hooks do not support double backward.
        """
        if self.world == 1:
            return
        flat = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def mean(self, tensor: Tensor) -> Tensor:
        """Returns the mean of `tensor` over all processes."""
        if self.world > 1:
            dist.all_reduce(tensor)
            tensor = tensor / self.world
        return tensor

    def any(self, flag: bool) -> bool:
        """Returns whether the flag is set in any process."""
        if self.world == 1:
            return flag
        return bool(self.mean(torch.tensor(float(flag), device=self.device)))

    def share(self, text: str) -> str:
        """Returns the text of rank 0 on every rank."""
        box = [text]
        if self.world > 1:
            dist.broadcast_object_list(box, 0)
        return box[0]

    @contextmanager
    def one_first(self) -> Iterator[None]:
        """Context in which rank 0 runs first, e.g. to download what the others then find."""
        if self.world > 1 and self.rank > 0:
            dist.barrier()
        yield
        if self.world > 1 and self.rank == 0:
            dist.barrier()

    def close(self) -> None:
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()
