"""Features of FID, KID and IS: TensorFlow's Inception of 2015-12-05, ported by torch-fidelity."""

import io
import logging
import math
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gan_cli.config.registry import ConfigError
from gan_cli.data.dataset import Dataset
from gan_cli.metrics.features.inception_input import resize_clean, resize_tf, to_rgb
from gan_cli.metrics.features.inception_weights import SHA256, find_weights, read_weights, unfit
from gan_cli.metrics.frechet import Moments, frechet_distance
from gan_cli.metrics.metric import Embedded, embed, extractors

log = logging.getLogger(__name__)

CHUNK = 32  # images at a time, which needs 0.4 GB at the widest layer
CHUNK_ON_GPU = 128
TOLERANCE = 1e-3  # of a Frechet distance, in the fast mode


@extractors.register("inception")
class Inception:
    """Szegedy et al. 2016 (arXiv:1512.00567) as Heusel et al. 2017 (arXiv:1706.08500) used it.

    `resize` is "tf", the bilinear resize of TensorFlow 1 that published values use, or "clean",
    that of Parmar et al. 2022 (arXiv:2104.11222). `fast` computes in half precision; it raises
    ConfigError if that changes a Frechet distance by more than 0.1 %.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"image"})
    classifies: ClassVar[bool] = True

    def __init__(
        self,
        dataset: Dataset,
        device: torch.device,
        *,
        inception_weights: str | None = None,  # file of the weights; None: downloaded
        resize: Literal["tf", "clean"] = "tf",  # TensorFlow's, as published, or Pillow's
        fast: bool = False,  # half precision
    ) -> None:
        channels = dataset.spec.shape[0]
        if channels not in (1, 3, 4):
            raise ConfigError(
                f"features: inception needs images of 1, 3 or 4 channels, not {channels}; "
                "use metrics.features=random"
            )
        path = find_weights(inception_weights)
        state, self.sha256 = read_weights(path)
        self.name = "inception"
        if self.sha256 != SHA256:
            self.name = f"inception_{self.sha256[:8]}"
            log.warning("%s is not the published FID network; values are named %s", path, self.name)
        network = build_network(state, path)
        self.head: Tensor = network.fc.weight.to(device)  # (1008, 2048)
        self.body = fuse_batch_norm(network).to(device)
        self.resize = resize
        self.dtype = torch.float32
        if fast:
            self.use_half_precision()

    def describe(self) -> dict[str, Any]:
        precision = str(self.dtype).removeprefix("torch.")
        return {"weights": self.sha256, "resize": self.resize, "precision": precision}

    @torch.no_grad()
    def __call__(self, samples: Tensor) -> Embedded:
        """Features (N, 2048) and logits (N, 1008) of uint8 images (N, C, H, W), C = 1, 3 or 4."""
        size = CHUNK if samples.device.type == "cpu" else CHUNK_ON_GPU
        features = torch.cat([self.embed(to_rgb(chunk)) for chunk in samples.split(size)])
        return Embedded(features, features @ self.head.T)  # IS uses logits without the bias

    def embed(self, images: Tensor) -> Tensor:
        """Features (N, 2048) of uint8 images (N, 3, H, W)."""
        pixels = resize_tf(images) if self.resize == "tf" else resize_clean(images)
        half = self.dtype is not torch.float32
        x = ((pixels - 128) / 128).contiguous(memory_format=self.layout(pixels.device))
        with torch.autocast(x.device.type, self.dtype if half else None, enabled=half):
            maps = self.body(x)  # (N, 2048, 8, 8)
        return maps.float().mean((2, 3))  # in float32, or the mean would be rounded again

    def layout(self, device: torch.device) -> torch.memory_format:
        """The faster one: float32 without TF32 has slow channels-last kernels on GPUs."""
        exact_on_gpu = device.type == "cuda" and self.dtype is torch.float32
        return torch.contiguous_format if exact_on_gpu else torch.channels_last

    def use_half_precision(self) -> None:
        """Switches to half precision; raises ConfigError if its error is too large.

        float16 has an eighth of the rounding error of bfloat16, but is slower than float32 on CPUs.
        With random weights, float16 changed this distance by 0.02 %, and bfloat16 by 0.2 to 0.7 %,
        as well as that between 160 CIFAR-10 images and blurred and noisy copies.
        """
        images = probe_images(self.head.device)
        exact = self.distance(*images)
        self.dtype = torch.bfloat16 if images[0].device.type == "cpu" else torch.float16
        error = abs(self.distance(*images) / exact - 1)
        if error > TOLERANCE:
            raise ConfigError(
                f"fast: {self.dtype} changes the Frechet distance of {self.name} by {error:.2%}, "
                f"more than {TOLERANCE:.1%}; use metrics.fast=false"
            )

    def distance(self, first: Tensor, second: Tensor) -> float:
        """Frechet distance between two sets of images; infinite if the features overflow."""
        features = [embed(self, images).features for images in (first, second)]
        if not all(side.isfinite().all() for side in features):
            return math.inf  # the largest float16 is 65,504
        return frechet_distance(*map(Moments.of, features))


def probe_images(device: torch.device) -> tuple[Tensor, Tensor]:
    """Coarse and fine random textures, each uint8 (32, 3, 64, 64), equal on all devices."""
    rng = torch.Generator().manual_seed(0)
    sets = []
    for size in (8, 16):
        coarse = torch.rand(CHUNK, 3, size, size, generator=rng)
        images = nn.functional.interpolate(coarse, (64, 64), mode="bilinear") * 255
        sets.append(images.round().to(torch.uint8).to(device))
    return sets[0], sets[1]


def build_network(state: dict[str, Tensor], path: Path) -> Any:
    """torch-fidelity's network with the tensors `state` of the file `path`.

    torch-fidelity itself would unpickle the file, and so run code that it contains.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    verified = io.BytesIO()
    torch.save(state, verified)
    verified.seek(0)
    try:
        with torch.random.fork_rng([]):  # the constructor draws weights before it loads them
            return FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], verified)
    except RuntimeError:
        raise unfit(path, "does not have the layout of the FID network") from None


def fuse_batch_norm(network: nn.Module) -> nn.Module:
    """The network up to the last feature maps, with batch norm fused into the convolutions.

    It is 1.7 times as fast on a CPU, at a relative error of 1e-6, since the weights are fused in
    float64. The children are in the order of evaluation; the last two are the pooling and the head.
    """
    blocks: list[Any] = [module for module in network.modules() if hasattr(module, "bn")]
    for block in blocks:
        block.conv = fuse_conv_bn_eval(block.conv.double(), block.bn.double()).float()
        block.bn = nn.Identity()
    body = nn.Sequential(*list(network.children())[:-2])
    return body.to(memory_format=torch.channels_last)
