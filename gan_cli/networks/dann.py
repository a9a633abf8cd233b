"""Networks of domain adaptation: Ganin et al. 2016 (arXiv:1505.07818), Figure 4(a), for any image.

On 28x28 pixels these are the paper's layers for MNIST.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gan_cli.data.spec import Spec
from gan_cli.networks.layers.checks import check_positive
from gan_cli.networks.layers.norm import Norm, Normalize, normalize_spectra
from gan_cli.networks.network import networks
from gan_cli.utils.errors import ConfigError

GRID = 4  # a side of the last map: what 28 pixels come to
SMALLEST = 16  # pixels that the two unpadded convolutions leave one of


@networks.register("dann_feature_extractor")
class DANNFeatureExtractor(nn.Module):
    """Two convolutions of 5x5, each with ReLU and a pooling of 2x2: images to vectors.

    The paper has no norm. Batch norm, over both domains together, keeps the scale of the features,
    on which a reversed gradient otherwise pulls without end. `reconstructs` adds the way back
    (DRCN, Ghifary et al. 2016, arXiv:1607.03516), for the game's reconstruction.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        width: int = 32,  # channels of the first convolution
        features: int = 768,  # length of the feature vector, a multiple of 16
        norm: Norm = "none",  # norm layers
        reconstructs: bool = False,
    ) -> None:
        super().__init__()
        check_positive(width=width, features=features)
        if spec.kind != "image" or min(spec.shape[1:]) < SMALLEST:
            raise ConfigError(
                f"name: this network is for images of {SMALLEST} pixels a side and more, and the "
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

    def forward(self, image: Tensor) -> Tensor:
        """Images (N, C, H, W) to features (N, F)."""
        h = image
        for conv, norm in zip((self.first, self.second), self.norms, strict=True):
            h = F.max_pool2d(F.relu(norm(conv(h))), 2)  # of 28x28: (N, width, 12, 12), then 4x4
        return F.adaptive_avg_pool2d(h, GRID).flatten(1)

    def reconstruct(self, features: Tensor) -> Tensor:
        """Features (N, F) to images (N, C, H, W)."""
        assert self.decoder is not None, "an extractor that does not reconstruct was asked to"
        return self.decoder(features.unflatten(1, (-1, GRID, GRID)))


class Decoder(nn.Module):
    """The extractor backwards: two convolutions of 5x5, each after an enlargement."""

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
    """Two hidden layers of `width` ReLU units."""

    def __init__(
        self,
        spec: Spec,
        *,
        features: int = 768,  # length of the feature vector
        width: int = 100,  # units of a hidden layer
    ) -> None:
        super().__init__()
        check_positive(features=features, width=width)
        self.features = features
        self.layers = hidden_layers(features, width, 2)
        self.output = nn.Linear(width, spec.classes)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, F) to class logits (N, classes)."""
        return self.output(self.layers(features))


@networks.register("dann_domain_discriminator")
class DANNDomainDiscriminator(nn.Module):
    """`depth` hidden layers of `width` ReLU units; the paper has one of 100 on MNIST.

    `conditional` is CDAN, Long et al. 2018 (arXiv:1705.10667): it judges the outer
    product of features and predictions, so that domains are aligned class by class. With several
    sources it has an output for each, as the discriminators of MDAN (Zhao et al. 2018,
    arXiv:1705.09684), here on shared hidden layers.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        features: int = 768,  # length of the feature vector
        width: int = 100,  # units of a hidden layer
        depth: int = 1,  # hidden layers
        conditional: bool = False,
        spectral_norm: bool = False,  # spectral normalization of all weights
    ) -> None:
        super().__init__()
        check_positive(features=features, width=width, depth=depth)
        self.features, self.conditional = features, conditional
        self.layers = hidden_layers(features * (spec.classes if conditional else 1), width, depth)
        self.output = nn.Linear(width, len(spec.inputs))  # one for each source
        if spectral_norm:
            normalize_spectra(self)

    def forward(self, features: Tensor, predictions: Tensor | None = None) -> Tensor:
        """Features (N, F), and class probabilities (N, classes) if conditional, to logits.

        They are (N,), or (N, sources) if there are several.
        """
        if self.conditional:
            assert predictions is not None, "a conditional network was called without predictions"
            features = torch.einsum("nf,nk->nfk", features, predictions).flatten(1)
        return self.output(self.layers(features)).squeeze(1)


def hidden_layers(features: int, width: int, depth: int) -> nn.Sequential:
    pairs = pairwise([features, *[width] * depth])
    return nn.Sequential(*(layer for i, o in pairs for layer in (nn.Linear(i, o), nn.ReLU())))
