"""Path length regularization: equal steps in the space of styles change images equally."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gan_cli.config.ranges import Count, Decay
from gan_cli.config.schedules import Schedule, Weight
from gan_cli.losses.penalty import GeneratorTurn, Penalty, penalties

EPSILON = 1e-8  # the derivative of the root is finite for a generator that ignores its input


@penalties.register("path_length")
@dataclass(kw_only=True)
class PathLength(Penalty):
    """E[(|J_w^T y| - a)^2]: Karras et al. 2020 (arXiv:1912.04958), Equation 4, Appendix B.

    y is an image of N(0, 1) / sqrt(pixels), and a the moving average of the lengths, which starts
    at 0 and includes the present batch. As in the authors' code, a length is the root of the mean
    over the styles of all layers of squared norms. Without styles, J is that of the latents.
    """

    weight: Weight = Schedule(2.0)  # strength of the penalty
    decay: Decay = 0.99  # of the moving average of lengths, each time that it is applied
    shrink: Count = 2  # computed on a batch so many times smaller, to save memory
    player = "generator"
    by_gradient = False
    per_sample = False
    average: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.average = torch.zeros(())

    def __call__(self, turn: GeneratorTurn) -> Tensor:
        styles, synthesis = turn.draw_stages(max(len(turn.latent) // self.shrink, 1))
        lengths = path_lengths(styles, synthesis)
        mean = lengths.detach().mean()
        turn.observed["mean_path_length"] = mean
        return (lengths - self.average.lerp(mean, 1 - self.decay)).square().mean()

    def after(self, observed: Mapping[str, Tensor]) -> None:
        if "mean_path_length" in observed:
            self.average.lerp_(observed["mean_path_length"], 1 - self.decay)

    def place(self, device: torch.device) -> None:
        self.average = self.average.to(device)

    def state_dict(self) -> dict[str, Tensor]:
        return {"average": self.average.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.average.copy_(torch.as_tensor(state["average"]))


def path_lengths(styles: Tensor, synthesis: Callable[[Tensor], Tensor]) -> Tensor:
    """|J^T y| for styles (N, layers, D), or latents (N, D), each with its own y; (N,)."""
    image, pull = differentiable(styles, synthesis)
    noise = torch.randn_like(image) / math.sqrt(math.prod(image.shape[2:]))
    squares = pull(noise).square().sum(-1)  # (N, layers) or (N,)
    return (squares.view(len(styles), -1).mean(1) + EPSILON).sqrt()


def differentiable(
    x: Tensor, function: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Returns function(x), and the function from y to J^T y.

    torch.func compiles, unlike torch.autograd.grad, but refuses batch norm, which counts batches.
    """
    if torch.compiler.is_compiling():
        value, pull = torch.func.vjp(function, x)  # type: ignore[misc]  # its stub is a union
        return value, lambda y: pull(y)[0]
    x = x if x.requires_grad else x.detach().requires_grad_()
    value = function(x)
    return value, lambda y: torch.autograd.grad(value, x, y, create_graph=True)[0]
