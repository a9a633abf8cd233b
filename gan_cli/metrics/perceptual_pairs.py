"""LPIPS and DISTS of pairs: how far outputs look from the truth, to networks that were trained."""

from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from gan_cli.checkpoints.published import Published
from gan_cli.data.spec import Field
from gan_cli.metrics.dists import DISTSNetwork, weights_of_layers
from gan_cli.metrics.lpips import (
    LPIPSNetwork,
    LPIPSOfAlexNet,
    LPIPSOfVGG16,
    heads_of,
    trained_layers,
)
from gan_cli.metrics.metric import Collected, Need, metrics
from gan_cli.metrics.paired import pairs_of
from gan_cli.runtime.numerics import exact_numerics
from gan_cli.utils.errors import ConfigError

PIXELS = 2**18  # computed at a time; 64 maps of them take 64 MiB
IMAGES = "whole, in their own size; gray ones as RGB"  # as the protocol of a card has it
NETWORKS = {"alexnet": LPIPSOfAlexNet, "vgg16": LPIPSOfVGG16}


class PerceptualPairs:
    """Mean distance of the outputs of held-out inputs to the truth, by a network on [-1, 1]."""

    needs: ClassVar[frozenset[Need]] = frozenset({"pairs"})
    lower_is_better: ClassVar[bool] = True
    featured: ClassVar[bool] = False
    minimum: ClassVar[int] = 1
    title: ClassVar[str]  # of the metric
    least: int  # pixels per side

    weights: str | None
    network: nn.Module | None = None
    sha256 = ""

    @property
    def value(self) -> str:
        """The name of the value."""
        raise NotImplementedError

    def built(self) -> nn.Module:
        """Returns the network, and sets the hash of its weights; raises ConfigError."""
        raise NotImplementedError

    def open(self, field: Field, device: torch.device) -> None:
        """Builds the network for images of a field; ConfigError if that cannot be."""
        where = f"metrics.compute.{self.title}"
        if field.kind != "image" or field.shape[0] not in (1, 3):
            raise ConfigError(
                f"{where}: compares gray and RGB images, and these samples are of kind "
                f"{field.kind} and shape {tuple(field.shape)}; leave it out"
            )
        if min(field.shape[1:]) < self.least:
            raise ConfigError(
                f"{where}: needs images of {self.least} pixels a side or more, and these have "
                f"{min(field.shape[1:])}; leave it out"
            )
        try:
            self.network = self.built().to(device)
        except ConfigError as error:
            raise ConfigError(*(f"{where}.{fault}" for fault in error.faults)) from None
        self.device = device

    def entry(self, entry: Published, title: str) -> Published:
        """Returns the weights of a network, with messages about this metric."""
        key = f"metrics.compute.{self.title}"
        instead = f"leave {self.title} out of the metrics"
        return replace(entry, title=title, setting=f"{key}.weights", instead=instead)

    def protocol(self, field: Field) -> dict[str, Any]:  # noqa: ARG002
        return {"weights": self.sha256, "images": IMAGES}

    def __call__(self, real: Collected, fake: Collected) -> dict[str, float]:  # noqa: ARG002
        outputs, truths = pairs_of(fake)
        if self.network is None:
            self.open(Field("image", tuple(truths.shape[1:])), torch.device("cpu"))
        assert self.network is not None
        count = max(PIXELS // (truths.shape[2] * truths.shape[3]), 1)
        total = 0.0
        with exact_numerics(self.device), torch.no_grad():
            for a, b in zip(outputs.split(count), truths.split(count), strict=True):
                pair = (self.colours(a), self.colours(b))
                total += self.network(*pair).double().sum().item()
        return {self.value: total / len(truths)}

    def colours(self, images: Tensor) -> Tensor:
        """Maps images (N, 1 or 3, H, W) uint8 to RGB in [-1, 1] on the device."""
        return (images.to(self.device).float() / 127.5 - 1).expand(-1, 3, -1, -1)


@metrics.register("lpips")
class PairedLPIPS(PerceptualPairs):
    """LPIPS of outputs of held-out inputs and the truth, Zhang et al. 2018 (arXiv:1801.03924).

    Version 0.1 with the published judgements; the value has the name of the network.
    """

    title = "lpips"

    def __init__(
        self,
        *,
        network: Literal["alexnet", "vgg16"] = "alexnet",  # alexnet: as papers compare images
        weights: str | None = None,  # a file of weights; None: torch hub's cache, or a download
    ) -> None:
        self.kind, self.weights = network, weights
        self.least = NETWORKS[network].least

    @property
    def value(self) -> str:
        return f"lpips_{self.kind}"

    def built(self) -> nn.Module:
        chosen = NETWORKS[self.kind]
        entry = self.entry(chosen.entry, chosen.entry.title)
        layers, self.sha256 = trained_layers(chosen.network_name, entry, self.weights)
        return LPIPSNetwork(layers, chosen.ends, heads_of(chosen.heads))


@metrics.register("dists")
class PairedDISTS(PerceptualPairs):
    """DISTS of outputs of held-out inputs and the truth, Ding et al. 2020 (arXiv:2004.07728).

    It compares structure and, more tolerantly than LPIPS, texture, with VGG16.
    """

    title, value = "dists", "dists"
    least = 16

    def __init__(
        self,
        *,
        weights: str | None = None,  # a file of weights; None: torch hub's cache, or a download
    ) -> None:
        self.weights = weights

    def built(self) -> nn.Module:
        entry = self.entry(LPIPSOfVGG16.entry, "VGG16, the network of DISTS,")
        layers, self.sha256 = trained_layers("vgg16", entry, self.weights)
        return DISTSNetwork(layers, *weights_of_layers())
