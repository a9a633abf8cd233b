"""The content loss of image restoration: a distance of pixels, and one of features."""

import torch
from torch import Tensor

from gan_cli.games.perceptual import PerceptualNode, perceptual_networks
from gan_cli.games.perceptual.features import PerceptualNetwork
from gan_cli.losses.reconstruction import Distance, distance
from gan_cli.losses.terms import Terms


class Content:
    """reconstruction d(x, y) + perceptual sum_l w_l d_f(f_l(x), f_l(y)).

    Pixels are those of [0, 1], as in the published weights of SRGAN and ESRGAN. The network f is
    loaded by `place`, since only the training needs it.
    """

    def __init__(
        self,
        reconstruction: float,
        distance: Distance,
        perceptual: float,
        perceptual_distance: Distance,
        features: PerceptualNode | None,
    ) -> None:
        self.reconstruction, self.perceptual, self.features = reconstruction, perceptual, features
        self.distance: Distance = distance
        self.perceptual_distance: Distance = perceptual_distance
        self.network: PerceptualNetwork | None = None

    def place(self, device: torch.device) -> None:
        """Loads the network of features, if there is one; ConfigError if it is unavailable."""
        if self.features is not None and self.perceptual:
            self.network = perceptual_networks.build(self.features, where="model.game.features")
            self.network.to(device)

    def terms(self, output: Tensor, truth: Tensor) -> Terms:
        """Returns the terms whose weights are not 0, of images (N, C, H, W) in [-1, 1]."""
        terms = {}
        output, truth = output.float(), truth.float()
        if self.reconstruction:
            error = distance(self.distance, (output + 1) / 2, (truth + 1) / 2)
            terms["reconstruction"] = self.reconstruction * error
        if self.network is not None:
            terms["perceptual"] = self.perceptual * self.feature_distance(output, truth)
        return Terms(terms)

    def feature_distance(self, output: Tensor, truth: Tensor) -> Tensor:
        """Returns the sum over layers; the features of the truth get no gradient."""
        assert self.network is not None
        with torch.no_grad():
            aims = self.network(truth)
        distances = [
            weight * distance(self.perceptual_distance, features, aims[name][0])
            for name, (features, weight) in self.network(output).items()
        ]
        return torch.stack(distances).sum()
