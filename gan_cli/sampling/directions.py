"""Directions in latent space that change samples most, found without labels.

They are eigenvectors of the mean of J^T J, where J is the derivative of a function of the latent.

- "jacobian": the function is the generator. J^T J is then half the Hessian of the squared distance
  of samples, whose eigenvectors Wang & Ponce 2021 (arXiv:2101.06006) follow.
- "sefa": the function is the first layer that reads the latent. For y = A z + b, J^T J is A^T A,
  whose eigenvectors are the directions of Shen & Zhou 2021 (arXiv:2007.06600), Equation 7.
- "ganspace": principal components of the activations of a layer, taken back to the latent by least
  squares; Harkonen et al. 2020 (arXiv:2004.02546), Section 2.2.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from rich.progress import track
from torch import Tensor
from torch.func import jvp

from gan_cli.utils.errors import ConfigError

POINTS = 32  # latents over which J^T J is averaged
PROGRESS = 256  # smallest number of derivatives for which a progress bar is shown
SMALLEST = 1e-6  # share of the largest eigenvalue; J^T J has the accuracy of float32
# Latents (N, D) and labels (N,) or None to samples or activations (N, ...)
Function = Callable[[Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class Directions:
    """Directions of latents, the one that changes most first."""

    vectors: Tensor  # (K, D), of unit length
    eigenvalues: Tensor  # (K,) float64
    shares: Tensor  # (K,) of the sum of all eigenvalues

    def __len__(self) -> int:
        return len(self.vectors)


def mean_metric(
    function: Function, latents: Tensor, labels: Tensor | None, batch_size: int
) -> Tensor:
    """Returns the mean of J^T J over latents (N, D): (D, D) float64 on the CPU.

    J (F, D) is the derivative of `function` at a latent. Its columns are computed in forward mode,
    `batch_size` at a time.
    """
    length = latents.shape[1]
    basis = torch.eye(length, device=latents.device)
    total = torch.zeros(length, length, dtype=torch.float64)
    short = latents.numel() < PROGRESS
    for i in track(range(len(latents)), "derivatives", transient=True, disable=short):
        columns = [
            derivative(function, latents[i], None if labels is None else labels[i], part)
            for part in basis.split(batch_size)
        ]
        transposed = torch.cat(columns).float()  # J^T: (D, F)
        total += (transposed @ transposed.T).cpu().double()
    return total / len(latents)


def derivative(function: Function, latent: Tensor, label: Tensor | None, along: Tensor) -> Tensor:
    """Returns the derivatives (M, F) of `function` at a latent (D,) along the vectors (M, D)."""
    points = latent.repeat(len(along), 1)
    labels = None if label is None else label.repeat(len(along))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of torch.jit, which jvp imports
            value, change, *_ = jvp(lambda z: function(z, labels), (points,), (along,))
    except NotImplementedError as error:  # by operations of PyTorch without a forward mode
        raise ConfigError(f"method: the generator has no derivative ({error})") from None
    if not value.is_floating_point():
        raise ConfigError("method: the generator makes whole numbers, which have no derivative")
    return change.flatten(1)


def eigenvectors(metric: Tensor, count: int) -> Directions:
    """Returns at most `count` eigenvectors of a metric (D, D), those of eigenvalue 0 left out."""
    check_metric(metric)
    values, vectors = torch.linalg.eigh(metric)  # in ascending order
    return selected(vectors.T.flip(0), values.flip(0), count)


def principal_components(activations: Tensor, latents: Tensor, count: int) -> Directions:
    """Returns GANSpace's directions, for centred activations (N, F) and latents (N, D).

    With the coordinates x_k of the activations along component k, direction k is the least squares
    solution sum(z x_k) / sum(x_k^2).
    """
    gram = torch.zeros(len(activations), len(activations), dtype=torch.float64)
    for columns in activations.split(1024, dim=1):
        part = columns.double()
        gram += part @ part.T
    check_metric(gram)
    values, coordinates = torch.linalg.eigh(gram / len(gram))  # x_k, each of unit length
    return selected((latents.double().T @ coordinates).T.flip(0), values.flip(0), count)


def check_metric(metric: Tensor) -> None:
    """Raises ConfigError if a metric is not finite, or 0."""
    if not metric.isfinite().all():
        raise ConfigError("run: the derivative of the generator is not finite; has it diverged?")
    if not metric.any():
        raise ConfigError("run: the samples of this generator do not depend on the latent")


def selected(vectors: Tensor, values: Tensor, count: int) -> Directions:
    """Returns the first `count` of the rows, without those whose value is rounded from 0.

    Rows get unit length, and a sign by which their largest number is positive.
    """
    values = values.clamp(min=0)
    count = min(count, int((values > SMALLEST * values[0]).sum()))
    kept = vectors[:count]
    largest = kept.gather(1, kept.abs().argmax(1, keepdim=True))
    kept = kept * largest.sign() / kept.norm(dim=1, keepdim=True)
    return Directions(kept.float(), values[:count], values[:count] / values.sum())


def centred(rows: Tensor, labels: Tensor | None) -> Tensor:
    """Returns rows (N, F) on the CPU minus their mean, or minus the mean of their class.

    Means are computed in float64, so that equal rows become 0.
    """
    rows = rows.clone()
    groups = torch.zeros(len(rows)) if labels is None else labels.cpu()
    for group in groups.unique():
        own = rows[groups == group]
        rows[groups == group] = own - own.mean(0, dtype=torch.float64).to(rows)
    return rows


def whitened(latents: Tensor, labels: Tensor | None) -> Tensor:
    """Returns latents (N, D), N > D, moved a little so that they have exactly equal variances.

    Principal components of affine functions then have no sampling error.
    """
    rows = centred(latents.cpu().double(), labels)
    covariance = rows.T @ rows / len(rows)
    values, vectors = torch.linalg.eigh(covariance)
    return (rows @ (vectors / (values / values.mean()).sqrt()) @ vectors.T).to(latents)
