"""R3GAN's networks: published sizes, initialization, groups, labels, derivatives."""

import copy
import math

import pytest
import torch
from torch import nn

from gan_cli.data.spec import image_spec
from gan_cli.networks import networks
from gan_cli.networks.layers.bottleneck import Bottleneck
from gan_cli.networks.layers.resample import Upsample
from gan_cli.utils.errors import ConfigError

SIDES = ("generator", "discriminator")
TINY = {"width": 4, "max_width": 16, "group_width": 4}


def build(side: str, shape: tuple[int, ...], classes: int = 0, **options) -> nn.Module:
    torch.manual_seed(0)
    node = {"name": f"r3gan_{side}", **options}
    return networks.build(node, image_spec(shape, classes), where="model.networks.it")


def count(side: str, size: int, classes: int = 0, **options) -> int:
    with torch.device("meta"):
        network = build(side, (3, size, size), classes, **options)
    return sum(parameter.numel() for parameter in network.parameters())


def shaken(network: nn.Module) -> nn.Module:
    """The network as if it had been trained: no weight is 0."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def test_parameter_counts_on_cifar10():
    assert count("generator", 32) == 20_732_160
    assert count("discriminator", 32) == 20_683_776
    assert count("generator", 32, 10, conditioning="concat") == 20_781_952
    assert count("discriminator", 32, 10, conditioning="projection") == 21_280_512


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 16, 16), (2, 32, 32), (3, 128, 128), (4, 28, 28)])
def test_every_size_and_number_of_channels(shape):
    generator, discriminator = (build(side, shape, **TINY) for side in SIDES)
    image = generator(torch.randn(3, 64))
    assert image.shape == (3, *shape)
    assert discriminator(image).shape == (3,)


def test_widths_double_towards_the_smallest_map():
    """96-192-384-768-768-768-768 on FFHQ at 256 x 256; here an eighth of it."""
    for side in SIDES:
        network = build(side, (3, 256, 256), width=12, max_width=96, group_width=8)
        widths = [m.expand.in_channels for m in network.modules() if isinstance(m, Bottleneck)]
        expected = [width for width in (12, 24, 48, 96, 96, 96, 96) for _ in range(2)]
        assert widths == (expected if side == "discriminator" else expected[::-1])


def test_blocks_are_the_identity_at_first():
    x = torch.randn(2, 16, 8, 8)
    block = Bottleneck(16, 2, 8, depth=8)
    assert torch.equal(block(x), x)
    assert not torch.equal(shaken(block)(x), x)


def test_first_layers_of_a_block_get_weaker_with_the_depth():
    """Zhang et al. 2019, Section 3: the gain of He et al. times depth^(-1 / (2 m - 2)), m = 3."""
    torch.manual_seed(0)
    gain = math.sqrt(2 / 1.04)
    for depth in (1, 8, 14):
        block = Bottleneck(128, 2, 16, depth)
        for layer, fan_in in ((block.expand, 128), (block.spatial, 16 * 9)):
            assert layer.weight.std().item() == pytest.approx(
                gain * depth**-0.25 / math.sqrt(fan_in), rel=0.02
            )
            assert not layer.bias.any()


def test_an_untrained_generator_is_its_resampled_basis():
    """At first no block adds anything, so that the image is a linear map of the latent."""
    generator = build("generator", (3, 16, 16), width=24, group_width=8)
    latent = torch.randn(5, 64)
    up = Upsample(24)
    with torch.no_grad():
        weights = latent @ generator.basis.weights.weight.T
        maps = up(up(weights[:, :, None, None] * generator.basis.maps))
        expected = torch.einsum("oc,nchw->nohw", generator.output.weight[:, :, 0, 0], maps)
        torch.testing.assert_close(generator(latent), expected, atol=1e-5, rtol=1e-4)


def test_variance_of_untrained_outputs():
    """At size 4 the variance is 1; resampling by two multiplies that of white noise by 25/64.

    Upsampling: each pixel is (1, 3)/4 in both directions, and (1/16 + 9/16)^2 = 25/64.
    """
    generator = build("generator", (3, 8, 8), width=512, group_width=512)
    with torch.no_grad():
        basis = generator.basis(torch.randn(400, 64))
        image = generator(torch.randn(400, 64))
    assert basis.var().item() == pytest.approx(1, rel=0.05)
    inner = image[..., 1:-1, 1:-1]
    assert inner.var().item() == pytest.approx(25 / 64, rel=0.15)


def test_spectral_norm_is_finite_although_a_layer_would_start_at_zero():
    network = build("discriminator", (3, 16, 16), spectral_norm=True, **TINY)
    x = torch.randn(4, 3, 16, 16)
    for _ in range(200):
        logits = network(x)
    assert logits.isfinite().all()
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            norm = torch.linalg.matrix_norm(module.weight.flatten(1), 2)
            assert norm.item() == pytest.approx(1, abs=5e-3)


def test_groups_of_the_spatial_convolutions():
    """Table 9: 12-24-48-96 groups at 96-192-384-768 channels, i.e. 16 channels in each."""
    for width, groups in ((96, 12), (192, 24), (384, 48), (768, 96)):
        assert Bottleneck(width, 2, 16, 1).spatial.groups == groups
    assert Bottleneck(1536, 2, 32, 1).spatial.groups == 96  # ImageNet
    assert Bottleneck(4, 2, 16, 1).spatial.groups == 1  # fewer channels than one group


def test_groups_do_not_see_each_other():
    spatial = Bottleneck(8, 2, 4, 1).spatial
    x = torch.randn(1, 16, 5, 5)
    other = x.clone()
    other[:, 4:8] += 1
    changed = (spatial(x) != spatial(other)).any((0, 2, 3)).nonzero().flatten().tolist()
    assert changed == [4, 5, 6, 7]


def test_refusals_name_key_and_remedy():
    refused = {
        r"group_width: 40 channels .* set group_width=10": {"width": 20},
        r"group_width: 18 channels .* set group_width=9": {"width": 9},
        "max_width: 8 is below width=16": {"width": 16, "max_width": 8},
        "blocks: must be at least 1": {"blocks": 0},
        "expansion: must be at least 1": {"expansion": 0},
        "needs labels and the data set has none": {"conditioning": "CONDITIONING"},
    }
    for side, conditioning in zip(SIDES, ("concat", "projection"), strict=True):
        for advice, options in refused.items():
            given = {k: conditioning if v == "CONDITIONING" else v for k, v in options.items()}
            with pytest.raises(ConfigError, match=advice):
                build(side, (3, 16, 16), **given)
    for shape in ((3, 31, 31), (1, 4, 4)):
        with pytest.raises(ConfigError, match=r"resize to \d+ x \d+"):
            build("generator", shape)


def test_labels_reach_the_image():
    generator = build("generator", (3, 16, 16), 5, conditioning="concat", **TINY)
    latent, label = torch.randn(5, 64), torch.arange(5)
    same, other = generator(latent, label), generator(latent, (label + 1) % 5)
    assert (same - other).abs().amax((1, 2, 3)).min() > 1e-3


def test_initial_embeddings_are_those_of_a_linear_layer():
    wide = {"width": 64, "max_width": 64}
    generator = build("generator", (3, 8, 8), 100, conditioning="concat", **wide)
    discriminator = build("discriminator", (3, 8, 8), 100, conditioning="projection", **wide)
    assert generator.embedding.weight.std().item() == pytest.approx(1 / 10, rel=0.05)
    weight = discriminator.head.projection.weight
    assert weight.std().item() == pytest.approx(1 / math.sqrt(64 * 100), rel=0.05)


def test_logits_are_the_product_of_features_and_embedding():
    network = build("discriminator", (3, 16, 16), 5, conditioning="projection", **TINY)
    image, label = torch.randn(6, 3, 16, 16), torch.tensor([0, 1, 2, 3, 4, 0])
    with torch.no_grad():
        h = network.features(image, None) @ network.head.linear.weight.T  # (N, width)
        expected = (h * network.head.projection.weight[label]).sum(1)
        torch.testing.assert_close(network(image, label), expected)


def test_the_last_layer_weighs_every_pixel_of_the_smallest_map():
    network = build("discriminator", (3, 8, 8), **TINY)
    h = torch.randn(2, 8, 4, 4)
    expected = torch.einsum("nchw,chw->nc", h, network.pool.weight[:, 0])
    torch.testing.assert_close(network.pool(h), expected)
    torch.testing.assert_close(nn.Conv2d.forward(network.pool, h).flatten(1), expected)


def test_classes_can_be_predicted():
    network = build("discriminator", (3, 16, 16), 5, conditioning="auxiliary", **TINY)
    x = torch.randn(4, 3, 16, 16)
    logits, classes = network.logits_and_classes(x)
    assert network.auxiliary
    assert (logits.shape, classes.shape) == ((4,), (4, 5))
    assert torch.equal(classes, network.classify(x))


def test_penalties_can_differentiate_twice():
    """The parameter gradient of R1 in float64, against finite differences."""
    network = shaken(build("discriminator", (2, 8, 8), 3, conditioning="projection", **TINY))
    network.double()
    x, label = torch.randn(3, 2, 8, 8, dtype=torch.float64), torch.tensor([0, 2, 1])

    def penalty() -> torch.Tensor:
        logits, pull = torch.func.vjp(lambda image: network(image, label), x)
        return pull(torch.ones_like(logits))[0].square().sum()

    penalty().backward()
    parameters = [p for p in network.parameters() if p.grad is not None]
    direction = [torch.randn_like(p) for p in parameters]
    slope = sum((p.grad * d).sum() for p, d in zip(parameters, direction, strict=True))
    ends = []
    with torch.no_grad():
        for step in (1e-6, -2e-6):
            torch._foreach_add_(parameters, direction, alpha=step)
            ends.append(penalty())
    assert ((ends[0] - ends[1]) / 2e-6).item() == pytest.approx(slope.item(), rel=1e-4)


def test_samples_of_a_batch_do_not_influence_each_other():
    network = shaken(build("discriminator", (2, 16, 16), **TINY))
    x = torch.randn(5, 2, 16, 16)
    alone = torch.cat([network(part) for part in x.split(1)])
    torch.testing.assert_close(network(x), alone, atol=1e-5, rtol=1e-4)


def test_layout_and_precision_change_nothing_but_rounding():
    generator, discriminator = (shaken(build(side, (3, 16, 16), **TINY)) for side in SIDES)
    latent = torch.randn(4, 64)
    image = generator(latent).detach()
    logits = discriminator(image).detach()
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(generator(latent), image, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(discriminator(image), logits, atol=1e-5, rtol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        rounded, judged = generator(latent), discriminator(image)
    assert rounded.dtype == judged.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), image, atol=0.05 * image.std().item(), rtol=0.05)
    torch.testing.assert_close(judged.float(), logits, atol=0.1 * logits.std().item(), rtol=0.1)


def test_filters_are_constants_that_no_checkpoint_holds():
    generator = build("generator", (3, 16, 16), **TINY)
    assert not any("kernel" in name for name in generator.state_dict())
    assert all("kernel" not in name for name, _ in generator.named_parameters())
    copied = copy.deepcopy(generator).double()
    assert {buffer.dtype for buffer in copied.buffers()} == {torch.float64}
