"""A model with an encoder: both directions between samples and latents; or without one."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Field
from gan_cli.games.restore import takes_single_samples
from gan_cli.sampling.model import Model
from gan_cli.utils.errors import ConfigError

BATCH = 250


class Autoencoder:
    """Samples are in stored form: uint8 images (N, C, H, W), vectors (N, F) float32."""

    def __init__(self, model: Model, task: str) -> None:
        self.model, self.spec = model, model.spec
        if model.game.labelled:
            raise ConfigError(
                f"task: '{task}' has no labels for the checkpoint's conditional generator; "
                "train one with model.networks.generator.conditioning=none"
            )
        networks = model.game.networks
        self.generator: Any = networks["generator"]
        self.encoder: Any = None
        if "encoder" in networks:
            self.encoder = networks["encoder"]
        self.field: Field = self.spec.fields[self.spec.target]
        self.kind = kind_of(self.field)

    def discriminator(self) -> Any:
        """The discriminator as trained, or None if there is none that takes single samples."""
        role, checkpoint = "discriminator", self.model.checkpoint
        if role not in checkpoint.roles or not takes_single_samples(checkpoint, role):
            return None
        return self.model.network(role, averaged=False)

    @torch.inference_mode()
    def through(self, function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        """`function` of inputs (N, ...) on the device, in batches; float32 on the CPU."""
        found, runtime = [], self.model.runtime
        for batch in inputs.split(BATCH):
            with runtime.autocast():
                found.append(function(batch.to(runtime.device)).float().cpu())
        return torch.cat(found)

    def of_samples(self, function: Callable[[Tensor], Tensor], samples: Tensor) -> Tensor:
        """`function` of samples in model form, given in stored form."""
        return self.through(lambda x: function(self.kind.to_model(x)), samples)

    def to_model(self, samples: Tensor) -> Tensor:
        """Stored samples in model form, on the CPU."""
        return self.kind.to_model(samples)

    def encode(self, samples: Tensor) -> Tensor:
        """Latents (N, latent_dim)."""
        return self.of_samples(self.encoder, samples)

    def generate(self, latents: Tensor) -> Tensor:
        """Samples (N, *shape) in model form."""
        return self.through(self.generator, latents)

    def reconstruct(self, samples: Tensor) -> Tensor:
        """G(E(x)), (N, *shape) in model form."""
        return self.of_samples(lambda x: self.generator(self.encoder(x)), samples)

    @property
    def pictured(self) -> bool:
        """Whether samples can be shown as images side by side."""
        return self.kind.default_format(self.field) == "grid"
