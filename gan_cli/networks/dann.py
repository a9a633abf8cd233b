"""Networks for domain adaptation: Ganin et al. 2016 (arXiv:1505.07818), Figure 4(a).

For 28x28 pixels these are the layers of the paper for MNIST; other sizes are supported.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.config.ranges import Depth, Units
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.norm import Norm, Normalize, apply_spectral_norm
from gan_cli.networks.network import networks
from gan_cli.utils.errors import ConfigError

GRID = 4  # height and width of the last map, which 28x28 pixels are reduced to
MIN_SIZE = 16  # pixels per side, which the unpadded convolutions and poolings reduce to one


@networks.register("dann_feature_extractor")
class DANNFeatureExtractor(nn.Module):
    """Maps images to feature vectors by two 5x5 convolutions, each with ReLU and 2x2 pooling.

    The paper has no norm layers. Batch norm over both domains together fixes the scale of the
    features, which a reversed gradient could otherwise increase without bound. `reconstructs` adds
    a decoder (DRCN, Ghifary et al. 2016, arXiv:1607.03516) for the reconstruction loss of the game.
    """

    rows: Tensor
    columns: Tensor

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 32,  # channels of the first convolution
        features: Units = 768,  # length of the feature vector, a multiple of 16
        norm: Norm = "none",  # norm layers
        reconstructs: bool = False,
    ) -> None:
        super().__init__()
        if spec.kind != "image" or min(spec.shape[1:]) < MIN_SIZE:
            raise ConfigError(
                f"name: this network needs images of at least {MIN_SIZE} pixels a side, but the "
                f"data have shape {spec.shape}; raise their size"
            )
        maps, rest = divmod(features, GRID * GRID)
        if rest:
            raise ConfigError(f"features: must be a multiple of {GRID * GRID}, got {features}")
        self.features = features
        self.first = nn.Conv2d(spec.shape[0], width, 5)
        self.second = nn.Conv2d(width, maps, 5)
        self.norms = nn.ModuleList(Normalize(norm, channels) for channels in (width, maps))
        self.decoder = Decoder(spec, maps, width) if reconstructs else None
        for name, size in zip(("rows", "columns"), spec.shape[1:], strict=True):
            self.register_buffer(name, cell_means(((size - 4) // 2 - 4) // 2), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Images (N, C, H, W) to features (N, F)."""
        h = image
        for conv, norm in zip((self.first, self.second), self.norms, strict=True):
            h = F.max_pool2d(F.relu(norm(conv(h))), 2)  # of 28x28: (N, width, 12, 12), then 4x4
        # Not adaptive_avg_pool2d, whose gradient is not deterministic on GPUs.
        return (self.rows.to(h.dtype) @ h @ self.columns.to(h.dtype).mT).flatten(1)

    def reconstruct(self, features: Tensor) -> Tensor:
        """Features (N, F) to images (N, C, H, W)."""
        assert self.decoder is not None, "only an extractor with reconstructs=true has a decoder"
        return self.decoder(features.unflatten(1, (-1, GRID, GRID)))


def cell_means(size: int) -> Tensor:
    """Matrix (GRID, size) of the means over GRID parts of a row: those of adaptive_avg_pool2d."""
    means = torch.zeros(GRID, size)
    for cell in range(GRID):
        start, end = cell * size // GRID, -((-(cell + 1) * size) // GRID)
        means[cell, start:end] = 1 / (end - start)
    return means


class Decoder(nn.Module):
    """Two 5x5 convolutions, each after upsampling: the reverse of the extractor."""

    def __init__(self, spec: Spec, maps: int, width: int) -> None:
        super().__init__()
        self.size = spec.shape[1:]
        self.first = nn.Conv2d(maps, width, 5, padding=2)
        self.second = nn.Conv2d(width, spec.shape[0], 5, padding=2)

    def forward(self, h: Tensor) -> Tensor:
        """Maps (N, maps, 4, 4) to images (N, C, H, W)."""
        half = [side // 2 for side in self.size]
        h = F.relu(self.first(F.interpolate(h, half)))  # (N, width, H / 2, W / 2)
        return self.second(F.interpolate(h, self.size))


@networks.register("dann_label_predictor")
class DANNLabelPredictor(nn.Module):
    """Classifier with two hidden layers of `width` ReLU units."""

    def __init__(
        self,
        spec: Spec,
        *,
        features: Units = 768,  # length of the feature vector
        width: Units = 100,  # units of a hidden layer
    ) -> None:
        super().__init__()
        self.features = features
        self.layers = hidden_layers(features, width, 2)
        self.output = nn.Linear(width, spec.classes)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, F) to class logits (N, classes)."""
        return self.output(self.layers(features))


@networks.register("dann_domain_discriminator")
class DANNDomainDiscriminator(nn.Module):
    """Domain discriminator with `depth` hidden layers of `width` ReLU units.

    The paper uses one layer of 100 units for MNIST. With `conditional`, the input is the outer
    product of features and predictions, so that domains are aligned for each class (CDAN, Long et
    al. 2018, arXiv:1705.10667). With several sources there is one output for each, as in MDAN (Zhao
    et al. 2018, arXiv:1705.09684), but on shared hidden layers.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        features: Units = 768,  # length of the feature vector
        width: Units = 100,  # units of a hidden layer
        depth: Depth = 1,  # hidden layers
        conditional: bool = False,
        spectral_norm: bool = False,  # spectral normalization of all weights
    ) -> None:
        super().__init__()
        self.features, self.conditional = features, conditional
        self.layers = hidden_layers(features * (spec.classes if conditional else 1), width, depth)
        self.output = nn.Linear(width, len(spec.inputs))  # one for each source
        if spectral_norm:
            apply_spectral_norm(self)

    def forward(self, features: Tensor, predictions: Tensor | None = None) -> Tensor:
        """Features (N, F) to logits (N,), or (N, sources) if there are several sources.

        `predictions` are class probabilities (N, classes), which a conditional network needs.
        """
        if self.conditional:
            assert predictions is not None, "a conditional network was called without predictions"
            features = torch.einsum("nf,nk->nfk", features, predictions).flatten(1)
        return self.output(self.layers(features)).squeeze(1)


def hidden_layers(features: int, width: int, depth: int) -> nn.Sequential:
    """Linear layers, each with a ReLU."""
    pairs = pairwise([features, *[width] * depth])
    return nn.Sequential(*(layer for i, o in pairs for layer in (nn.Linear(i, o), nn.ReLU())))
