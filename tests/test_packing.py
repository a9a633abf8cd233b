"""PacGAN's packs and the layers that see a whole batch, against their formulas written out."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from gan_cli.data.spec import vector_spec
from gan_cli.games.gan import GAN
from gan_cli.losses import losses, penalties
from gan_cli.losses.objective import Objective
from gan_cli.networks import networks
from gan_cli.networks.layers.dense import PIECES, maxout
from gan_cli.networks.layers.minibatch import (
    DIMENSIONS,
    KERNELS,
    MinibatchDiscrimination,
    MinibatchStd,
)
from gan_cli.utils.errors import ConfigError
from tests.helpers import names, small, tensors_of, trained

MODELS = ("mlp", "dcgan", "resnet", "r3gan")
WIDTHS = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")


@pytest.mark.parametrize("loss", names("loss"))
def test_packs_go_with_every_loss(loss, tmp_path):
    run = trained(small("model=mlp", f"loss={loss}", *WIDTHS, "model.game.packing=2"), tmp_path)
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())


@pytest.mark.parametrize("model", MODELS)
def test_packs_go_with_every_discriminator(model, tmp_path):
    options = (f"model={model}", *WIDTHS, "loss=r1", "model.game.packing=4", "accumulate=2")
    run = trained(small(*options), tmp_path)
    judge, image = run.game.networks["discriminator"], run.dataset.spec.shape
    packed = torch.zeros(2, 4 * image[0], *image[1:])
    assert judge(packed).shape == (2,)


class Additive(nn.Module):
    """A discriminator of pairs of vectors (a, b): a1 + 2 a2 + 3 b1 + 4 b2."""

    auxiliary = False

    def forward(self, pair, label=None):
        return pair @ torch.tensor([1.0, 2.0, 3.0, 4.0])


def test_a_pack_is_one_sample_of_the_product():
    """Logits, the slope that WGAN-GP holds to 1, and R1 are those of pairs (x1, x2)."""
    terms = {
        name: penalties.build({"name": name, "weight": 1.0}, where="")
        for name in ("gradient_penalty", "r1")
    }
    objective = Objective(losses.build({"name": "wasserstein"}, where=""), terms)
    game = GAN(nn.ModuleDict({"discriminator": Additive()}), objective, packing=2)
    real, fake = torch.tensor([[1.0, 0], [0, 1], [2, 0], [0, 0]]), torch.zeros(4, 2)
    batch = {"real": real, "fake": fake, "label": torch.arange(4)}
    found = game.discriminator_loss(batch, objective.schedule(0))
    slope = math.sqrt(1 + 4 + 9 + 16)
    assert found.observed["real_logits"].item() == pytest.approx(((1 + 4) + 2) / 2)
    assert found.losses["gradient_penalty"].item() == pytest.approx((slope - 1) ** 2, rel=1e-5)
    assert found.losses["r1"].item() == pytest.approx(slope**2 / 2)


def test_channels_of_a_pack_are_those_of_its_samples_in_order():
    game = GAN(nn.ModuleDict({"discriminator": Additive()}), Objective(None, {}), packing=3)
    images = torch.arange(6 * 2 * 2 * 2.0).view(6, 2, 2, 2)
    (packed,) = game.pack(images)
    expected = [torch.cat(list(images[i : i + 3])) for i in (0, 3)]
    torch.testing.assert_close(packed, torch.stack(expected), atol=0, rtol=0)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["batch_size=10", "model.game.packing=4"], "batch_size: packs of 4 .* a multiple of 4"),
        (["accumulate=4", "model.game.packing=4"], "do not divide the 2 samples"),
        (["model.game.packing=0"], "packing: must be at least 1"),
        (["model=cgan", "model.game.packing=2"], "set packing=1, or model.networks.discrim"),
    ],
)
def test_packs_that_do_not_fit_are_refused(overrides, told):
    with pytest.raises(ConfigError, match=told):
        small(*overrides)


def test_deviation_is_numpys():
    x = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)
    joined = MinibatchStd()(torch.from_numpy(x)).numpy()
    np.testing.assert_array_equal(joined[:, :5], x)
    np.testing.assert_allclose(joined[:, 5], x.std(0).mean(), rtol=1e-5)


def test_discrimination_is_the_sum_over_the_batch():
    torch.manual_seed(0)
    layer, x = MinibatchDiscrimination(3), torch.randn(4, 3)
    joined = layer(x)
    tensor = layer.project.weight.T.reshape(3, KERNELS, DIMENSIONS)  # A x B x C of the paper
    matrices = torch.einsum("na,abc->nbc", x, tensor).detach()
    for i in range(4):
        for b in range(0, KERNELS, 17):
            sums = sum(
                math.exp(-sum(abs(float(matrices[i, b, c] - matrices[j, b, c])) for c in range(5)))
                for j in range(4)
            )
            assert joined[i, 3 + b].item() == pytest.approx(sums, rel=1e-4)


@pytest.mark.parametrize("kind", ["std", "discrimination"])
@pytest.mark.parametrize("model", MODELS)
def test_minibatch_layers_play_with_and_without_penalties(model, kind, tmp_path):
    for loss in ("nonsaturating", "wgan_gp", "r3gan"):
        option = f"model.networks.discriminator.minibatch={kind}"
        run = trained(small(f"model={model}", f"loss={loss}", *WIDTHS, option), tmp_path / loss)
        assert all(torch.isfinite(value).all() for value in tensors_of(run).values())


@pytest.mark.parametrize("kind", ["std", "discrimination"])
def test_equal_samples_are_seen_and_differentiated(kind):
    """A collapsed batch: other logits than those of a varied one, and finite second derivatives."""
    torch.manual_seed(0)
    node = {"name": "mlp_discriminator", "minibatch": kind, "width": 8}
    judge = networks.build(node, vector_spec(2), where="")
    one, others = torch.randn(1, 2), torch.randn(7, 2)
    equal = one.expand(8, 2).clone().requires_grad_()
    logits = judge(equal)
    assert (logits[0] - judge(torch.cat([one, others]))[0]).abs() > 1e-3
    (slope,) = torch.autograd.grad(logits.sum(), equal, create_graph=True)
    slope.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in judge.parameters())


def test_maxout_is_the_largest_of_its_pieces():
    x = torch.arange(2.0 * PIECES * 3).view(2, PIECES * 3).flip(0) % 7
    pieces = [x[:, i * 3 : i * 3 + 3] for i in range(PIECES)]
    torch.testing.assert_close(maxout(x), torch.stack(pieces).max(0).values, atol=0, rtol=0)


def test_published_parameter_counts_of_pacgans_toy_networks():
    """Lin et al. 2018, code: G 4 x (Linear 400, BN), Linear 2; D 3 x maxout(200, 5), Linear 1."""
    config = small("experiment=ring8_paper_pacgan", "dataset=ring", "batch_size=4").model.networks
    generator = networks.build(config["generator"], vector_spec(2), where="")
    judge = networks.build(config["discriminator"], vector_spec(4), where="")
    sizes = [sum(p.numel() for p in network.parameters()) for network in (generator, judge)]
    assert sizes[0] == 2 * 400 + 3 * 400**2 + 4 * 800 + 400 * 2 + 2
    assert sizes[1] == (4 + 1) * 1000 + 2 * (200 + 1) * 1000 + 201
    assert generator.hidden[1].weight.std().item() == pytest.approx(0.02, rel=0.02)
