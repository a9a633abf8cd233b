"""A checkpoint with an encoder: both directions between images and latents, or one without."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gan_cli.checkpoints.files import State
from gan_cli.data.feeds.decode import decode
from gan_cli.sampling.request import SampleConfig
from gan_cli.sampling.sampler import Sampler, restored, sees_one
from gan_cli.utils.errors import ConfigError

BATCH = 250


class Subject:
    """Images are as data sets hold them: uint8 (N, C, H, W), or vectors (N, F) float32."""

    def __init__(self, state: State, config: SampleConfig) -> None:
        self.state, average = state, config.weights == "average"
        self.sampler = Sampler(state, average, config.device)
        if state["config"]["model"]["networks"]["generator"].get("conditioning", "none") != "none":
            raise ConfigError(
                f"task: '{config.task}' has no labels for the checkpoint's conditional generator; "
                "train one with model.networks.generator.conditioning=none"
            )
        self.spec, self.generator = self.sampler.spec, self.sampler.generator
        has_encoder = "encoder" in state["networks"]
        self.encoder: Any = self.network("encoder", average) if has_encoder else None

    def discriminator(self) -> Any:
        """None if the checkpoint has none of single samples. Of it there is no average."""
        role = "discriminator"
        usable = role in self.state["networks"] and sees_one(self.state, role)
        return self.network(role, average=False) if usable else None

    def network(self, role: str, average: bool) -> nn.Module:
        network = restored(self.state, role, average).eval()
        self.sampler.runtime.place(nn.ModuleDict({role: network}))
        return network

    @torch.inference_mode()
    def through(self, function: Callable[[Tensor], Tensor], samples: Tensor) -> Tensor:
        """`function` of samples in [-1, 1] on the device, batch by batch; float32 on the CPU."""
        found, runtime = [], self.sampler.runtime
        for batch in samples.split(BATCH):
            on_device = decode({"real": batch.to(runtime.device)}, None)["real"]
            with runtime.autocast():
                found.append(function(on_device).float().cpu())
        return torch.cat(found)

    def encode(self, samples: Tensor) -> Tensor:
        """(N, latent_dim)."""
        return self.through(self.encoder, samples)

    def generate(self, latents: Tensor) -> Tensor:
        """(N, *shape), images in [-1, 1]."""
        return self.through(self.generator, latents)

    def reconstruct(self, samples: Tensor) -> Tensor:
        """G(E(x)), (N, *shape), images in [-1, 1]."""
        return self.through(lambda x: self.generator(self.encoder(x)), samples)
