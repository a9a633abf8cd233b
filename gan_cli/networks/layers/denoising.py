"""What networks of diffusion have in common."""

from typing import Literal, Protocol, runtime_checkable

from torch import Tensor, nn

from gan_cli.networks.layers.mapping import normalized

STYLE_DEPTH = 4  # layers from the latent of a step to its style
LabelConditioning = Literal["none", "embed"]
InWords = {
    "time": "the time of the noise schedule, from 0 (data) to its last (noise), such as 999",
    "latent": "standard normal",
}


@runtime_checkable
class Denoises(Protocol):
    """A network that takes noisy samples, the label of their time, and labels or None.

    The output has the shape of samples, or twice the channels if it also predicts a variance. A
    label may be `classes`, which stands for none.
    """

    shape: tuple[int, ...]  # of a sample
    latent_dim: int  # numbers of a sample, and of the noise that it starts from
    prior: Literal["normal"]  # of this noise
    bounded: bool  # do samples lie in [-1, 1]?
    conditional: bool
    classes: int  # of the labels that it reads; 0 if it reads none
    predicts_variance: bool

    def __call__(self, sample: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor: ...


class StepStyles(nn.Module):
    """Latents of a step (N, latent_dim), normalized, to styles (N, width) by an MLP with SiLU.

    Xiao et al. 2022 (arXiv:2112.07804), Appendix C.
    """

    def __init__(self, latent_dim: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Linear(width if i else latent_dim, width) for i in range(STYLE_DEPTH)
        )

    def forward(self, latent: Tensor | None) -> Tensor:
        assert latent is not None, "a network with step_latent_dim was called without latents"
        h = normalized(latent).to(self.layers[0].weight.dtype)  # type: ignore[arg-type]
        for layer in self.layers:
            h = nn.functional.silu(layer(h))
        return h
