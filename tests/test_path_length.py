"""Path length regularization against closed forms, its state, and its place in a run."""

import math

import pytest
import torch
from torch import nn

from gan_cli.data.spec import image_spec
from gan_cli.losses.path_length import PathLength, path_lengths
from gan_cli.losses.penalty import GeneratorTurn
from gan_cli.networks.layers.latent import draw_stages
from gan_cli.networks.network import networks
from tests.helpers import small, tensors_of, trained

MODEL = (
    "model=stylegan2", "model.networks.generator.width=4", "model.networks.discriminator.width=4",
    "model.networks.generator.max_width=8", "model.networks.discriminator.max_width=8",
    "loss.penalties.path_length.every=2", "loss.penalties.r1.every=3",
)  # fmt: skip


class Rotated(nn.Module):
    """z -> c Q z with orthogonal Q, as images (N, 1, 4, 4): |J^T y| = c |y|."""

    latent_dim, prior, conditional = 16, "normal", False

    def __init__(self, scale: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.matrix = nn.Parameter(scale * torch.linalg.qr(torch.randn(16, 16))[0])

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return (z @ self.matrix.T).view(-1, 1, 4, 4)


def turn_of(generator: nn.Module, count: int) -> GeneratorTurn:
    z = torch.randn(count, 16)
    device = torch.device("cpu")
    return GeneratorTurn(
        generator, z, generator(z), lambda part: draw_stages(generator, None, device, part)
    )


def mean_length(scale: float) -> float:
    """c E|y| with y ~ N(0, I) / 4 of 16 pixels: the mean of a chi distribution."""
    return scale / 4 * math.sqrt(2) * math.exp(math.lgamma(8.5) - math.lgamma(8))


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_the_moving_average_reaches_the_length_of_a_linear_generator(scale):
    torch.manual_seed(1)
    penalty, generator = PathLength(shrink=1), Rotated(scale)
    for _ in range(800):
        turn = turn_of(generator, 16)
        penalty(turn)
        penalty.after(turn.observed)
    assert penalty.average.item() == pytest.approx(mean_length(scale), rel=0.01)
    variance = scale**2 - mean_length(scale) ** 2  # E|y|^2 = 1
    values = torch.stack([penalty(turn_of(generator, 16)).detach() for _ in range(200)])
    assert values.mean().item() == pytest.approx(variance, rel=0.1)


def test_the_average_starts_at_zero_and_includes_the_batch():
    penalty, generator = PathLength(decay=0.75, shrink=2), Rotated(1.0)
    turn = turn_of(generator, 8)
    torch.manual_seed(3)
    value = penalty(turn)
    torch.manual_seed(3)
    lengths = path_lengths(*turn.draw_stages(4))
    mean = lengths.detach().mean()
    torch.testing.assert_close(turn.observed["mean_path_length"], mean)
    torch.testing.assert_close(value, (lengths - mean / 4).square().mean())
    assert penalty.average == 0
    penalty.after(turn.observed)
    torch.testing.assert_close(penalty.average, mean / 4)
    penalty.after({})  # a step on which it is not due
    torch.testing.assert_close(penalty.average, mean / 4)


def test_the_gradient_treats_the_average_as_a_constant():
    """Of E(c |y| - a)^2 with respect to c, where a is the average with the batch's mean."""
    penalty, generator = PathLength(shrink=1), Rotated(2.0)
    torch.manual_seed(3)
    penalty(turn := turn_of(generator, 64)).backward()
    slope = (generator.matrix.grad * generator.matrix.detach()).sum() / 2.0
    length = turn.observed["mean_path_length"]
    # 2 E[(c|y| - 0.01 m) |y|], with |y| = length / c and E[length^2] = c^2 E|y|^2
    expected = 2 * (4.0 - 0.01 * length.item() ** 2) / 2.0
    assert slope.item() == pytest.approx(expected, rel=0.05)


def test_a_length_is_the_mean_over_the_styles_of_all_layers():
    torch.manual_seed(0)
    maps = torch.randn(3, 5, 8)  # layers, style_dim, pixels

    def synthesis(styles: torch.Tensor) -> torch.Tensor:
        return torch.einsum("nld,ldp->np", styles, maps).view(-1, 1, 2, 4)

    styles = torch.randn(6, 3, 5)
    torch.manual_seed(4)
    lengths = path_lengths(styles, synthesis)
    torch.manual_seed(4)
    y = torch.randn(6, 1, 2, 4).view(6, 8) / math.sqrt(8)
    squares = torch.einsum("np,ldp->nld", y, maps).square().sum(2)  # (N, layers)
    torch.testing.assert_close(lengths, squares.mean(1).sqrt())


def test_stages_are_styles_where_a_generator_has_them():
    node = {"name": "stylegan2_generator", "width": 4, "max_width": 4, "latent_dim": 6}
    spec = image_spec((3, 8, 8), 3)
    generator = networks.build({**node, "conditioning": "concat"}, spec, where="it")
    label = torch.tensor([0, 1, 2, 0])
    styles, synthesis = draw_stages(generator, label, torch.device("cpu"), 2)
    assert styles.shape == (2, generator.styled, 512)
    assert synthesis(styles).shape == (2, 3, 8, 8)
    plain, function = draw_stages(Rotated(1.0), None, torch.device("cpu"), 2)
    assert plain.shape == (2, 16)
    assert function(plain).shape == (2, 1, 4, 4)


def test_a_resumed_run_continues_with_its_average(tmp_path):
    whole = trained(small(*MODEL, "steps=6", "every.checkpoint=3"), tmp_path / "whole")
    trained(small(*MODEL, "steps=3", "every.checkpoint=3"), tmp_path / "parts")
    parts = trained(small(*MODEL, "steps=6", "every.checkpoint=3"), tmp_path / "parts")
    averages = [run.game.objective.penalties["path_length"].average for run in (whole, parts)]
    assert averages[0] > 0
    assert torch.equal(*averages)
    one, other = tensors_of(whole), tensors_of(parts)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    "words",
    [("model=dcgan", "loss=nonsaturating"), ("model=bigan",), ("model=unrolled",),
     ("model=cgan",), ("model=latent_regressor",)],
    ids=lambda words: words[0],
)  # fmt: skip
def test_it_is_a_penalty_of_other_generators_and_games(words, tmp_path):
    run = trained(small(*words, "loss.penalties.path_length.weight=1", "steps=2"), tmp_path)
    assert run.game.objective.penalties["path_length"].average > 0
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())


@pytest.mark.parametrize("accumulate", [1, 2])
def test_parts_of_a_batch_share_one_average(accumulate, tmp_path):
    words = (*MODEL, "steps=2", f"accumulate={accumulate}")
    run = trained(small(*words), tmp_path)
    logged = run.meters.first["generator/mean_path_length"]
    average = run.game.objective.penalties["path_length"].average.item()
    assert average == pytest.approx(0.01 * logged, rel=1e-4)
