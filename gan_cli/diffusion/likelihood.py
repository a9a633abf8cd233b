"""Exact log densities by the probability flow: Song et al. 2021 (arXiv:2011.13456), Equation 39."""

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from gan_cli.diffusion.denoiser import Denoise
from gan_cli.diffusion.samplers.sampler import log_snr_levels
from gan_cli.diffusion.schedules.schedule import Level, NoiseSchedule

STAGES = 4  # calls of the network in a step of the Runge-Kutta method


def log_density(
    denoise: Denoise,
    schedule: NoiseSchedule,
    samples: Tensor,
    steps: int,
    probes: Tensor | None = None,
) -> Tensor:
    """Returns the log density (N,) float64, in nats, of `samples` (N, *shape).

    It is that of data with the least noise of the schedule, from which the flow of y = x / alpha,
    dy / ds = sigma / alpha eps with s = log(sigma / alpha), leads to the noise at the start of
    samplers. The log density falls on the way by the divergence of the flow: exact, or estimated by
    v^T J v with `probes` v (N, *shape) of mean 0 and covariance I (Skilling, Hutchinson). Each of
    the `steps` calls the network four times and takes a gradient of each call.
    """
    size = samples[0].numel()
    levels = log_snr_levels(schedule, steps + 1)[::-1]
    y, gained = samples, torch.zeros(len(samples), dtype=torch.float64, device=samples.device)
    for now, after in pairwise(levels):
        y, change = step(denoise, schedule, y, now, after, probes)
        gained = gained + change
    last, std = levels[-1], schedule.prior_std
    x = (last.alpha * y / std).double().flatten(1)
    constant = math.log(last.alpha / std) - math.log(2 * math.pi) / 2
    return gained + size * constant - x.square().sum(1) / 2


def step(
    denoise: Denoise,
    schedule: NoiseSchedule,
    y: Tensor,
    now: Level,
    after: Level,
    probes: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Returns y at the level `after`, and the integral of the divergence on the way (N,)."""
    width = math.log(after.ratio / now.ratio)
    middle = schedule.level_at((now.log_snr + after.log_snr) / 2)
    first, a = slope(denoise, y, now, probes)
    second, b = slope(denoise, y + width / 2 * first, middle, probes)
    third, c = slope(denoise, y + width / 2 * second, middle, probes)
    fourth, d = slope(denoise, y + width * third, after, probes)
    moved = y + width / 6 * (first + 2 * second + 2 * third + fourth)
    return moved, width / 6 * (a + 2 * b + 2 * c + d)


def slope(
    denoise: Denoise, y: Tensor, level: Level, probes: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Returns dy / ds (N, *shape) and its divergence (N,) float64."""
    with torch.enable_grad():
        y = y.detach().requires_grad_()
        flow = level.ratio * denoise(level.alpha * y, level).eps
    directions = units(y) if probes is None else iter([probes.to(y)])
    divergence = torch.zeros(len(y), dtype=torch.float64, device=y.device)
    for v in directions:
        (back,) = torch.autograd.grad(flow, y, v, retain_graph=True)
        divergence += (back * v).double().flatten(1).sum(1)
    return flow.detach(), divergence


def units(like: Tensor) -> Iterator[Tensor]:
    """Yields the unit vectors of samples (N, *shape): their sum of v^T J v is the exact trace."""
    for i in range(like[0].numel()):
        v = torch.zeros_like(like)
        v.flatten(1)[:, i] = 1
        yield v
