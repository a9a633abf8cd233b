"""LPIPS, Zhang et al. 2018 (arXiv:1801.03924): features of trained networks, weighted by people.

The weights of the networks are torchvision's, which are downloaded or read from a file; those of
the judgements come with torchmetrics.
"""

from dataclasses import replace
from importlib.resources import files
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.checkpoints.published import Published, find_weights, published, read_weights
from gan_cli.data.spec import Field
from gan_cli.metrics.distances import distances
from gan_cli.utils.errors import ConfigError

VGG16 = Published(
    title="VGG16, the network of LPIPS,",
    url="https://download.pytorch.org/models/vgg16-397923af.pth",
    sha256="397923af",
    setting="distance.weights",
    instead="use a distance that needs no download, such as distance=random",
)
ALEXNET = replace(
    VGG16,
    title="AlexNet, the network of LPIPS,",
    url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    sha256="7be5be79",
)
published.register("lpips_vgg16")(VGG16)
published.register("lpips_alexnet")(ALEXNET)

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of images in [-1, 1]
LARGEST = 256  # pixels; larger images are averaged down, as for path lengths and projections


class LPIPSNetwork(nn.Module):
    """Squared differences of normalized features, weighted by channel, averaged over places."""

    shift: Tensor
    scale: Tensor

    def __init__(self, layers: nn.Sequential, ends: tuple[int, ...], heads: list[Tensor]) -> None:
        super().__init__()
        self.layers, self.ends = layers[: max(ends) + 1], ends
        for i, head in enumerate(heads):
            self.register_buffer(f"head{i}", head)  # (1, C, 1, 1)
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Distances (N,) of images (N, 3, H, W) in [-1, 1]."""
        total = torch.zeros((), device=a.device)
        for i, (x, y) in enumerate(zip(self.features(a), self.features(b), strict=True)):
            weighted = (x - y).square() * self.get_buffer(f"head{i}")
            total = total + weighted.sum(1).mean((1, 2))
        return total

    def features(self, images: Tensor) -> list[Tensor]:
        """Maps (N, C, H', W') whose vectors of channels have length 1."""
        h, found = (images - self.shift) / self.scale, []
        for i, layer in enumerate(self.layers):
            h = layer(h)
            if i in self.ends:
                found.append(h / (h.square().sum(1, keepdim=True) + 1e-8).sqrt())
        return found


class LPIPS:
    """The distance of LPIPS with one network; it counts as a squared one, as in path lengths."""

    name: ClassVar[str]
    entry: ClassVar[Published]
    network_name: ClassVar[str]  # in torchvision
    heads: ClassVar[str]  # what torchmetrics calls it
    ends: ClassVar[tuple[int, ...]]  # layers whose outputs are compared
    least: ClassVar[int]  # pixels

    def __init__(
        self,
        field: Field,
        device: torch.device,
        *,
        weights: str | None = None,  # a file of weights; None: torch hub's cache, or a download
    ) -> None:
        if field.kind != "image" or field.shape[0] not in (1, 3):
            raise ConfigError(
                f"distance: {self.name} compares gray and RGB images, and these samples are of "
                f"kind {field.kind} and shape {field.shape}; type distance=random or pixels"
            )
        if min(field.shape[1:]) < self.least:
            raise ConfigError(
                f"distance: {self.name} needs images of {self.least} pixels a side or more, and "
                f"these have {min(field.shape[1:])}; type distance=random"
            )
        try:
            layers, self.sha256 = trained_layers(self.network_name, self.entry, weights)
        except ConfigError as error:
            raise ConfigError(*(f"distance.{fault}" for fault in error.faults)) from None
        self.network = LPIPSNetwork(layers, self.ends, heads_of(self.heads)).to(device)

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        distance: Tensor = self.network(prepared(a), prepared(b))
        return distance


@distances.register("lpips")
class LPIPSOfVGG16(LPIPS):
    """With VGG16, as for published path lengths and projections."""

    name, entry, network_name, heads = "lpips", VGG16, "vgg16", "vgg"
    ends, least = (3, 8, 15, 22, 29), 16


@distances.register("lpips_alexnet")
class LPIPSOfAlexNet(LPIPS):
    """With AlexNet: faster, and what LPIPS recommends to compare images."""

    name, entry, network_name, heads = "lpips_alexnet", ALEXNET, "alexnet", "alex"
    ends, least = (1, 4, 7, 9, 11), 31


def trained_layers(name: str, entry: Published, weights: str | None) -> tuple[nn.Sequential, str]:
    """The convolutional layers of a network of torchvision, and the SHA-256 of their weights.

    These are the published ones, or those of a file of the same layout.
    """
    from torchvision import models  # takes a second, of every command with metrics

    path = find_weights(entry, weights)
    state, sha256 = read_weights(entry, path)
    with torch.device("meta"):
        layers: nn.Sequential = models.get_model(name).features
    for key, tensor in layers.state_dict().items():
        full = f"features.{key}"
        if full not in state or state[full].shape != tensor.shape:
            raise entry.error(f"{path} holds no {full} of this network")
    found = {k.removeprefix("features."): v for k, v in state.items() if k[:9] == "features."}
    layers.load_state_dict(found, assign=True)
    return layers, sha256


def prepared(images: Tensor) -> Tensor:
    """RGB images of at most LARGEST pixels a side."""
    images = images.float().expand(-1, 3, -1, -1)
    factor = max(images.shape[2:]) // LARGEST
    return F.avg_pool2d(images, factor) if factor > 1 else images


def heads_of(name: str) -> list[Tensor]:
    """The weights of the judgements on the five layers of a network, (1, C, 1, 1) each."""
    folder = files("torchmetrics") / "functional" / "image" / "lpips_models"
    with (folder / f"{name}.pth").open("rb") as file:
        state = torch.load(file, map_location="cpu", weights_only=True)
    return [state[f"lin{i}.model.1.weight"] for i in range(5)]
