"""A fully connected network for the diffusion of vectors and small images."""

import math

from torch import Tensor, nn
from torch.nn.functional import silu

from gan_cli.config.ranges import Depth, Natural, Units
from gan_cli.data.kinds import kind_of
from gan_cli.data.spec import Spec
from gan_cli.networks.layers.checks import check_conditioning
from gan_cli.networks.layers.denoising import InWords, LabelConditioning, StepStyles
from gan_cli.networks.layers.time import TimeEmbedding
from gan_cli.networks.network import networks


@networks.register("mlp_denoiser")
class MLPDenoiser(nn.Module):
    """`depth` hidden layers of `width` units, each of which adds an embedding of the time."""

    inputs_in_words = InWords

    def __init__(
        self,
        spec: Spec,
        *,
        width: Units = 128,  # units of a hidden layer
        depth: Depth = 3,  # hidden layers
        conditioning: LabelConditioning = "none",  # embed: the label is added to the time
        predicts_variance: bool = False,  # twice the outputs, for a learned variance
        step_latent_dim: Natural = 0,  # length of the latent of each step, for model=ddgan_mlp
    ) -> None:
        super().__init__()
        check_conditioning(spec, conditioning, "none")
        self.conditional = conditioning != "none"
        self.classes = spec.classes if self.conditional else 0
        self.shape, self.predicts_variance = spec.shape, predicts_variance
        self.latent_dim, self.prior = math.prod(spec.shape), "normal"
        self.bounded = kind_of(spec.fields[spec.target]).bounded
        size, copies = math.prod(spec.shape), 2 if predicts_variance else 1
        self.channels = copies * spec.shape[0]
        self.time = TimeEmbedding(width, width, self.classes)
        self.step_latent_dim = step_latent_dim
        self.styles = StepStyles(step_latent_dim, width) if step_latent_dim else None
        self.hidden = nn.ModuleList(
            nn.Linear(inputs, width) for inputs in (size, *[width] * (depth - 1))
        )
        self.shifts = nn.ModuleList(nn.Linear(width, width) for _ in self.hidden)
        self.output = nn.Linear(width, copies * size)

    def forward(
        self,
        sample: Tensor,
        time: Tensor,
        label: Tensor | None = None,
        latent: Tensor | None = None,
    ) -> Tensor:
        """Samples (N, C, ...) and times (N,) to outputs (N, C, ...), or (N, 2 C, ...)."""
        embedded = self.time(time, label if self.conditional else None)
        embedded = silu(embedded if self.styles is None else embedded + self.styles(latent))
        h = sample.flatten(1)
        for linear, shift in zip(self.hidden, self.shifts, strict=True):
            h = silu(linear(h) + shift(embedded))  # (N, width)
        return self.output(h).view(-1, self.channels, *self.shape[1:])
