"""StyleGAN2's discriminator, and second derivatives of both networks."""

import pytest
import torch
from torch import nn

from gan_cli.games.freezing import blocks_of
from gan_cli.losses.path_length import path_lengths
from gan_cli.networks.layers.minibatch import GroupedMinibatchStd
from tests.stylegan2_networks import build, shaken


@pytest.mark.parametrize(
    ("batch", "group"), [(12, 4), (8, 4), (6, 3), (5, 1), (3, 3), (2, 2), (1, 1)]
)
def test_minibatch_deviation_of_groups(batch, group):
    """Groups of 4, or fewer where 4 does not divide the batch; members are not neighbours."""
    torch.manual_seed(0)
    x = torch.randn(batch, 5, 4, 4)
    y = GroupedMinibatchStd(4)(x)
    assert torch.equal(y[:, :5], x)
    for first in range(batch // group):
        members = torch.arange(first, batch, batch // group)
        assert len(members) == group
        expected = (x[members].var(0, correction=0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(y[members, 5], expected.expand(group, 4, 4))


def test_logits_are_the_product_of_features_and_mapped_label():
    network = build("discriminator", (3, 16, 16), 5, conditioning="projection")
    image, label = torch.randn(6, 3, 16, 16), torch.tensor([0, 1, 2, 3, 4, 0])
    with torch.no_grad():
        h = network.head.linear(network.features(image, None))  # (N, width)
        mapped = network.head.mapping(None, label)
        torch.testing.assert_close(network(image, label), (h * mapped).sum(1) / 4)
    assert not torch.allclose(network(image, label), network(image, (label + 1) % 5))


def test_classes_can_be_predicted():
    network = build("discriminator", (3, 16, 16), 5, conditioning="auxiliary")
    x = torch.randn(4, 3, 16, 16)
    logits, classes = network.logits_and_classes(x)
    assert network.auxiliary
    assert (logits.shape, classes.shape) == ((4,), (4, 5))
    assert torch.equal(classes, network.classify(x))


@pytest.mark.parametrize("minibatch", ["none", "std", "discrimination"])
def test_the_batch_matters_only_to_minibatch_layers(minibatch):
    network = build("discriminator", (2, 16, 16), minibatch=minibatch)
    x = torch.randn(4, 2, 16, 16)
    alone = torch.cat([network(part) for part in x.split(1)])
    assert torch.allclose(network(x), alone, atol=1e-4) == (minibatch == "none")


def test_spectral_norm_replaces_the_equalized_scales():
    network = build("discriminator", (3, 16, 16), spectral_norm=True)
    x = torch.randn(4, 3, 16, 16)
    for _ in range(200):
        network(x)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            norm = torch.linalg.matrix_norm(module.weight.flatten(1), 2)
            assert norm.item() * module.scale == pytest.approx(1, abs=5e-3)


@pytest.mark.parametrize("architecture", ["resnet", "orig"])
def test_penalties_can_differentiate_the_discriminator_twice(architecture):
    """The parameter gradient of R1 in float64, against finite differences."""
    network = build("discriminator", (2, 8, 8), 3, conditioning="projection", mapping_depth=2)
    network.double()
    x, label = torch.randn(4, 2, 8, 8, dtype=torch.float64), torch.tensor([0, 2, 1, 1])

    def penalty() -> torch.Tensor:
        logits, pull = torch.func.vjp(lambda image: network(image, label), x)
        return pull(torch.ones_like(logits))[0].square().sum()

    check_slope(penalty, network)


def check_slope(loss, network: nn.Module) -> None:
    """Compares the gradient of a loss with its slope in a random direction."""
    loss().backward()
    parameters = [p for p in network.parameters() if p.grad is not None]
    assert parameters
    direction = [torch.randn_like(p) for p in parameters]
    slope = sum((p.grad * d).sum() for p, d in zip(parameters, direction, strict=True))
    ends = []
    for step in (1e-6, -2e-6):
        with torch.no_grad():
            torch._foreach_add_(parameters, direction, alpha=step)
        ends.append(loss().detach())
    assert ((ends[0] - ends[1]) / 2e-6).item() == pytest.approx(slope.item(), rel=1e-4)


def test_path_lengths_can_differentiate_the_generator_twice():
    generator = shaken(build("generator", (2, 8, 8))).double()
    z = torch.randn(3, 8, dtype=torch.float64)
    generator.eval()

    def penalty() -> torch.Tensor:
        torch.manual_seed(1)
        return path_lengths(generator.styles(z), generator.synthesis).square().mean()

    check_slope(penalty, generator)


def test_blocks_that_can_be_frozen_begin_at_the_image():
    network = build("discriminator", (3, 32, 32))
    blocks = blocks_of(network)
    assert [block[-1] for block in blocks] == list(network.blocks)
    assert blocks[0][0] is network.input
