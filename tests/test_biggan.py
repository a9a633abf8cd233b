"""BigGAN: published sizes, self-attention, norm layers with conditions, initialization, recipes."""

import math

import pytest
import torch
from torch import nn

from gan_cli.data.spec import image_spec
from gan_cli.games.freezing import blocks_of
from gan_cli.networks import networks
from gan_cli.networks.layers.attention import SelfAttention
from gan_cli.networks.layers.conditional_norm import Condition, ConditionalNorm
from gan_cli.networks.layers.initialization import initialize_weights
from gan_cli.networks.layers.latent import draw_latent
from gan_cli.networks.layers.norm import apply_spectral_norm
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import composed

CPU = torch.device("cpu")
LABELS = {"generator": "batch_norm", "discriminator": "projection"}


def build(side: str, shape: tuple[int, ...], classes: int = 0, **options) -> nn.Module:
    torch.manual_seed(0)
    node = {"name": f"biggan_{side}", "width": 2, **options}
    return networks.build(node, image_spec(shape, classes), where="model.networks.it")


def labelled(side: str, size: int, classes: int, **options) -> nn.Module:
    return build(side, (3, size, size), classes, conditioning=LABELS[side], **options)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_published_parameter_counts_at_128():
    """github.com/google/compare_gan, architectures/resnet_biggan_test.py."""
    options = {"width": 96, "attention": 64, "spectral_norm": False}
    with torch.device("meta"):
        generator = labelled("generator", 128, 1000, latent_dim=120, **options)
        discriminator = labelled("discriminator", 128, 1000, **options)
    assert count(generator) == 70_433_988
    assert count(discriminator) == 87_982_370


def recipe_network(recipe: str, side: str, size: int, classes: int) -> nn.Module:
    path = () if recipe.startswith("cifar10") else ("dataset.path=images",)
    config = composed("run=x", f"experiment={recipe}", *path)
    node = dict(config["model"]["networks"][side], spectral_norm=False)
    with torch.device("meta"):
        return networks.build(node, image_spec((3, size, size), classes), where="it")


def test_recipe_of_cifar10_has_the_layers_of_the_authors_code():
    """Added up layer by layer; the authors' count of the generator is "about 4.3M"."""
    block = 2 * (9 * 256 * 256 + 256) + 256 * 256 + 256
    norms = 4 * 10 * 256  # gain and bias of two layers for ten classes
    seed, image = 128 * 4096 + 4096, 2 * 256 + 9 * 256 * 3 + 3
    generator = seed + 3 * (block + norms) + image
    first = 9 * 3 * 256 + 256 + 9 * 256 * 256 + 256 + 3 * 256 + 256
    discriminator = first + block + 2 * (block - 256 * 256 - 256) + 256 + 1 + 10 * 256
    assert count(recipe_network("cifar10_biggan", "generator", 32, 10)) == generator == 4_304_387
    assert count(recipe_network("cifar10_biggan", "discriminator", 32, 10)) == discriminator


def test_recipe_of_imagenet_has_the_published_networks():
    for side, expected in {"generator": 70_433_988, "discriminator": 87_982_370}.items():
        assert count(recipe_network("imagenet128_biggan", side, 128, 1000)) == expected


@pytest.mark.parametrize("recipe", ["cifar10_biggan", "imagenet128_biggan"])
def test_recipes_average_with_a_decay_of_0_9999(recipe):
    path = () if recipe == "cifar10_biggan" else ("dataset.path=images",)
    config = validate(composed("run=x", f"experiment={recipe}", *path))
    decay = 0.5 ** (config.batch_size / config.ema.half_life(0))
    assert decay == pytest.approx(0.9999, abs=1e-7)


# Brock et al. 2019, Tables 4 to 9 in units of ch: outputs of the blocks
WIDTHS = {
    64: ((16, 8, 4, 2), (1, 2, 4, 8, 16)),
    128: ((16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 16)),
    256: ((16, 8, 8, 4, 2, 1), (1, 2, 4, 8, 8, 16, 16)),
    512: ((16, 8, 8, 4, 2, 1, 1), (1, 1, 2, 4, 8, 8, 16, 16)),
}


@pytest.mark.parametrize("size", WIDTHS)
def test_published_widths(size):
    with torch.device("meta"):
        generator = build("generator", (3, size, size), width=3, spectral_norm=False)
        discriminator = build("discriminator", (3, size, size), width=3, spectral_norm=False)
    found = [
        tuple(block.conv2.out_channels // 3 for block in net.blocks)
        for net in (generator, discriminator)
    ]
    assert tuple(found) == WIDTHS[size]
    assert [block.halves for block in discriminator.blocks] == [True] * (len(found[1]) - 1) + [
        False
    ]


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 28, 28), (3, 32, 32), (3, 48, 32), (4, 64, 64)])
@pytest.mark.parametrize("classes", [0, 3])
def test_sizes_with_and_without_labels(shape, classes):
    options = {side: {"conditioning": LABELS[side]} if classes else {} for side in LABELS}
    generator = build("generator", shape, classes, width=1, latent_dim=9, **options["generator"])
    discriminator = build("discriminator", shape, classes, width=1, **options["discriminator"])
    labels = (torch.tensor([0, 1, 2]),) if classes else ()
    image = generator(draw_latent(generator, 3, CPU), *labels)
    assert image.shape == (3, *shape)
    assert image.abs().max() <= 1
    assert discriminator(image, *labels).shape == (3,)


@pytest.mark.parametrize("hierarchical", [True, False])
@pytest.mark.parametrize("shared_dim", [4, None])
def test_samples_depend_on_label_and_latent(hierarchical, shared_dim):
    options = {"hierarchical": hierarchical, "shared_dim": shared_dim, "latent_dim": 8}
    generator = labelled("generator", 16, 5, **options)
    latent, label = torch.randn(5, 8), torch.arange(5)
    sample = generator(latent, label)
    torch.testing.assert_close(sample, generator(latent, label))
    assert (sample - generator(latent, (label + 1) % 5)).abs().mean() > 1e-3
    assert (sample - generator(latent.flip(0), label)).abs().mean() > 1e-3


def test_each_part_of_the_latent_enters_its_block():
    generator = build("generator", (3, 32, 32), latent_dim=8).eval()  # four parts of two numbers
    outputs: list[torch.Tensor] = []
    for block in generator.blocks:
        block.register_forward_hook(lambda _, __, output: outputs.append(output))
    latent = torch.randn(1, 8)
    generator(latent)
    before = outputs[:]
    for part in range(4):
        outputs.clear()
        changed = latent.clone()
        changed[0, 2 * part] += 1
        generator(changed)
        moved = [not torch.equal(a, b) for a, b in zip(before, outputs, strict=True)]
        first = max(part - 1, 0)  # part 0 is that of the linear layer
        assert moved == [i >= first for i in range(3)]


def test_a_latent_that_is_no_multiple_is_split_nearly_evenly():
    assert build("generator", (3, 32, 32), latent_dim=10).parts == [3, 3, 2, 2]
    with pytest.raises(ConfigError, match="latent_dim: 3 cannot be split into 4 parts"):
        build("generator", (3, 32, 32), latent_dim=3)


def test_self_attention_is_the_weighted_mean_of_values():
    layer = SelfAttention(1)
    q, k, v, o = 0.5, -2.0, 3.0, 0.25
    convolutions = (layer.query, layer.key, layer.value, layer.output)
    for conv, weight in zip(convolutions, (q, k, v, o), strict=True):
        nn.init.constant_(conv.weight, weight)
    x = torch.randn(2, 1, 2, 6)
    torch.testing.assert_close(layer(x), x)  # gamma is 0 at the start
    nn.init.constant_(layer.gamma, 2.0)
    found = layer(x)
    for n in range(2):
        windows = [x[n, 0, :, 2 * j : 2 * j + 2].flatten().tolist() for j in range(3)]
        keys = [max(k * a for a in w) for w in windows]
        values = [max(v * a for a in w) for w in windows]
        for row in range(2):
            for column in range(6):
                a = x[n, 0, row, column].item()
                weights = [math.exp(q * a * key) for key in keys]
                mean = sum(w * b for w, b in zip(weights, values, strict=True)) / sum(weights)
                assert found[n, 0, row, column].item() == pytest.approx(a + 2 * o * mean, rel=1e-4)


def test_self_attention_is_twice_differentiable():
    torch.manual_seed(0)
    layer = SelfAttention(2).double()
    nn.init.ones_(layer.gamma)
    x = torch.randn(1, 2, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(layer, (x,))


@pytest.mark.parametrize("family", ["biggan", "resnet"])
def test_attention_is_where_the_maps_have_the_side(family):
    for side, expected in (("generator", [8, 16, 32]), ("discriminator", [16, 8])):
        for i, size in enumerate(expected):
            net = networks.build(
                {"name": f"{family}_{side}", "width": 2, "attention": size},
                image_spec((3, 32, 32)),
                where="it",
            )
            seen: list[torch.Size] = []
            layer = net.attentions[i]
            layer.register_forward_hook(lambda _, args, __, seen=seen: seen.append(args[0].shape))
            net(torch.randn(2, *((128,) if side == "generator" else (3, 32, 32))))
            assert isinstance(layer, SelfAttention)
            assert max(seen[0][2:]) == size
            assert sum(isinstance(m, SelfAttention) for m in net.modules()) == 1
    with pytest.raises(ConfigError, match="attention: no block has maps of side 12; type 8 or 16"):
        networks.build(
            {"name": f"{family}_generator", "width": 2, "attention": 12},
            image_spec((3, 32, 32)),
            where="it",
        )


def test_frozen_blocks_contain_their_attention():
    discriminator = build("discriminator", (3, 32, 32), attention=8)
    assert any(isinstance(module, SelfAttention) for module in blocks_of(discriminator)[1])


def test_gain_and_bias_are_linear_in_vector_and_label():
    norm = ConditionalNorm("none", 2, 2, 3)
    linear = (norm.gain.weight, norm.bias.weight, norm.gains.weight, norm.biases.weight)
    nothing = [0, 0]
    tables = ([nothing, [5, 6], nothing], [nothing, [7, 8], nothing])
    for weight, value in zip(linear, ([[1, 0], [0, 2]], [[0, 1], [1, 0]], *tables), strict=True):
        weight.data = torch.tensor(value, dtype=torch.float32)
    x = torch.full((1, 2, 1, 1), 10.0)
    found = norm(x, Condition(torch.tensor([[3.0, 4.0]]), torch.tensor([1])))
    # gains 1 + (3, 8) + (5, 6), biases (4, 3) + (7, 8)
    assert found.flatten().tolist() == [10 * 9 + 11, 10 * 15 + 11]


@pytest.mark.parametrize("side", ["generator", "discriminator"])
def test_orthogonal_weights_and_zero_biases(side):
    for name, weight in build(side, (3, 32, 32), spectral_norm=False).named_parameters():
        if name.endswith("bias") and weight.ndim == 1:
            assert not weight.any()
        elif weight.ndim > 1:
            flat = weight.flatten(1)
            gram = flat @ flat.T if len(flat) <= flat.shape[1] else flat.T @ flat
            torch.testing.assert_close(gram, torch.eye(len(gram)), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("kind", "deviation"), [("normal", 0.02), ("glorot", 0.1)])
def test_other_initializations(kind, deviation):
    network = nn.Sequential(nn.Linear(100, 100), nn.Embedding(100, 100))
    initialize_weights(network, kind)
    for layer in network:  # of U(-a, a) with a^2 = 6 / 200 the variance is a^2 / 3
        assert layer.weight.std().item() == pytest.approx(deviation, rel=0.05)


@pytest.mark.parametrize("side", ["generator", "discriminator"])
def test_spectral_norm_bounds_all_weights_but_those_of_embeddings(side):
    network = labelled(side, 16, 3, attention=8)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            assert nn.utils.parametrize.is_parametrized(module, "weight")
            assert torch.linalg.matrix_norm(module.weight.flatten(1), 2) <= 1.01
    tables = [m for m in network.modules() if isinstance(m, nn.Embedding)]
    assert len(tables) == (1 if side == "generator" else 0)
    assert not any(nn.utils.parametrize.is_parametrized(table) for table in tables)


def test_spectral_norm_keeps_the_gain_of_attention():
    layer = SelfAttention(8)
    apply_spectral_norm(layer)
    assert isinstance(layer.gamma, nn.Parameter)
    assert layer.gamma.item() == 0
