"""DISTS, Ding et al. 2020 (arXiv:2004.07728): structure and texture of maps of VGG16.

The weights of VGG16 are torchvision's, those of the maps come with torchmetrics.
"""

from importlib.resources import files
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.utils.errors import ConfigError

STARTS = (0, 5, 10, 17, 24, 30)  # of the stages of VGG16, whose poolings lie in front of them
CHANNELS = (3, 64, 128, 256, 512, 512)  # of the image and of the maps
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's images in [0, 1]
EPSILON = 1e-6  # c1 and c2 of Equations 4 and 5
BLUR = (0.25, 0.5, 0.25)  # a Hann window


class DISTSNetwork(nn.Module):
    """One minus weighted similarities of means and covariances of maps (Equation 7).

    Maps are those of VGG16 with L2 pooling (Equation 2) and the image itself.
    """

    mean: Tensor
    std: Tensor
    alpha: Tensor
    beta: Tensor
    kernel: Tensor

    def __init__(self, layers: nn.Sequential, alpha: Tensor, beta: Tensor) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            layers[start : stop - (stop < STARTS[-1])] for start, stop in pairwise(STARTS)
        )
        total = alpha.sum() + beta.sum()
        self.register_buffer("alpha", (alpha / total).flatten())
        self.register_buffer("beta", (beta / total).flatten())
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        self.register_buffer("kernel", torch.outer(torch.tensor(BLUR), torch.tensor(BLUR)))
        self.eval().requires_grad_(False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances (N,) of images (N, 3, H, W) in [-1, 1]."""
        similarity = torch.zeros((), device=a.device)
        weights = zip(self.alpha.split(CHANNELS), self.beta.split(CHANNELS), strict=True)
        maps = zip(self.maps(a), self.maps(b), strict=True)
        for (x, y), (alpha, beta) in zip(maps, weights, strict=True):
            mean_x, mean_y = x.mean((2, 3)), y.mean((2, 3))  # (N, C)
            rest_x, rest_y = x - mean_x[..., None, None], y - mean_y[..., None, None]
            texture = (2 * mean_x * mean_y + EPSILON) / (
                mean_x.square() + mean_y.square() + EPSILON
            )
            variances = rest_x.square().mean((2, 3)) + rest_y.square().mean((2, 3))
            covariance = (rest_x * rest_y).mean((2, 3))
            structure = (2 * covariance + EPSILON) / (variances + EPSILON)
            similarity = similarity + texture @ alpha + structure @ beta
        return 1 - similarity

    def maps(self, images: Tensor) -> list[Tensor]:
        """The image in [0, 1] and the last map (N, C, H', W') of each stage."""
        found = [(images + 1) / 2]
        h = (found[0] - self.mean) / self.std
        for i, stage in enumerate(self.stages):
            h = stage(self.pooled(h) if i else h)
            found.append(h)
        return found

    def pooled(self, maps: Tensor) -> Tensor:
        """The root of the blurred square, of half the size."""
        count = maps.shape[1]
        kernel = self.kernel.expand(count, 1, -1, -1)
        blurred = F.conv2d(maps.square(), kernel, stride=2, padding=1, groups=count)
        return (blurred + 1e-12).sqrt()


def weights_of_layers() -> tuple[Tensor, Tensor]:
    """The published alpha and beta of 1,475 maps each; ConfigError if torchmetrics lacks them."""
    path = files("torchmetrics") / "functional" / "image" / "dists_models" / "weights.pt"
    if not path.is_file():
        raise ConfigError(
            "weights: torchmetrics holds none of DISTS; type pip install --upgrade torchmetrics"
        )
    with path.open("rb") as file:
        state = torch.load(file, map_location="cpu", weights_only=True)
    return state["alpha"].detach(), state["beta"].detach()
