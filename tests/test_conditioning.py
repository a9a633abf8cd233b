"""Labels reach the output in the way that each paper's equation says."""

import itertools

import pytest
import torch
from torch import nn

import gan_cli
from gan_cli.data.spec import Spec, image_spec
from gan_cli.networks import networks
from gan_cli.networks.layers.norm import Normalize
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, composed, trained

FAMILIES = ("mlp", "dcgan", "resnet")
SPEC = image_spec((2, 16, 16), classes=5)
UNLABELLED = image_spec((2, 16, 16))


def build(name: str, spec: Spec = SPEC, **options) -> torch.nn.Module:
    torch.manual_seed(0)
    return networks.build({"name": name, "width": 8, **options}, spec, where="it")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("conditioning", ["embed", "concat", "batch_norm"])
def test_generator_heeds_the_label(family, conditioning):
    generator = build(f"{family}_generator", conditioning=conditioning)
    for module in generator.modules():  # conditional batch norm starts alike for all labels
        if isinstance(module, Normalize) and module.gain is not None:
            torch.nn.init.normal_(module.gain.weight)
            torch.nn.init.normal_(module.bias.weight)
    latent, label = torch.randn(5, generator.latent_dim), torch.arange(5)
    # Mixed labels: batch norm in train mode would remove one that a whole batch shares.
    one, other = generator(latent, label), generator(latent, (label + 1) % 5)
    assert one.shape == (5, 2, 16, 16)
    assert (one - other).abs().mean() > 1e-3
    torch.testing.assert_close(one, generator(latent, label))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("conditioning", ["concat", "projection"])
def test_discriminator_heeds_the_label(family, conditioning):
    discriminator = build(f"{family}_discriminator", conditioning=conditioning, norm="none")
    x = torch.randn(6, 2, 16, 16)
    one, other = (discriminator(x, torch.full((6,), k)) for k in (1, 2))
    assert one.shape == (6,)
    assert (one != other).all()
    assert not discriminator.auxiliary


@pytest.mark.parametrize(
    "name", [f"{f}_{s}" for f in FAMILIES for s in ("generator", "discriminator")]
)
def test_unconditional_networks_ignore_labels(name):
    network = build(name).eval()
    x = torch.randn(3, 2, 16, 16) if "disc" in name else torch.randn(3, network.latent_dim)
    torch.testing.assert_close(network(x, torch.tensor([0, 1, 2])), network(x), rtol=0, atol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_projection_equals_the_formula(family):
    """Miyato & Koyama 2018, Equation 3: y^T V phi(x) + psi(phi(x)), one sample at a time."""
    network = build(f"{family}_discriminator", conditioning="projection", norm="none").double()
    x, label = torch.randn(5, 2, 16, 16, dtype=torch.float64), torch.tensor([4, 0, 3, 3, 1])
    expected = []
    for image, y in zip(x, label, strict=True):
        phi = network.features(image[None], None)[0]
        psi = network.head.logit.weight[0] @ phi
        if network.head.logit.bias is not None:
            psi = psi + network.head.logit.bias[0]
        onehot = torch.eye(5, dtype=torch.float64)[y]
        expected.append(onehot @ network.head.projection.weight @ phi + psi)
    torch.testing.assert_close(network(x, label), torch.stack(expected))


@pytest.mark.parametrize("family", FAMILIES)
def test_auxiliary_classifier(family):
    network = build(f"{family}_discriminator", conditioning="auxiliary", norm="none")
    x = torch.randn(7, 2, 16, 16)
    assert network.auxiliary
    assert network.classify(x).shape == (7, 5)
    torch.testing.assert_close(network(x, torch.arange(7) % 5), network(x))
    network.classify(x).sum().backward()  # classifier and logit share the features
    assert network.head.logit.weight.grad is None
    shared = [p for n, p in network.named_parameters() if "head" not in n]
    assert all(p.grad is not None for p in shared)


def test_conditional_batch_norm_against_a_loop():
    """Dumoulin et al. 2017, Equation 5, in float64 with plain means and variances."""
    layer = Normalize("batch", 3, classes=4).double()
    torch.nn.init.normal_(layer.gain.weight)
    torch.nn.init.normal_(layer.bias.weight)
    x, label = torch.randn(6, 3, 5, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 3, 0])
    expected = torch.empty_like(x)
    for c in range(3):
        mean = x[:, c].sum() / x[:, c].numel()
        variance = (x[:, c] - mean).square().sum() / x[:, c].numel()
        for n, y in enumerate(label):
            whitened = (x[n, c] - mean) / (variance + 1e-5).sqrt()
            expected[n, c] = layer.gain.weight[y, c] * whitened + layer.bias.weight[y, c]
    torch.testing.assert_close(layer(x, label), expected)


def test_conditional_batch_norm_starts_as_plain_batch_norm():
    x, label = torch.randn(6, 3, 5, 4), torch.arange(6) % 4
    plain = torch.nn.BatchNorm2d(3)
    torch.testing.assert_close(Normalize("batch", 3, classes=4)(x, label), plain(x))


@pytest.mark.parametrize("family", FAMILIES)
def test_conditional_networks_in_bfloat16(family):
    pairs = itertools.zip_longest(
        ("embed", "concat", "batch_norm"), ("concat", "projection", "auxiliary")
    )
    for ours, theirs in pairs:
        generator = build(f"{family}_generator", conditioning=ours)
        discriminator = build(f"{family}_discriminator", conditioning=theirs)
        latent, label = torch.randn(5, generator.latent_dim), torch.arange(5)
        with torch.autocast("cpu", torch.bfloat16):
            logits = discriminator(generator(latent, label), label)
        assert logits.dtype == torch.bfloat16
        logits.float().sum().backward()
        assert all(p.grad is not None for p in generator.parameters())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("side", "conditioning"),
    [
        *(("generator", c) for c in ("embed", "concat", "batch_norm")),
        *(("discriminator", c) for c in ("concat", "projection", "auxiliary")),
    ],
)
def test_conditioning_without_labels_is_refused(family, side, conditioning):
    with pytest.raises(ConfigError, match=rf"'{conditioning}' needs labels.*conditioning=none"):
        build(f"{family}_{side}", UNLABELLED, conditioning=conditioning)


@pytest.mark.parametrize("family", FAMILIES)
def test_conditional_batch_norm_needs_batch_norm(family):
    with pytest.raises(ConfigError, match="needs norm=batch, got 'layer'"):
        build(f"{family}_generator", conditioning="batch_norm", norm="layer")


def test_forgotten_labels_are_noticed():
    for name, conditioning in (
        ("dcgan_generator", "concat"),
        ("dcgan_generator", "batch_norm"),
        ("dcgan_discriminator", "projection"),
        ("dcgan_discriminator", "concat"),
    ):
        network = build(name, conditioning=conditioning)
        x = torch.randn(2, 2, 16, 16) if "disc" in name else torch.randn(2, 100)
        with pytest.raises(AssertionError, match="without labels"):
            network(x)


class Shifted(nn.Module):
    """A user's generator that reads labels and has no option `conditioning`."""

    latent_dim, prior, conditional = 8, "normal", True

    def __init__(self, spec) -> None:
        super().__init__()
        self.table = nn.Embedding(max(spec.classes, 1), spec.shape[0])
        self.body = nn.Linear(8, torch.Size(spec.shape).numel())
        self.shape = spec.shape

    def forward(self, latent, label=None):
        shift = self.table(label).view(-1, self.shape[0], 1, 1)
        return torch.tanh(self.body(latent).view(-1, *self.shape) + shift)


class Projecting(nn.Module):
    """A user's discriminator of the same kind."""

    auxiliary, conditional = False, True

    def __init__(self, spec) -> None:
        super().__init__()
        self.body = nn.Linear(torch.Size(spec.shape).numel(), max(spec.classes, 1))

    def forward(self, sample, label=None):
        return self.body(sample.flatten(1)).gather(1, label[:, None]).squeeze(1)


@pytest.fixture
def own(monkeypatch):
    monkeypatch.setitem(networks.entries, "shifted", Shifted)
    monkeypatch.setitem(networks.entries, "projecting", Projecting)

    def tree(*words: str):
        config = composed(*SMALL, *words)
        config.model.networks.generator = {"name": "shifted"}
        config.model.networks.discriminator = {"name": "projecting"}
        return config

    return tree


def test_a_network_without_the_option_is_conditional_everywhere(own, tmp_path):
    config = validate(own("metrics=classes", "metrics.features=random", "every.checkpoint=2"))
    run = trained(config, tmp_path / "own")
    assert run.game.labelled
    model = gan_cli.load(tmp_path / "own")
    zero, one = (model.sample(seeds=[3, 4], label=label) for label in (0, 1))
    assert not torch.equal(zero, one)
    assert torch.equal(model.sample(seeds=[3, 4], label=[0, 1])[0], zero[0])


def test_it_is_refused_where_there_are_no_labels(own):
    unlabelled, packed, bigan = own(), own("model.game.packing=2"), own("model=bigan")
    unlabelled.dataset = {"name": "celeba"}
    bigan.model.networks.encoder.latent_dim = 8
    for tree, told in (
        (unlabelled, r"networks\.generator\.name: 'shifted' needs labels"),
        (packed, r"discriminator's projecting reads one"),
        (bigan, r"networks\.generator\.name: game 'bigan' passes no labels"),
    ):
        with pytest.raises(ConfigError, match=told):
            validate(tree)
