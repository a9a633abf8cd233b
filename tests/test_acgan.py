"""AC-GAN: both players classify, and class logits come from the pass that yields the logits."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gan_cli.games.gan import GAN
from gan_cli.losses import losses
from gan_cli.losses.objective import Objective
from gan_cli.losses.penalty import penalties
from tests.helpers import built, small

NARROW = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")


def game_of(*words: str):
    torch.manual_seed(0)
    game = built(small("model=acgan", *NARROW, "model.networks.discriminator.norm=none", *words))
    game.networks.requires_grad_(True).eval()  # spectral norm iterates in train mode
    next(iter(game.turns(0)))  # sets the strengths of the penalties
    count, shape = 6, (1, 16, 16)
    shape = game.networks["generator"](torch.randn(2, 100), torch.zeros(2).long()).shape[1:]
    batch = {"real": torch.rand(count, *shape) * 2 - 1, "label": torch.arange(count) % 3}
    batch["fake"] = game.generate(batch).detach()
    return game, batch


@pytest.mark.parametrize("loss", ["hinge", "r1", "wgan_gp", "r3gan"])
def test_the_discriminator_classifies_real_and_fake_samples(loss):
    """L_C = E[log P(C = c | real)] + E[log P(C = c | fake)]: Equation 3 of Odena et al. 2017."""
    game, batch = game_of(f"loss={loss}", "model.game.classify=[0.5,1.0]")
    critic: nn.Module = game.networks["discriminator"]
    terms = game.discriminator_loss(batch, game.objective.schedule(0))
    log_p = [critic.classify(batch[side]).log_softmax(1) for side in ("real", "fake")]
    right = [p.gather(1, batch["label"][:, None]).mean() for p in log_p]
    expected = -0.5 * (right[0] + right[1])
    torch.testing.assert_close(terms.losses["classification"], expected)
    parameters = list(critic.parameters())
    found = torch.autograd.grad(
        terms.losses["classification"], parameters, retain_graph=True, allow_unused=True
    )
    for a, b in zip(
        found, torch.autograd.grad(expected, parameters, allow_unused=True), strict=True
    ):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert {"real_class_accuracy", "fake_class_accuracy"} <= terms.observed.keys()


def test_the_discriminator_of_wgan_gp_classifies_real_samples_only():
    game, batch = game_of("loss=hinge", "model.game.classify_fakes=false")
    terms = game.discriminator_loss(batch, ())
    logits = game.networks["discriminator"].classify(batch["real"])
    expected = F.cross_entropy(logits, batch["label"])
    torch.testing.assert_close(terms.losses["classification"], expected)


def test_the_generator_is_classified_as_its_labels():
    game, batch = game_of("loss=hinge", "model.game.classify=[1.0,0.1]")
    terms = game.generator_loss(batch)
    logits = game.networks["discriminator"].classify(batch["fake"])
    expected = 0.1 * F.cross_entropy(logits, batch["label"])
    torch.testing.assert_close(terms.losses["classification"], expected)
    terms.losses["classification"].backward()
    assert all(p.grad is not None for p in game.networks["generator"].parameters())


def test_fakes_of_a_generator_without_labels_have_no_class():
    game, batch = game_of("loss=hinge", "model.networks.generator.conditioning=none")
    assert "classification" not in game.generator_loss(batch).losses
    terms = game.discriminator_loss(batch, ())
    expected = F.cross_entropy(
        game.networks["discriminator"].classify(batch["real"]), batch["label"]
    )
    torch.testing.assert_close(terms.losses["classification"], expected)


@pytest.mark.parametrize(("loss", "passes"), [("hinge", 2), ("r1", 2), ("dragan", 3)])
def test_logits_and_classes_share_one_pass(loss, passes, monkeypatch):
    """The critic's turn passes real samples, fakes and the points of a penalty, each once."""
    game, batch = game_of(f"loss={loss}")
    critic, seen = game.networks["discriminator"], []
    features = critic.features

    def counted(image, label):
        seen.append(len(image))
        return features(image, label)

    monkeypatch.setattr(critic, "features", counted)
    game.discriminator_loss(batch, game.objective.schedule(0))
    assert len(seen) == passes
    seen.clear()
    game.generator_loss(batch)
    assert len(seen) == 1


class OwnClassifier(nn.Module):
    """A user's critic, which classifies in a pass of its own."""

    auxiliary = True

    def __init__(self) -> None:
        super().__init__()
        self.score, self.classes = nn.Linear(4, 1), nn.Linear(4, 3)

    def forward(self, sample, label=None):
        return self.score(sample).squeeze(1)

    def classify(self, sample):
        return self.classes(sample)


class OwnGenerator(nn.Module):
    latent_dim, prior, conditional = 4, "normal", True

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(3, 4)

    def forward(self, latent, label=None):
        return latent + self.table(label)


def test_a_users_network_may_classify_in_a_pass_of_its_own():
    networks = nn.ModuleDict({"generator": OwnGenerator(), "discriminator": OwnClassifier()})
    r1 = penalties.build({"name": "r1"}, where="loss.penalties.r1")
    objective = Objective(losses.build({"name": "hinge"}, where="loss"), {"r1": r1})
    game = GAN(networks, objective)
    batch = {"real": torch.randn(5, 4), "label": torch.tensor([0, 1, 2, 0, 1])}
    batch["fake"] = game.generate(batch).detach()
    terms = game.discriminator_loss(batch, objective.schedule(0))
    sides = [networks["discriminator"].classify(batch[side]) for side in ("real", "fake")]
    expected = sum(F.cross_entropy(logits, batch["label"]) for logits in sides)
    torch.testing.assert_close(terms.losses["classification"], expected)
