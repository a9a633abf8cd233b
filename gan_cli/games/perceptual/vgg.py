"""VGG19, Simonyan and Zisserman 2015 (arXiv:1409.1556): published weights, or random ones.

Its features are the content loss of SRGAN (Ledig et al. 2017, arXiv:1609.04802, Equation 5), after
the activation, and of ESRGAN (Wang et al. 2018, arXiv:1809.00219, Section 3.3), before it.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_cli.checkpoints.published import Published, find_weights, published, read_weights
from gan_cli.config.ranges import NonNegative, Seed, Units
from gan_cli.games.perceptual.features import perceptual_networks
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.text import unknown

SETTING = "model.game.features.weights"
PUBLISHED = Published(
    title="VGG19",
    url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
    sha256="dcbb9e9d",
    setting=SETTING,
    instead="type model.game.features.name=random for a network without training, or "
    "model.game.features=null model.game.reconstruction=1 for none",
)
published.register("vgg19")(PUBLISHED)

COUNTS = (2, 2, 4, 4, 4)  # convolutions between poolings
GROWTH = (1, 2, 4, 8, 8)  # of their channels
# Mean and standard deviation of ImageNet's RGB images in [0, 1].
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def layer_names() -> list[str]:
    """Returns the names of all layers in order: conv1_1 is before its activation, relu1_1 after."""
    names = []
    for block, count in enumerate(COUNTS, 1):
        for i in range(1, count + 1):
            names += [f"conv{block}_{i}", f"relu{block}_{i}"]
        names.append(f"pool{block}")
    return names


class VGGFeatures(nn.Module):
    """The convolutional layers of VGG19, up to the last one that is used."""

    mean: Tensor
    std: Tensor

    def __init__(self, layers: dict[str, float], width: int) -> None:
        super().__init__()
        known = layer_names()
        faults = [f"layers.{n}: {unknown('layer', n, known)}" for n in layers if n not in known]
        self.weights = {known.index(n): (n, w) for n, w in layers.items() if n in known and w > 0}
        if not faults and not self.weights:
            faults = ["layers: no layer has a weight above 0; type layers.conv5_4=1"]
        if faults:
            raise ConfigError(*faults)
        self.layers = nn.ModuleList(modules(width)[: max(self.weights) + 1])
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> dict[str, tuple[Tensor, float]]:
        """Maps images (N, C, H, W) in [-1, 1], gray or RGB, to feature maps and their weights."""
        if images.shape[1] not in (1, 3):
            raise ConfigError(
                "model.game.features: compares gray or RGB images, and these have "
                f"{images.shape[1]} channels; type model.game.features=null"
            )
        h = ((images + 1) / 2 - self.mean) / self.std  # gray becomes (N, 3, H, W)
        found = {}
        for i, layer in enumerate(self.layers):
            h = layer(h)
            if i in self.weights:
                name, weight = self.weights[i]
                found[name] = (h, weight)
        return found


def modules(width: int) -> list[nn.Module]:
    """Returns all layers; `width` is the number of channels of the first ones, 64 in VGG19."""
    channels = [3, *(width * growth for growth in GROWTH)]
    layers: list[nn.Module] = []
    for (inputs, outputs), count in zip(pairwise(channels), COUNTS, strict=True):
        for i in range(count):
            layers += [nn.Conv2d(outputs if i else inputs, outputs, 3, padding=1), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
    return layers


DEFAULT = {"conv5_4": 1.0}


@perceptual_networks.register("vgg19")
def vgg19(
    *,
    layers: dict[str, NonNegative] = DEFAULT,  # weight of each layer that is compared
    weights: str | None = None,  # a file of weights; None: torch hub's cache, or a download
) -> VGGFeatures:
    """VGG19 with the weights of torchvision, trained on ImageNet."""
    network = VGGFeatures(layers, 64)
    path = find_weights(PUBLISHED, weights)
    state, _ = read_weights(PUBLISHED, path)
    needed = {key: key.replace("layers.", "features.", 1) for key in network.state_dict()}
    needed = {key: name for key, name in needed.items() if name.startswith("features.")}
    for key, name in needed.items():
        if name not in state or state[name].shape != network.state_dict()[key].shape:
            raise PUBLISHED.error(f"{path} holds no {name} of VGG19")
    found = {key: state[name] for key, name in needed.items()}
    network.load_state_dict(found, strict=False)
    return network


@perceptual_networks.register("random")
def random_network(
    *,
    layers: dict[str, NonNegative] = DEFAULT,  # weight of each layer that is compared
    width: Units = 16,  # channels of the first layers; VGG19 has 64
    seed: Seed = 0,  # of the weights
) -> VGGFeatures:
    """The layers of VGG19 with random weights, which need no download.

    Such features still tell structures apart, if less well than trained ones.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = VGGFeatures(layers, width)
        for layer in network.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return network
