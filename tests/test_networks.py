"""Every network: shapes, published parameter counts, initialization, precision, derivatives."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gan_cli.data.spec import Field, Spec, image_spec, vector_spec
from gan_cli.networks import networks
from gan_cli.networks.layers.latent import draw_latent
from gan_cli.networks.layers.norm import Normalize
from gan_cli.networks.layers.sizes import nearest_sizes, pyramid
from gan_cli.utils.errors import ConfigError

CPU = torch.device("cpu")
LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
FAMILIES = ("mlp", "dcgan", "resnet")
NORMS = ("batch", "layer", "instance", "none")
SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 48, 32), (2, 8, 20), (4, 20, 24)]
LARGE = [(3, 64, 64), (3, 96, 64), (1, 128, 128)]


def build(name: str, shape: tuple[int, ...], classes: int = 0, **options) -> nn.Module:
    torch.manual_seed(0)
    node = {"name": name, **options}
    spec = vector_spec(*shape, classes) if len(shape) == 1 else image_spec(shape, classes)
    return networks.build(node, spec, where="model.networks.it")


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def norms_of(family: str) -> tuple[str, ...]:
    return tuple(norm for norm in NORMS if (family, norm) != ("mlp", "instance"))


CASES = [(family, norm) for family in FAMILIES for norm in norms_of(family)]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", SHAPES + LARGE)
def test_shapes_and_range(family, shape):
    generator = build(f"{family}_generator", shape, width=4)
    discriminator = build(f"{family}_discriminator", shape, width=4)
    image = generator(draw_latent(generator, 3, CPU))
    assert image.shape == (3, *shape)
    assert image.abs().max() <= 1
    assert discriminator(image).shape == (3,)


def test_vectors_have_a_linear_output_unless_told_otherwise():
    latent = 1e3 * torch.randn(64, 64)
    assert build("mlp_generator", (2,))(latent).abs().max() > 1
    assert build("mlp_generator", (2,), output="tanh")(latent).abs().max() <= 1
    assert build("mlp_discriminator", (2,))(torch.randn(5, 2)).shape == (5,)


def test_published_dcgan_parameter_counts():
    # github.com/pytorch/examples, dcgan: nz = 100, ngf = ndf = 64
    assert count(build("dcgan_generator", (3, 64, 64))) == 3_576_704
    assert count(build("dcgan_discriminator", (3, 64, 64))) == 2_765_568


def test_published_wgan_gp_parameter_counts():
    assert count(build("resnet_generator", (3, 32, 32))) == 1_204_483
    assert count(build("resnet_discriminator", (3, 32, 32))) == 1_053_825


def test_published_sngan_parameter_counts():
    discriminator = build(
        "resnet_discriminator", (3, 32, 32), pooling="sum", head_bias=False, spectral_norm=True
    )
    assert count(build("resnet_generator", (3, 32, 32), width=256)) == 4_276_739
    assert count(discriminator) == 1_053_824


def test_published_sngan_widths_at_128():
    """64 to 1024 in Miyato et al. 2018 for ImageNet; here 4 to 64."""
    options = {"width": 4, "max_width": 64}
    generator = build("resnet_generator", (3, 128, 128), **options)
    discriminator = build("resnet_discriminator", (3, 128, 128), flat_blocks=1, **options)
    assert generator.seed_shape == (64, 4, 4)
    assert [block.conv2.out_channels for block in generator.blocks] == [64, 32, 16, 8, 4]
    assert [block.conv2.out_channels for block in discriminator.blocks] == [4, 8, 16, 32, 64, 64]
    assert [block.halves for block in discriminator.blocks] == [True] * 5 + [False]


def test_dcgan_equals_the_layers_of_the_example():
    """A 1x1 transposed convolution and a 4x4 one without padding are our linear layers."""
    generator = build("dcgan_generator", (3, 64, 64), width=8).eval()
    discriminator = build("dcgan_discriminator", (3, 64, 64), width=8).eval()
    latent = torch.randn(2, 100)
    first = nn.ConvTranspose2d(100, 64, 4, 1, 0, bias=False)
    last = nn.Conv2d(64, 1, 4, 1, 0, bias=False)
    with torch.no_grad():
        first.weight.copy_(generator.seed.weight.T.view(100, 64, 4, 4))
        last.weight.copy_(discriminator.head.logit.weight.view(1, 64, 4, 4))
    h = first(latent[:, :, None, None])
    torch.testing.assert_close(h, generator.seed(latent).view(-1, 64, 4, 4))
    torch.testing.assert_close(last(h).flatten(), discriminator.head(h.flatten(1), None))


@pytest.mark.parametrize("side", ["generator", "discriminator"])
def test_dcgan_initialization(side):
    network = build(f"dcgan_{side}", (3, 64, 64))
    for module in network.modules():
        if isinstance(module, LAYERS):
            n = module.weight.numel()  # the standard error of a deviation is std / sqrt(2 n)
            assert module.weight.mean().abs() < 5 * 0.02 / math.sqrt(n)
            assert abs(module.weight.std().item() - 0.02) < 5 * 0.02 / math.sqrt(2 * n)
            assert module.bias is None
        if isinstance(module, nn.BatchNorm2d):
            assert abs(module.weight.mean().item() - 1) < 0.02
            assert 0.01 < module.weight.std() < 0.03
            assert module.bias.abs().max() == 0


def test_residual_initialization():
    block = build("resnet_generator", (3, 32, 32)).blocks[0]
    for layer, gain in ((block.conv1, 2**0.5), (block.conv2, 2**0.5), (block.shortcut, 1)):
        fans = (layer.in_channels + layer.out_channels) * layer.kernel_size[0] ** 2
        assert layer.weight.std().item() == pytest.approx(gain * math.sqrt(2 / fans), rel=0.05)
        assert layer.bias.abs().max() == 0


def test_layers_without_a_norm_have_biases():
    for side in ("generator", "discriminator"):
        network = build(f"dcgan_{side}", (1, 32, 32), norm="none", width=8)
        layers = [module for module in network.modules() if isinstance(module, LAYERS)]
        assert layers
        assert all(layer.bias is not None for layer in layers)


def test_cheaper_order_of_shortcuts_changes_nothing():
    """As published: convolve after doubling, average after convolving."""
    x = torch.randn(2, 8, 8, 8)
    up = build("resnet_generator", (3, 16, 16), width=8, norm="none").blocks[0]
    doubled = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    residual = up.conv2(torch.relu(up.conv1(torch.relu(doubled))))
    torch.testing.assert_close(up(x, None), residual + up.shortcut(doubled))
    down = build("resnet_discriminator", (3, 32, 32), width=8).blocks[1]
    residual = down.conv2(torch.relu(down.conv1(torch.relu(x))))
    halved = (residual + down.shortcut(x)).unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5))
    torch.testing.assert_close(down(x), halved)


def test_sum_pooling_is_the_mean_times_the_positions():
    mean, total = (
        build("resnet_discriminator", (3, 32, 32), width=8, head_bias=False, pooling=pooling)
        for pooling in ("mean", "sum")
    )
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(total(x), 8 * 8 * mean(x))


@pytest.mark.parametrize(("family", "norm"), CASES)
def test_precision_layout_and_copies(family, norm):
    generator = build(f"{family}_generator", (3, 16, 16), width=8, norm=norm)
    discriminator = build(
        f"{family}_discriminator", (3, 16, 16), width=8, norm=norm, spectral_norm=True
    )
    latent = torch.randn(4, generator.latent_dim)
    reference = generator(latent)
    torch.testing.assert_close(copy.deepcopy(generator)(latent), reference)
    discriminator(reference)
    copied = copy.deepcopy(discriminator).eval()
    torch.testing.assert_close(copied(reference), discriminator.eval()(reference))
    discriminator.train()
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(generator(latent), reference, atol=1e-5, rtol=1e-4)
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", dtype):
            image = generator(latent)
            logits = discriminator(image)
        assert logits.dtype == dtype
        torch.testing.assert_close(image.float(), reference, atol=0.15, rtol=0)
        logits.float().sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in generator.parameters())


@pytest.mark.parametrize("spectral_norm", [False, True])
@pytest.mark.parametrize(("family", "norm"), [case for case in CASES if case[1] != "batch"])
def test_penalties_can_differentiate_twice(family, norm, spectral_norm):
    """The parameter gradient of R1 from func.vjp in train mode, against finite differences.

    The ends are evaluated in eval mode: spectral norm then keeps the vectors of the pass before.
    """
    network = build(
        f"{family}_discriminator", (2, 8, 8), 3, width=4, norm=norm, conditioning="projection",
        spectral_norm=spectral_norm,
    ).double()  # fmt: skip
    x, label = torch.randn(3, 2, 8, 8, dtype=torch.float64), torch.tensor([0, 2, 1])

    def penalty() -> torch.Tensor:
        logits, pull = torch.func.vjp(lambda image: network(image, label), x)
        return pull(torch.ones_like(logits))[0].square().sum() + logits.sum()

    penalty().backward()
    parameters = [p for p in network.parameters() if p.grad is not None]
    direction = [torch.randn_like(p) for p in parameters]
    slope = sum((p.grad * d).sum() for p, d in zip(parameters, direction, strict=True))
    network.eval()
    ends = []
    with torch.no_grad():
        for step in (1e-6, -2e-6):
            torch._foreach_add_(parameters, direction, alpha=step)
            ends.append(penalty())
    assert ((ends[0] - ends[1]) / 2e-6).item() == pytest.approx(slope.item(), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("norm", ["layer", "instance", "none"])
def test_norms_that_keep_samples_apart(family, norm):
    if (family, norm) == ("mlp", "instance"):
        pytest.skip("refused")
    network = build(f"{family}_discriminator", (2, 16, 16), width=8, norm=norm)
    x = torch.randn(5, 2, 16, 16)
    together, alone = network(x), torch.cat([network(part) for part in x.split(1)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_spectral_norm_is_one(family):
    discriminator = build(
        f"{family}_discriminator", (3, 16, 16), 4, width=8, spectral_norm=True, norm="none",
        conditioning="projection",
    )  # fmt: skip
    x, label = torch.randn(2, 3, 16, 16), torch.tensor([1, 3])
    for _ in range(300):
        discriminator(x, label)
    matrices = [m.weight.flatten(1) for m in discriminator.modules() if isinstance(m, LAYERS)]
    assert len(matrices) > 3
    for matrix in matrices:
        assert torch.linalg.matrix_norm(matrix, 2).item() == pytest.approx(1, abs=2e-3)


def test_layer_norm_is_torchs_layer_norm():
    x, maps = torch.randn(4, 6), torch.randn(4, 6, 5, 5)
    vectors = nn.functional.layer_norm(x, (6,))
    torch.testing.assert_close(Normalize("layer", 6, maps=False)(x), vectors)
    torch.testing.assert_close(
        Normalize("layer", 6)(maps), nn.functional.layer_norm(maps, (6, 5, 5))
    )


@pytest.mark.parametrize(
    ("side", "seed", "levels"), [(8, 4, 1), (28, 7, 2), (32, 4, 3), (36, 9, 2), (96, 6, 4)]
)
def test_pyramid(side, seed, levels):
    size = pyramid(image_spec((1, side, side)))
    assert (size.seed, size.levels) == ((seed, seed), levels)


@settings(deadline=None)
@given(st.integers(1, 600), st.integers(1, 600))
def test_sizes_are_taken_or_answered_with_sizes_that_are(height, width):
    spec = image_spec((3, height, width))
    if refusal(spec) is None:
        size = pyramid(spec)
        assert size.levels >= 1
        assert tuple(side << size.levels for side in size.seed) == (height, width)
        return
    for h, w in zip(nearest_sizes(height), nearest_sizes(width), strict=True):
        assert f"{h} x {w}" in str(refusal(spec))
        assert refusal(image_spec((3, h, w))) is None


def refusal(spec: Spec) -> ConfigError | None:
    try:
        pyramid(spec)
    except ConfigError as error:
        return error
    return None


@pytest.mark.parametrize("family", ["dcgan", "resnet"])
@pytest.mark.parametrize("side", ["generator", "discriminator"])
@pytest.mark.parametrize("shape", [(3, 31, 31), (1, 50, 50), (1, 4, 4), (3, 9, 32)])
def test_other_sizes_are_refused_with_sizes(family, side, shape):
    with pytest.raises(ConfigError, match=r"resize to \d+ x \d+"):
        build(f"{family}_{side}", shape)


@pytest.mark.parametrize(("kind", "model"), [("audio", "wavegan"), ("tokens", "seqgan")])
def test_networks_of_images_lead_to_those_of_other_kinds(kind, model):
    field = Field(kind, (1, 64), sample_rate=8000, vocabulary=("a", "b"))
    assert f"use model={model}" in str(refusal(Spec({"real": field}, "real")))


def test_refusals_name_key_and_remedy():
    refused = {
        "use model=mlp": ("dcgan_generator", (2,), {}),
        "width: must be at least 1, got 0": ("mlp_discriminator", (2,), {"width": 0}),
        "latent_dim: must be at least 1": ("dcgan_generator", (1, 8, 8), {"latent_dim": 0}),
        "set norm=layer": ("mlp_discriminator", (2,), {"norm": "instance"}),
        "max_width: 64 is below width=128": (
            "resnet_generator", (3, 32, 32), {"max_width": 64},
        ),
    }  # fmt: skip
    for advice, (name, shape, options) in refused.items():
        with pytest.raises(ConfigError, match=advice):
            build(name, shape, **options)
