"""The yardstick of benchmark.py: DCGAN training as tutorials have it, in plain PyTorch."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class FloatImages(Dataset[Tensor]):
    """ToTensor and Normalize(0.5, 0.5) of each image as it is asked for."""

    def __init__(self, images: Tensor) -> None:
        self.images = images  # (N, C, H, W) uint8

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return (self.images[index].float() / 255 - 0.5) / 0.5


def textbook_training(
    generator: nn.Module,
    discriminator: nn.Module,
    images: Tensor,
    device: torch.device,
    batch_size: int = 64,
    latent_dim: int = 100,
) -> Iterator[None]:
    """Trains for ever; every step yields once it is done. Two loader workers, float32, no tricks.

    Kinder than most tutorials in two ways: the workers live on from epoch to epoch, and nothing is
    decoded, since the images are in memory.
    """
    loader = DataLoader(
        FloatImages(images),
        batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=2,
        persistent_workers=True,
    )
    generator.to(device).train()
    discriminator.to(device).train()
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    criterion = F.binary_cross_entropy_with_logits
    real_label = torch.ones(batch_size, device=device)
    fake_label = torch.zeros(batch_size, device=device)
    while True:
        for batch in loader:
            discriminator.zero_grad()
            error_real = criterion(discriminator(batch.to(device)).flatten(), real_label)
            error_real.backward()
            noise = torch.randn(batch_size, latent_dim, device=device)
            fake = generator(noise)
            error_fake = criterion(discriminator(fake.detach()).flatten(), fake_label)
            error_fake.backward()
            optimizer_d.step()

            generator.zero_grad()
            error_g = criterion(discriminator(fake).flatten(), real_label)
            error_g.backward()
            optimizer_g.step()
            (error_real + error_fake).item(), error_g.item()  # tutorials print or store these
            yield
