"""StyleGAN2's networks: published sizes, noise, mixing, the mean style."""

import pytest
import torch

from gan_cli.networks.stylegan2 import W_DECAY
from gan_cli.utils.errors import ConfigError
from tests.stylegan2_networks import SIDES, build, count, shaken

PUBLISHED = [  # options, of each side alone, channels, size, parameters of G and D, styled layers
    ({"max_width": 512, "width": 64}, (512, 8), "resnet", (3, 256), (24_767_458, 24_001_089), 14),
    ({"max_width": 512, "width": 512}, (512, 2), "orig", (3, 32), (19_947_539, 20_720_641), 8),
    ({"max_width": 64, "width": 64}, (64, 2), "resnet", (1, 32), (313_867, 337_153), 8),
]


@pytest.mark.parametrize(
    ("widths", "mapping", "architecture", "image", "counts", "styled"), PUBLISHED
)
def test_parameter_counts(widths, mapping, architecture, image, counts, styled):
    """The published networks for FFHQ at 256 x 256 and CIFAR-10, and a small one."""
    shape, (length, depth) = (image[0], image[1], image[1]), mapping
    own = {"latent_dim": length, "style_dim": length, "mapping_depth": depth}
    with torch.device("meta"):
        generator = build("generator", shape, **widths, **own)
        discriminator = build("discriminator", shape, **widths, architecture=architecture)
    assert (count(generator), count(discriminator)) == counts
    assert generator.styled == styled


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 16, 16), (2, 32, 32), (4, 28, 28), (3, 24, 32)])
@pytest.mark.parametrize("architecture", ["resnet", "orig"])
def test_every_size_and_number_of_channels(shape, architecture):
    generator = build("generator", shape)
    discriminator = build("discriminator", shape, architecture=architecture)
    image = generator(torch.randn(3, 8))
    assert image.shape == (3, *shape)
    assert discriminator(image).shape == (3,)


def test_noise_is_random_in_training_and_an_input_otherwise():
    generator = shaken(build("generator", (3, 16, 16), style_mixing=0.0))
    z = torch.randn(4, 8)
    assert not torch.equal(generator(z), generator(z))
    generator.eval()
    assert torch.equal(generator(z), generator(z))
    noise = torch.randn(4, generator.noise_size)
    assert generator.noise_size == 4**2 + 2 * 8**2 + 2 * 16**2
    noisy = generator(z, None, noise)
    assert not torch.equal(noisy, generator(z))
    torch.testing.assert_close(noisy[1:2], generator(z[1:2], None, noise[1:2]))


def test_noise_has_no_effect_before_training():
    generator = build("generator", (3, 16, 16)).eval()
    z = torch.randn(4, 8)
    assert torch.equal(generator(z, None, torch.randn(4, generator.noise_size)), generator(z))


def test_one_style_until_a_random_layer_and_another_one_after_it():
    generator = build("generator", (3, 16, 16), style_mixing=1.0)
    changes = []
    for _ in range(300):
        styles = generator.styles(torch.randn(3, 8))
        assert styles.shape == (3, generator.styled, 12)
        differs = (styles != styles[:, :1]).any(2)  # (N, styled)
        assert torch.equal(differs, differs[:1].expand(3, -1))
        change = int(differs[0].float().argmax())
        assert differs[0, change:].all()
        changes.append(change)
    shares = torch.tensor(changes).bincount(minlength=generator.styled) / 300
    assert shares[0] == 0
    assert (shares[1:] - 1 / 5).abs().max() < 0.08  # uniform over 1..5


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_share_of_mixed_styles(share):
    generator = build("generator", (3, 8, 8), style_mixing=share)
    z = torch.randn(2, 8)
    mixed = sum(bool((s != s[:, :1]).any()) for s in (generator.styles(z) for _ in range(300)))
    assert mixed / 300 == pytest.approx(share, abs=0.08)
    generator.eval()
    assert not (generator.styles(z) != generator.styles(z)[:, :1]).any()


def test_a_style_changes_only_its_layer_and_those_after_it():
    generator = shaken(build("generator", (3, 16, 16))).eval()
    styles = generator.styles(torch.randn(2, 8))
    other = generator.styles(torch.randn(2, 8))
    inputs: list[torch.Tensor] = []
    for block in generator.blocks:
        for layer in block.layers:
            layer.register_forward_hook(lambda _, __, y: inputs.append(y.detach()))
    for first in range(generator.styled):
        late = torch.arange(generator.styled)[:, None] >= first
        generator.synthesis(styles)
        before = inputs.copy()
        inputs.clear()
        generator.synthesis(torch.where(late, other, styles))
        same = [torch.equal(a, b) for a, b in zip(before, inputs, strict=True)]
        inputs.clear()
        assert same == [index < first for index in range(len(before))]


def test_mean_style_is_the_closed_form_on_a_constant():
    """w_avg after n passes is (1 - decay^n) w, and does not move otherwise."""
    generator = build("generator", (3, 8, 8))
    z = torch.randn(1, 8).expand(4, -1)
    w = generator.mapping(z, None)[0].detach()
    for _ in range(100):
        generator(z)
    torch.testing.assert_close(generator.w_avg, (1 - W_DECAY**100) * w, rtol=1e-4, atol=1e-5)
    before = generator.w_avg.clone()
    generator.eval()(torch.randn(4, 8))
    assert torch.equal(generator.w_avg, before)
    assert "w_avg" in generator.state_dict()


def test_truncation_moves_styles_to_their_mean():
    generator = shaken(build("generator", (3, 16, 16))).eval()
    z = torch.randn(4, 8)
    generator.w_avg.copy_(generator.mapping(torch.randn(500, 8), None).mean(0).detach())
    none, half, whole = (generator(z, truncation=psi) for psi in (0.0, 0.5, 1.0))
    torch.testing.assert_close(none, none[:1].expand(4, -1, -1, -1))
    torch.testing.assert_close(whole, generator(z), rtol=1e-4, atol=1e-5)
    assert none.std(0).max() < half.std(0).mean() < whole.std(0).mean()
    w = generator.mapping(z, None)
    middle = (generator.w_avg + 0.5 * (w - generator.w_avg))[:, None].expand(-1, 6, -1)
    torch.testing.assert_close(half, generator.synthesis(middle), rtol=1e-4, atol=1e-5)


def test_labels_reach_the_image():
    generator = build("generator", (3, 16, 16), 5, conditioning="concat").eval()
    z, label = torch.randn(5, 8), torch.arange(5)
    same, other = generator(z, label), generator(z, (label + 1) % 5)
    assert (same - other).abs().amax((1, 2, 3)).min() > 1e-3


def test_layout_and_precision_change_nothing_but_rounding():
    generator, discriminator = (shaken(build(side, (3, 16, 16))).eval() for side in SIDES)
    z = torch.randn(4, 8)
    image = generator(z).detach()
    logits = discriminator(image).detach()
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(generator(z), image, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(discriminator(image), logits, atol=1e-5, rtol=1e-4)
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", dtype):
            rounded, judged = generator(z), discriminator(image)
        assert rounded.dtype == judged.dtype == torch.float32
        torch.testing.assert_close(rounded, image, atol=0.05 * image.std().item(), rtol=0.05)
        torch.testing.assert_close(judged, logits, atol=0.1 * logits.std().item(), rtol=0.1)


def test_refusals_name_key_and_remedy():
    for side, conditioning in zip(SIDES, ("concat", "projection"), strict=True):
        with pytest.raises(ConfigError, match="needs labels and the data set has none"):
            build(side, (3, 16, 16), conditioning=conditioning)
        with pytest.raises(ConfigError, match="max_width: 8 is below width=16"):
            build(side, (3, 16, 16), width=16, max_width=8)
    for shape in ((3, 31, 31), (1, 4, 4)):
        with pytest.raises(ConfigError, match=r"resize to \d+ x \d+"):
            build("generator", shape)
    for share in (-0.1, 1.1):
        with pytest.raises(ConfigError, match="style_mixing: must be between 0 and 1"):
            build("generator", (3, 16, 16), style_mixing=share)
