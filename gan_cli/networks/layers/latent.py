"""Latent vectors: drawn from the prior of a generator, and interpolated."""

import math
from collections.abc import Callable
from typing import Literal, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from gan_cli.utils.errors import ConfigError
from gan_cli.utils.noise import Noise

Space = Literal["z", "w"]  # in which latents move: that of the prior, or that of styles
Prior = Literal["normal", "uniform"]  # N(0, I), or uniform on [-1, 1]^d


@runtime_checkable
class HasLayerLatents(Protocol):
    """A generator whose layers have latents of their own, which can be mixed.

    `styles` returns them as (N, styled, D), and `synthesis` makes samples of them.
    """

    styled: int

    def styles(self, latent: Tensor, label: Tensor | None = None) -> Tensor: ...

    def synthesis(self, styles: Tensor, noise: Tensor | None = None) -> Tensor: ...


@runtime_checkable
class HasParts(Protocol):
    """A generator that splits its latent into parts of these lengths, one for each layer."""

    parts: list[int]


@runtime_checkable
class HasStyles(HasLayerLatents, Protocol):
    """A generator that maps latents to styles first; it also has the mean style `w_avg`.

    Its forward takes `truncation`, which is psi in w_avg + psi (w - w_avg), and
    `truncation_cutoff`, the number of layers that are truncated.
    """

    w_avg: Tensor


def draw_latent(generator: nn.Module, count: int, device: torch.device) -> Tensor:
    """`count` latents (N, latent_dim) from the prior of `generator`, on `device`."""
    shape = (count, cast(int, generator.latent_dim))
    if generator.prior == "uniform":
        return torch.rand(shape, device=device) * 2 - 1
    return torch.randn(shape, device=device)


def seeded_latent(generator: nn.Module, noise: Noise, truncation: float | None = None) -> Tensor:
    """Latents (N, latent_dim) from the prior of `generator`, on the CPU, one for each stream.

    `truncation` is the bound of Brock et al. 2019 (arXiv:1809.11096), Section 3.1. The latents of a
    generator with styles have none, since it truncates the styles.
    """
    length = cast(int, generator.latent_dim)
    check_truncation(generator, truncation)
    if truncation is not None and not isinstance(generator, HasStyles):
        return truncated_normal(noise.uniform(length), truncation)
    return noise.uniform(length) * 2 - 1 if generator.prior == "uniform" else noise.normal(length)


def draw_stages(
    generator: nn.Module, label: Tensor | None, device: torch.device, count: int
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Draws styles of `count` new samples; returns them and the function from them to samples.

    A generator without styles has its latents in their place. The labels are the first ones.
    """
    latent = draw_latent(generator, count, device)
    labels = () if label is None else (label[:count],)
    if isinstance(generator, HasStyles):
        return generator.styles(latent, *labels), generator.synthesis
    return latent, lambda z: generator(z, *labels)


def check_truncation(
    generator: nn.Module, truncation: float | None, cutoff: int | None = None
) -> None:
    """Raises ConfigError if a generator cannot be truncated so.

    Latents have a bound above 0, if their prior is normal; styles have any psi, and a `cutoff`.
    """
    if isinstance(generator, HasStyles):
        if cutoff is not None and cutoff > generator.styled:
            raise ConfigError(
                f"truncation_cutoff: is {cutoff}, and the generator has {generator.styled} layers "
                "with styles; null truncates all of them"
            )
        return
    if cutoff is not None:
        raise ConfigError(
            "truncation_cutoff: counts layers with styles, as of model=stylegan2, and this "
            "generator has none; leave it out"
        )
    if truncation is None:
        return
    if not hasattr(generator, "prior"):
        raise ConfigError("truncation: is of latents, and this generator takes none; leave it out")
    if generator.prior == "uniform":
        raise ConfigError("truncation: the uniform prior has no tails; set truncation=null")
    if not truncation > 0:
        raise ConfigError(f"truncation: must be above 0, got {truncation:g}; try truncation=0.7")


def truncated_styles(styles: Tensor, mean: Tensor, psi: float, cutoff: int | None = None) -> Tensor:
    """Styles (N, layers, D) moved to mean + psi (w - mean), in the first `cutoff` layers only."""
    moved = mean.lerp(styles, psi)
    if cutoff is None:
        return moved
    return torch.cat([moved[:, :cutoff], styles[:, cutoff:]], 1)


def truncated_normal(uniform: Tensor, bound: float) -> Tensor:
    """Maps numbers uniform on [0, 1) to N(0, 1) conditioned on |z| <= `bound`.

    It applies the inverse of the distribution function, which is equivalent to redrawing every
    number that exceeds the bound.
    """
    mass = math.erf(bound / math.sqrt(2))  # P(|z| <= bound)
    # Clamped, since erfinv is infinite at the edge if float32 rounds the mass to 1.
    return (math.sqrt(2) * torch.erfinv(mass * (uniform * 2 - 1))).clamp(-bound, bound)


def slerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Spherical interpolation from `a` (t = 0) to `b` (t = 1): Shoemake 1985.

    `a` and `b` are (..., D); a tensor `t` is broadcast against (..., 1). Gaussian latents
    concentrate on a sphere of radius sqrt(D), which a straight line would leave (White 2016,
    arXiv:1609.04468). Parallel vectors are interpolated linearly.
    """
    cosine = nn.functional.cosine_similarity(a, b, dim=-1).unsqueeze(-1)  # (..., 1)
    angle = torch.acos(cosine.clamp(-1, 1))
    sine = angle.sin()
    straight = sine < 1e-3  # float32 rounds the cosine below; the line is then exact to 1e-7
    sine = sine.where(~straight, 1)
    arc = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / sine
    return torch.where(straight, (1 - t) * a + t * b, arc)
