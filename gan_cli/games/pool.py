"""A pool of past fakes for critics: Shrivastava et al. 2017 (arXiv:1612.07828), Section 2.3."""

from collections.abc import Mapping

import torch
from torch import Tensor


class Pool:
    """Holds `size` past fakes, and exchanges half of the new ones for them: CycleGAN, Section 4.

    New fakes are stored until the pool is full. From then on, a fake is returned itself with
    probability 1/2; otherwise a random one of the pool is returned, and the new one takes its
    place. Fakes are exchanged one by one.

    Nothing waits for the device, and all that changes are tensors, so that CUDA graphs can replay
    an exchange.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: Tensor | None = None  # (size, *shape) float32; zeros where not filled
        self.filled = torch.zeros((), dtype=torch.int64)

    @torch.no_grad()
    def exchange(self, fakes: Tensor) -> Tensor:
        """Returns as many images (N, *shape) for the critic as there are new `fakes`."""
        if self.size == 0:
            return fakes
        if self.images is None or self.images.shape[1:] != fakes.shape[1:]:
            self.images = torch.zeros((self.size, *fakes.shape[1:]), device=fakes.device)
            self.filled = torch.zeros((), dtype=torch.int64, device=fakes.device)
        coins = torch.rand(len(fakes), device=fakes.device) < 0.5
        places = torch.randint(self.size, (len(fakes),), device=fakes.device)
        rows = zip(fakes.float().split(1), coins.split(1), places.split(1), strict=True)
        return torch.cat([self.exchange_one(*row) for row in rows]).to(fakes.dtype)

    def exchange_one(self, fake: Tensor, coin: Tensor, place: Tensor) -> Tensor:
        """Returns one image (1, *shape) for a fake; `coin` (1,) bool, `place` (1,) int64."""
        assert self.images is not None, "exchange() makes room"
        full = self.filled >= self.size
        place = torch.where(full, place, self.filled.clamp(max=self.size - 1))
        old = self.images.index_select(0, place)
        past = (full & coin).view(-1, *[1] * (fake.ndim - 1))
        kept = past | ~full
        self.images.index_copy_(0, place, torch.where(kept, fake, old))
        self.filled += (~full).long()
        return torch.where(past, old, fake)

    def state_dict(self) -> dict[str, Tensor]:
        """The images, and how many of them have been stored; empty before the first exchange."""
        if self.images is None:
            return {}
        return {"images": self.images.clone(), "filled": self.filled.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Restores the images; a pool that is smaller than before takes the first of them."""
        self.images, self.filled = None, torch.zeros((), dtype=torch.int64)
        if state and self.size:
            images = state["images"][: self.size].float()
            self.images = torch.zeros((self.size, *images.shape[1:]), device=device)
            self.images[: len(images)] = images
            self.filled = state["filled"].clamp(max=self.size).to(device, torch.int64)
