"""Generator and encoder of a model, applied to many samples or latents in batches."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Field
from gan_cli.games.request import Request
from gan_cli.games.restore import takes_single_samples
from gan_cli.games.spaces import Space, check_space, points_of
from gan_cli.sampling.model import Model
from gan_cli.utils.errors import ConfigError

BATCH = 250


class Autoencoder:
    """A generator with an optional encoder, whose codes are points of a space: z or w.

    Samples are passed in stored form: images uint8 (N, C, H, W), vectors float32 (N, F). Those of a
    conditional generator are all of the class `label`.
    """

    def __init__(
        self, model: Model, task: str, space: Space | None = None, label: int | None = None
    ) -> None:
        self.model, self.spec, self.label = model, model.spec, label
        if model.game.labelled and label is None:
            raise ConfigError(
                f"task: '{task}' has no labels for the checkpoint's conditional generator; "
                "train one with model.networks.generator.conditioning=none"
            )
        networks = model.game.networks
        self.generator: Any = networks["generator"]
        self.encoder: Any = None
        if "encoder" in networks:
            self.encoder = networks["encoder"]
        self.found: Space = getattr(model.game, "space", "z")  # what the encoder finds
        self.space: Space = space or self.found
        check_space(self.generator, self.space)
        if self.encoder is not None and self.found == "w" and self.space == "z":
            raise ConfigError("space: the encoder of this run finds styles; type space=w")
        self.field: Field = self.spec.fields[self.spec.target]
        self.kind = kind_of(self.field)

    def discriminator(self) -> Any:
        """Returns the discriminator (not averaged), or None if none takes single samples."""
        role, checkpoint = "discriminator", self.model.checkpoint
        if role not in checkpoint.roles or not takes_single_samples(checkpoint, role):
            return None
        return self.model.network(role, averaged=False)

    @torch.inference_mode()
    def apply(self, function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        """Returns `function` of inputs (N, ...), computed in batches; float32 on the CPU."""
        outputs, runtime = [], self.model.runtime
        for batch in zip(*(x.split(BATCH) for x in inputs), strict=True):
            with runtime.autocast():
                outputs.append(function(*(x.to(runtime.device) for x in batch)).float().cpu())
        return torch.cat(outputs)

    def apply_to_samples(self, function: Callable[[Tensor], Tensor], samples: Tensor) -> Tensor:
        """Returns `function` of samples, which are passed in stored form, in model form."""
        return self.apply(lambda x: function(self.kind.to_model(x)), samples)

    def to_model(self, samples: Tensor) -> Tensor:
        """Returns stored samples in model form, on their device."""
        return self.kind.to_model(samples)

    def code(self, x: Tensor) -> Tensor:
        """Returns the codes (N, D) of a batch in model form."""
        codes: Tensor = self.encoder(x)
        return codes if self.found == self.space else self.generator.styles(codes)[:, 0]

    def decode(self, codes: Tensor, noise: Tensor | None = None) -> Tensor:
        """Returns the samples of a batch of codes (N, D), or of styles (N, layers, D).

        `noise` (N, noise_size) is that of the layers of a generator with styles.
        """
        generator = self.generator
        if self.space == "w":
            styles = codes if codes.ndim == 3 else codes[:, None].expand(-1, generator.styled, -1)
            return generator.synthesis(styles, *(() if noise is None else (noise,)))
        return generator(codes, **self.labels(len(codes), codes.device))

    def labels(self, count: int, device: Any = None) -> dict[str, Tensor]:
        """Returns the keyword with the class of each sample, if the generator takes classes."""
        return {} if self.label is None else {"label": torch.full((count,), self.label).to(device)}

    def request(self, count: int, first: int = 0) -> Request:
        """Returns the request for samples of `count` seeds from `first` on."""
        return Request(range(first, first + count), self.labels(count).get("label"))

    def drawn(self, count: int, first: int = 0) -> Tensor:
        """Returns the codes (N, D) of `count` seeds from `first` on."""
        points = points_of(self.model.game, self.request(count, first), self.space)
        return points if self.space == "z" else points[:, 0]

    def encode(self, samples: Tensor) -> Tensor:
        """Returns codes (N, D)."""
        return self.apply_to_samples(self.code, samples)

    def generate(self, codes: Tensor, noise: Tensor | None = None) -> Tensor:
        """Returns samples (N, *shape) in model form."""
        return self.apply(self.decode, codes, *(() if noise is None else (noise,)))

    def reconstruct(self, samples: Tensor) -> Tensor:
        """Returns G(E(x)), (N, *shape) in model form."""
        return self.apply_to_samples(lambda x: self.decode(self.code(x)), samples)

    @property
    def has_picture(self) -> bool:
        """Whether samples can be shown as images side by side."""
        return self.kind.default_format(self.field) == "grid"
