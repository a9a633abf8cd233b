"""BiGAN: what its encoder minimizes, its cycles, its previews, what it refuses, exact resume."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gan_cli.data.sets import datasets
from gan_cli.data.spec import image_spec
from gan_cli.games.draw import draw_all
from gan_cli.games.request import Request
from gan_cli.losses import losses, penalties
from gan_cli.losses.objective import Objective
from gan_cli.networks import networks
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, built, composed, names, small, tensors_of, trained

WIDTHS = tuple(
    f"model.networks.{role}.width=8" for role in ("generator", "encoder", "discriminator")
)
MLP = ("model=bigan_mlp", "every.preview=2", *WIDTHS)
FAMILIES = ("mlp", "dcgan", "resnet")
SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 48, 32)]
REAL, FAKE = torch.randn(2, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def build(name: str, **options):
    return losses.build({"name": name, **options}, where="loss.adversarial")


def game_of(*overrides: str):
    return built(small("model=bigan", *WIDTHS, *overrides))


# ---- What the encoder minimizes


def test_encoder_losses_are_cross_entropies_and_squares():
    bce = F.binary_cross_entropy_with_logits
    ones, zeros = torch.ones_like(REAL), torch.zeros_like(REAL)
    torch.testing.assert_close(build("nonsaturating").encoder(REAL), bce(REAL, zeros))
    torch.testing.assert_close(build("minimax").encoder(REAL), -bce(REAL, ones))
    for a, b, c, target in ((0.0, 1.0, 1.0, 0.0), (-1.0, 1.0, 0.0, 0.0)):
        expected = F.mse_loss(REAL, target * ones) / 2
        torch.testing.assert_close(build("least_squares", a=a, b=b, c=c).encoder(REAL), expected)


UNPAIRED = sorted(name for name in losses.entries if not losses.entries[name].paired)
DIVERGENCES = [name for name in UNPAIRED if name.startswith("f_")]


@pytest.mark.parametrize("name", DIVERGENCES)
def test_minimax_players_descend_what_the_critic_ascends(name):
    loss = build(name, generator="minimax")
    real, fake = REAL / 4, FAKE / 4  # the exponentials of some stay moderate
    torch.testing.assert_close(loss.encoder(real) + loss.generator(fake), loss.bound(real, fake))


@pytest.mark.parametrize("name", [*DIVERGENCES, "nonsaturating", "wasserstein"])
def test_nonsaturating_players_play_the_critic_with_labels_exchanged(name):
    options = {"generator": "nonsaturating"} if name in DIVERGENCES else {}
    loss, real, fake = build(name, **options), REAL / 4, FAKE / 4
    exchanged = loss.critic(fake, real)
    torch.testing.assert_close(loss.encoder(real) + loss.generator(fake), exchanged)


@pytest.mark.parametrize("name", sorted(losses.entries))
def test_every_loss_lowers_the_real_logits_and_raises_the_fake_ones(name):
    """One step of gradient descent on what the player minimizes closes the critic's lead."""
    objective = Objective(build(name), {})
    real, fake = torch.full((4,), 0.3, requires_grad=True), torch.full((4,), -0.3)
    fake.requires_grad_(True)
    terms = objective.encoder_terms(lambda logits: logits, real=(real,), fake=(fake,))
    on_real, on_fake = torch.autograd.grad(sum(terms.losses.values()), (real, fake))
    assert (on_real > 0).all()
    assert (on_fake < 0).all()


def test_a_loss_that_knows_no_encoder_is_refused():
    class Gap:
        paired = False

        def critic(self, real, fake):
            return fake.mean() - real.mean()

        def generator(self, fake, real=None):
            return -fake.mean()

        def estimate(self, real, fake):
            return {}

    with pytest.raises(ConfigError, match=r"Gap does not define .* encoder\(real\)"):
        Objective(Gap(), {}).check_encodes()


def test_penalties_see_the_gradient_of_the_whole_pair():
    """Of the critic a . x + b . z it is (a, b), whatever the pair."""
    a, b = torch.randn(1, 2, 3, 3), torch.randn(1, 5)
    pair = (torch.randn(4, 2, 3, 3), torch.randn(4, 5))
    objective = Objective(build("wasserstein"), {"r1": penalties.entries["r1"]()})

    def critic(image, latent):
        return (a * image).sum((1, 2, 3)) + (b * latent).sum(1)

    objective.schedule(0)
    terms = objective.critic_terms(critic, pair, pair, ("r1",))
    expected = 10 / 2 * (a.square().sum() + b.square().sum())
    torch.testing.assert_close(terms.losses["r1"], expected)


# ---- The game


@pytest.mark.parametrize("p", [1, 2])
def test_cycles_are_mean_absolute_or_squared_errors(p):
    game = game_of("model.game.lambda_x=3", "model.game.lambda_z=0.5", f"model.game.p={p}")
    game.networks.eval()
    generator, encoder = game.networks["generator"], game.networks["encoder"]
    real, latent = torch.rand(4, *datasets_shape()), torch.randn(4, 64)
    terms = game.cycle_terms(real, encoder(real), latent, generator(latent)).losses
    error = {1: F.l1_loss, 2: F.mse_loss}[p]
    torch.testing.assert_close(terms["reconstruction_x"], 3 * error(generator(encoder(real)), real))
    torch.testing.assert_close(
        terms["reconstruction_z"], error(encoder(generator(latent)), latent) / 2
    )


def datasets_shape() -> tuple[int, ...]:
    config = small("model=bigan")
    return datasets.build(config.dataset, where="dataset").spec.shape


def test_without_weights_there_are_no_cycles():
    game = game_of()
    batch = {"real": torch.rand(4, *datasets_shape()) * 2 - 1}
    assert set(game.generator_loss(batch).losses) == {"adversarial", "adversarial_encoder"}


@pytest.mark.parametrize("loss", ["nonsaturating", "wgan_gp", "r3gan"])
@pytest.mark.parametrize("model", [name for name in names("model") if name.startswith("bigan")])
def test_every_network_moves(model, loss, tmp_path):
    config = small(f"model={model}", f"loss={loss}", *WIDTHS, "steps=1")
    before, after = built(config), trained(config, tmp_path).game
    for role, network in before.networks.items():
        pairs = zip(network.parameters(), after.networks[role].parameters(), strict=True)
        assert any(not torch.equal(a, b) for a, b in pairs), role


def test_vectors_play_too(tmp_path):
    tree = composed(*(key for key in SMALL if "dataset" not in key), "dataset=ring", *MLP)
    run = trained(validate(tree), tmp_path)
    pictures = {path.name for path in (tmp_path / "samples").iterdir()}
    drawn = {name for name in pictures if not name.startswith("real")}
    assert len(drawn) == 2
    assert pictures - drawn == {"real-0000000.png"}
    (shown,) = run.game.preview({"real": torch.randn(5, 2)}).values()
    assert [part.shape for part in shown] == [(5, 2), (5, 2)]


def test_previews_show_each_real_image_beside_its_reconstruction():
    game = game_of()
    game.networks.eval()
    real = torch.rand(6, *datasets_shape()) * 2 - 1
    shown = game.preview({"real": real})
    assert set(shown) == {"reconstructions"}
    left, right = shown["reconstructions"]
    assert torch.equal(left, real)
    latents = game.networks["encoder"](real)
    torch.testing.assert_close(right, game.networks["generator"](latents))
    assert draw_all(game, Request(range(6))).shape == real.shape


@pytest.mark.parametrize(("loss", "stochastic"), [("nonsaturating", "true"), ("wgan_gp", "false")])
def test_8_steps_are_4_and_4(loss, stochastic, tmp_path):
    settings = (
        *("model=bigan", f"loss={loss}", *WIDTHS, "batch_size=4", "every.checkpoint=4"),
        *(f"model.networks.encoder.stochastic={stochastic}", "model.game.lambda_x=1"),
    )
    straight = trained(small(*settings, "steps=8", "every.checkpoint=0"), tmp_path / "straight")
    trained(small(*settings, "steps=4"), tmp_path / "parts")
    resumed = trained(small(*settings, "steps=8"), tmp_path / "parts")
    left, right = tensors_of(straight), tensors_of(resumed)
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert any(name.startswith("average.encoder.") for name in left)


def test_reduced_precision_and_accumulation_stay_finite(tmp_path):
    settings = ("device.precision=bfloat16", "accumulate=2", "model.game.lambda_z=1", "loss=r1")
    run = trained(small("model=bigan", *WIDTHS, *settings), tmp_path)
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())


@pytest.mark.parametrize(
    ("override", "advice"),
    [
        ("model.networks.encoder.latent_dim=7", r"encoder\.latent_dim: is 7, .* is 64; set it to"),
        ("model.game.lambda_x=-1", r"lambda_x: must be 0 or more, got -1"),
        ("model.game.p=3", r"model\.game\.p: unknown value '3'"),
        (
            "model.networks.generator.conditioning=concat",
            "'bigan' passes no labels to its networks",
        ),
    ],
)
def test_what_cannot_work_is_refused(override, advice):
    with pytest.raises(ConfigError, match=advice):
        game_of(override)


def test_an_encoder_is_needed():
    tree = composed(*SMALL, "model=bigan")
    del tree.model.networks["encoder"]
    with pytest.raises(ConfigError, match=r"model\.networks\.encoder: missing"):
        validate(tree)


# ---- Its networks


def network(name: str, shape: tuple[int, ...], **options) -> nn.Module:
    torch.manual_seed(0)
    return networks.build({"name": name, **options}, image_spec(shape), where="model.networks.it")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(family, shape):
    encoder = network(f"{family}_encoder", shape, width=4, latent_dim=7)
    critic = network(f"{family}_joint_discriminator", shape, width=4, latent_dim=7)
    image, latent = torch.randn(3, *shape), torch.randn(3, 7)
    assert encoder(image).shape == (3, 7)
    assert critic(image, latent).shape == (3,)
    assert critic.features(image, latent).ndim == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_a_critic_of_pairs_looks_at_both(family):
    critic = network(f"{family}_joint_discriminator", (1, 16, 16), width=4, latent_dim=7)
    image, latent = torch.randn(3, 1, 16, 16, requires_grad=True), torch.randn(3, 7)
    latent.requires_grad_(True)
    gradients = torch.autograd.grad(critic(image, latent).sum(), (image, latent))
    assert all((gradient != 0).any() for gradient in gradients)


def test_spectral_norm_holds_every_layer_of_a_critic_of_pairs():
    for family in FAMILIES:
        critic = network(
            f"{family}_joint_discriminator", (1, 16, 16), width=4, norm="none", spectral_norm=True
        )
        layers = [m for m in critic.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        assert all(nn.utils.parametrize.is_parametrized(layer, "weight") for layer in layers)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_stochastic_encoder_draws_what_it_says(family):
    options = {"norm": "none", "width": 4, "latent_dim": 3, "stochastic": True}
    encoder = network(f"{family}_encoder", (1, 16, 16), **options)
    image = torch.randn(1, 1, 16, 16)
    features = encoder.trunk(image)
    mean, variance = encoder.mean(features), encoder.log_variance(features).exp()
    drawn = encoder(image.expand(4_000, -1, -1, -1))
    deviation = (variance / 4_000).sqrt()
    assert ((drawn.mean(0) - mean).abs() < 5 * deviation).all()
    torch.testing.assert_close(drawn.var(0), variance[0], rtol=0.12, atol=0)
    torch.testing.assert_close(encoder.eval()(image), mean)
