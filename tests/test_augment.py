"""Augmentations: what critics see of samples, in every turn, and what an adaptive rule keeps."""

import json
import math
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn, optim

from gan_cli.augment import augments
from gan_cli.augment.none import NoAugment
from gan_cli.checkpoints.files import load
from gan_cli.data.kinds import Kind, kinds
from gan_cli.data.spec import Field, sample_spec
from gan_cli.games.bigan import BiGAN
from gan_cli.games.gan import GAN
from gan_cli.games.latent_regressor import LatentRegressor
from gan_cli.games.unrolled import UnrolledGAN
from gan_cli.losses import losses, penalties
from gan_cli.losses.objective import Objective
from gan_cli.training.run import Run
from gan_cli.utils.errors import ConfigError
from tests.helpers import built, small, tensors_of, trained
from tests.test_dann import config_of as dann

NARROW = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
ENCODER = (*NARROW, "model.networks.encoder.width=8")
RING = ("dataset=ring", "dataset.count=64")
PENALTIES = ("gradient_penalty", "dragan", "r1", "r2")
BLIND = ("augment.name=scaled", "augment.factor=0")


class Scaled:
    """Samples times `factor`; notes what it is given."""

    kinds = frozenset({"image", "vector"})
    seen: ClassVar[list[Tensor]] = []
    told: ClassVar[list[dict[str, Tensor]]] = []

    def __init__(self, *, factor: float = 1.0) -> None:
        self.factor = factor

    def __call__(self, samples: Tensor) -> Tensor:
        self.seen.append(samples)
        return samples * self.factor

    def after(self, observed: dict[str, Tensor]) -> None:
        self.told.append(observed)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        assert state == {}


class Adaptive:
    """Adds noise, of which there is more after each turn in which the critic is right."""

    kinds = frozenset({"image", "vector"})

    def __init__(self) -> None:
        self.strength, self.turns = torch.tensor(0.1), 0

    def __call__(self, samples: Tensor) -> Tensor:
        return samples + self.strength * torch.randn_like(samples)

    def after(self, observed: dict[str, Tensor]) -> None:
        self.strength = self.strength * (1 + 0.1 * (observed["pair_accuracy"] - 0.4))
        self.turns += 1

    def state_dict(self) -> dict[str, Any]:
        return {"strength": self.strength, "turns": self.turns}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.strength, self.turns = state["strength"], state["turns"]


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(augments.entries, "scaled", Scaled)
    monkeypatch.setitem(augments.entries, "adaptive", Adaptive)
    Scaled.seen.clear()
    Scaled.told.clear()


# ---- Closed forms


class Generator(nn.Module):
    latent_dim, prior = 2, "normal"

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(2, 2)

    def forward(self, latent, label=None):
        return self.map(latent)


class Encoder(nn.Linear):
    latent_dim = 2


class Slope(nn.Module):
    """A critic of vectors, or of vectors and latents: the inner product with fixed numbers."""

    auxiliary, latent_dim = False, 2

    def __init__(self, *numbers: float) -> None:
        super().__init__()
        self.numbers = nn.Parameter(torch.tensor(numbers))

    def forward(self, x, other=None):
        joined = x if other is None or other.ndim == 1 else torch.cat([x, other], 1)
        return joined @ self.numbers


def objective_of(*names: str) -> Objective:
    terms = {name: penalties.build({"name": name, "weight": 1.0}, where="") for name in names}
    return Objective(losses.build({"name": "wasserstein"}, where=""), terms)


def networks_of(critic: nn.Module) -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict(
        {"generator": Generator(), "encoder": Encoder(2, 2), "discriminator": critic}
    )


CASES = [
    ("gan", 1, (3.0, 4.0)),
    ("gan", 2, (1.0, 2.0, 2.0, 4.0)),
    ("latent_regressor", 1, (3.0, 4.0)),
    ("latent_regressor", 2, (1.0, 2.0, 2.0, 4.0)),
    ("unrolled_gan", 1, (3.0, 4.0)),
    ("unrolled_gan", 2, (1.0, 2.0, 2.0, 4.0)),
    ("bigan", 1, (3.0, 0.0, 4.0, 0.0)),
]
KINDS = {
    "gan": GAN, "bigan": BiGAN, "latent_regressor": LatentRegressor, "unrolled_gan": UnrolledGAN,
}  # fmt: skip


def game_of(name: str, packing: int, numbers: tuple[float, ...], *penalty: str) -> GAN | BiGAN:
    networks = networks_of(Slope(*numbers))
    options = {} if name == "bigan" else {"packing": packing}
    game = KINDS[name](networks, objective_of(*penalty), **options)
    if name == "unrolled_gan":
        game.unroll = 2
        players = networks["discriminator"].parameters()
        game.optimizers = {"discriminator": optim.SGD(players, 0.1)}
    return game


@pytest.mark.parametrize(("name", "packing", "numbers"), CASES)
def test_critics_penalties_differentiate_through_it(name, packing, numbers):
    """Of an inner product with samples scaled by c, the gradient is c times the numbers."""
    game = game_of(name, packing, numbers, *PENALTIES)
    game.augment = Scaled(factor=0.5)
    due = game.objective.schedule(0)
    terms = game.discriminator_loss({"real": torch.randn(8, 2)}, due).losses
    slope = math.hypot(*(0.5 * n for n in numbers))
    if name == "bigan":  # latents are seen as they are
        slope = math.hypot(0.5 * numbers[0], 0.5 * numbers[1], *numbers[2:])
    assert terms["gradient_penalty"].item() == pytest.approx((slope - 1) ** 2, rel=1e-4)
    assert terms["dragan"].item() == pytest.approx((slope - 1) ** 2, rel=1e-4)
    assert terms["r1"].item() == pytest.approx(slope**2 / 2, rel=1e-4)
    assert terms["r2"].item() == pytest.approx(slope**2 / 2, rel=1e-4)
    terms["r1"].backward()  # a second derivative: slope^2 / 2 by a number
    found = game.networks["discriminator"].numbers.grad
    weights = [0.25, 0.25, 1, 1] if name == "bigan" else [0.25] * len(numbers)
    expected = torch.tensor([w * n for w, n in zip(weights, numbers, strict=True)])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("name", "packing", "numbers"), CASES)
def test_real_and_fake_are_seen_through_it(name, packing, numbers):
    game = game_of(name, packing, numbers)
    game.augment = Scaled(factor=3.0)
    real, fake, latents = torch.randn(3, 8, 2)
    if name == "bigan":
        batch = {"real": real, "generated": fake, "latent": latents, "inferred": latents}
        both = [torch.cat([3 * x, latents], 1) for x in (real, fake)]
    else:
        batch = {"real": real, "fake": fake}
        both = [(3 * x).reshape(-1, 2 * packing) for x in (real, fake)]
    observed = game.discriminator_loss(batch, ()).observed
    for side, seen in zip(("real_logits", "fake_logits"), both, strict=True):
        torch.testing.assert_close(observed[side], (seen @ torch.tensor(numbers)).mean())
    assert all(samples.shape == (8, 2) for samples in Scaled.seen)  # one by one, not as packs


@pytest.mark.parametrize(("name", "packing", "numbers"), CASES[:4])
def test_the_generator_learns_through_it(name, packing, numbers):
    """Wasserstein: -mean of c <numbers, G(z)>, over packs."""
    found = {}
    for factor in (1.0, -2.0):
        game = game_of(name, packing, numbers)
        game.augment = Scaled(factor=factor)
        torch.manual_seed(1)
        game.generator_loss({"real": torch.zeros(8, 2)}).losses["adversarial"].backward()
        found[factor] = game.networks["generator"].map.weight.grad
    torch.testing.assert_close(found[-2.0], -2 * found[1.0])
    assert (found[1.0] != 0).any()


def test_both_makers_of_a_bigan_learn_through_it():
    found = {}
    for factor in (1.0, 0.0):
        game = game_of(*CASES[-1])
        game.augment = Scaled(factor=factor)
        torch.manual_seed(1)
        game.generator_loss({"real": torch.ones(8, 2)}).total().backward()
        found[factor] = [game.networks[role] for role in ("generator", "encoder")]
    assert (found[1.0][0].map.weight.grad != 0).any()
    assert (found[0.0][0].map.weight.grad == 0).all()  # no sample is seen
    torch.testing.assert_close(found[0.0][1].weight.grad, found[1.0][1].weight.grad)


def test_unrolled_steps_are_taken_on_what_it_shows():
    """D(x) = w x of c x: K steps take w to w + K lr c (mu - theta), and the generator's -c w theta
    has the slope c^2 K lr (2 theta - mu) - c w."""

    class Point(nn.Module):
        latent_dim, prior = 1, "normal"

        def __init__(self) -> None:
            super().__init__()
            self.theta = nn.Parameter(torch.tensor([[0.7]]))

        def forward(self, latent, label=None):
            return self.theta.expand(len(latent), 1)

    c, w, theta, mu, lr, steps = 1.5, 0.3, 0.7, 2.0, 0.1, 4
    networks = nn.ModuleDict({"generator": Point(), "discriminator": Slope(w)})
    game = UnrolledGAN(networks, objective_of(), unroll=steps)
    game.augment = Scaled(factor=c)
    judge = networks["discriminator"].requires_grad_(False)
    game.optimizers = {"discriminator": optim.SGD(judge.parameters(), lr)}
    game.generator_loss({"real": torch.full((3, 1), mu)}).losses["adversarial"].backward()
    slope = c**2 * steps * lr * (2 * theta - mu) - c * w
    assert networks["generator"].theta.grad.item() == pytest.approx(slope, rel=1e-5)
    assert Scaled.told == []  # the steps ahead are none of the game's own


def test_each_sample_of_a_pack_is_augmented_on_its_own():
    class Numbered(Scaled):
        def __call__(self, samples):
            super().__call__(samples)
            return samples * torch.arange(len(samples)).view(-1, 1, 1, 1)

    game = GAN(networks_of(Slope(1.0)), objective_of(), packing=3)
    game.augment = Numbered()
    images = torch.randn(6, 2, 4, 4)
    (pack,) = game.pack(images)
    numbered = [i * image for i, image in enumerate(images)]
    expected = torch.stack([torch.cat(numbered[:3]), torch.cat(numbered[3:])])
    torch.testing.assert_close(game.augmented(pack), expected)
    assert torch.equal(Scaled.seen[0], images)


def test_an_auxiliary_classifier_sees_it_too():
    game = built(small("model=acgan", *NARROW, *BLIND))
    real = torch.rand(8, 3, 32, 32)
    batch = {"real": real, "label": torch.arange(8) % 4}
    seen = game.networks["discriminator"].eval().classify(torch.zeros_like(real))
    expected = nn.functional.cross_entropy(seen, batch["label"])
    batch["fake"] = torch.rand_like(real)
    found = game.discriminator_loss(batch, ()).losses["classification"]
    torch.testing.assert_close(found, 2 * expected)  # of real samples and of fakes


# ---- Runs


ON_THE_RING = [
    ("model=mlp", *NARROW),
    ("model=mlp", *NARROW, "model.game.packing=2"),
    ("model=mlp", *NARROW, "model.game.name=unrolled_gan", "model.game.unroll=2"),
    ("model=mlp", *NARROW, "model.game.name=unrolled_gan", "model.game.packing=2"),
    (
        *("model=mlp", *ENCODER, "model.game={name: latent_regressor, packing: 2}"),
        "model.networks.encoder={name: mlp_encoder, latent_dim: 64}",
    ),
]


@pytest.mark.parametrize("words", ON_THE_RING)
def test_a_critic_that_is_shown_nothing_is_blind(words, tmp_path):
    """Real and fake look alike to it in every turn, and no gradient penalty finds a slope."""
    gradients = [f"loss.penalties.{name}.weight=1" for name in PENALTIES]
    run = trained(small(*RING, *words, *BLIND, *gradients, "steps=3"), tmp_path)
    for terms in Scaled.told:
        assert terms["real_logits"] == terms["fake_logits"]
        assert terms["pair_accuracy"] == 0.5
    for line in (tmp_path / "metrics.jsonl").read_text().splitlines():
        values = json.loads(line)
        assert values["discriminator/r1"] == values["discriminator/r2"] == 0
        assert values["discriminator/gradient_penalty"] == values["discriminator/dragan"] == 1
    assert len(Scaled.told) == 3
    assert {tuple(samples.shape[1:]) for samples in Scaled.seen} == {(2,)}
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())


@pytest.mark.parametrize(
    "words",
    [
        ("model=dcgan", *NARROW, "model.game.packing=2", "loss=wgan_gp", "accumulate=2"),
        ("model=bigan", *ENCODER, "loss=r1"),
        ("model=latent_regressor", *ENCODER, "model.game.packing=2", "loss=r3gan"),
        ("model=unrolled", *NARROW, "model.game.unroll=2", "loss=r1"),
        ("model=acgan", *NARROW, "loss=dragan"),
        ("model=cgan_projection", *NARROW),
    ],
)
def test_games_of_images_play_with_it(words, tmp_path):
    run = trained(small(*words, "augment.name=adaptive"), tmp_path)
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())
    assert run.game.augment.turns == 2 * run.config.loss.critic_steps


@pytest.mark.parametrize("accumulate", [1, 4])
def test_the_rule_follows_each_turn_of_the_critic(accumulate, tmp_path):
    words = (*RING, "model=mlp", *NARROW, "loss=wgan", f"accumulate={accumulate}")
    config = small(*words, "augment.name=scaled", "steps=3")
    assert config.loss.critic_steps == 5
    trained(config, tmp_path)
    assert len(Scaled.told) == 3 * 5
    for observed in Scaled.told:
        assert {"real_logits", "fake_logits", "pair_accuracy"} <= observed.keys()
        assert not any(value.requires_grad for value in observed.values())


def test_what_the_rule_has_adapted_is_saved_and_restored(tmp_path):
    words = (*RING, "model=mlp", *NARROW, "augment.name=adaptive", "every.checkpoint=4")
    run = trained(small(*words, "steps=4"), tmp_path)
    adapted = run.game.augment.state_dict()
    assert adapted["turns"] == 4
    assert adapted["strength"] != Adaptive().strength
    saved = load(tmp_path / "checkpoints" / "step-0000004.pt")["game"]["augment"]
    assert saved == adapted
    again = Run(small(*words, "steps=8"), tmp_path)
    assert again.game.augment.turns == 0
    again.resume()
    assert again.game.augment.state_dict() == adapted
    assert again.ema.game.augment is again.game.augment
    again.feed.close()


def test_8_steps_are_4_and_4(tmp_path):
    words = (*RING, "model=mlp", *NARROW, "augment.name=adaptive", "loss=r1")
    straight = trained(small(*words, "steps=8"), tmp_path / "straight")
    trained(small(*words, "steps=4", "every.checkpoint=4"), tmp_path / "parts")
    resumed = trained(small(*words, "steps=8"), tmp_path / "parts")
    left, right = tensors_of(straight), tensors_of(resumed)
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert straight.game.augment.state_dict() == resumed.game.augment.state_dict()


def test_nobody_else_looks_through_it(tmp_path):
    """Previews, metrics and health show and judge samples as they are."""
    words = (*RING, "model=mlp", *NARROW, "augment.name=scaled")
    trained(small(*words), tmp_path / "quiet")
    calls = len(Scaled.seen)
    looking = ("every={log: 1, preview: 1, evaluate: 1, checkpoint: 0}", "health=true")
    trained(small(*words, *looking, "metrics.compute=[modes]", "metrics.count=64"), tmp_path / "b")
    assert len(Scaled.seen) == 2 * calls
    assert len(Scaled.told) == 4


def test_without_one_nothing_is_changed(tmp_path):
    """A factor of one is the game that is played without."""
    words = (*RING, "model=mlp", *NARROW, "loss=r3gan", "model.game.packing=2", "steps=4")
    plain = tensors_of(trained(small(*words), tmp_path / "plain"))
    same = tensors_of(trained(small(*words, "augment.name=scaled"), tmp_path / "same"))
    assert all(torch.equal(plain[name], same[name]) for name in plain)
    samples = torch.randn(3, 2)
    assert NoAugment()(samples) is samples


# ---- Refusals


def refusal(call: Any, *given: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        call(*given)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("model", ["dann", "dann_alternating"])
def test_games_of_features_refuse_it(model):
    told = refusal(dann, f"model={model}", "augment.name=scaled")
    assert told == f"augment: game '{model}' has no critic of samples to augment; use augment=none"


def test_games_without_a_critic_refuse_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained(small("model=dcgan", *NARROW, "every.checkpoint=2"), tmp_path / "outputs" / "gan")
    words = ("model=inversion", "model.networks.encoder.width=8", "model.pretrained.generator=gan")
    small(*words)
    told = refusal(small, *words, "augment.name=scaled")
    assert told == "augment: game 'inversion' has no critic of samples to augment; use augment=none"


def test_options_are_checked_like_any_other():
    assert "augment.factr: unknown key 'factr'; did you mean 'factor'" in refusal(
        small, "augment.name=scaled", "augment.factr=0"
    )
    assert "augment.name: unknown augmentation 'scald'; did you mean 'scaled'" in refusal(
        small, "augment.name=scald"
    )


def test_samples_that_it_does_not_know_are_refused(monkeypatch):
    monkeypatch.setattr(Scaled, "kinds", frozenset({"image"}))
    config = small(*RING, "model=mlp", *NARROW, "augment.name=scaled")
    assert refusal(built, config) == (
        "augment: 'scaled' does not transform samples of kind vector; use augment=none"
    )


def test_kinds_of_ones_own_are_played_without(monkeypatch):
    """Nobody need tell `none` of a kind that is not built in."""

    class Graph(Kind):
        def recognizes(self, stored):
            return False

    monkeypatch.setitem(kinds.entries, "graph", Graph())
    config, spec = small(*RING, "model=mlp", *NARROW), sample_spec(Field("graph", (5,)))
    assert built(config, spec).networks["generator"].shape == (5,)
    told = refusal(built, replace(config, augment={"name": "scaled"}), spec)
    assert told.startswith("augment: 'scaled' does not transform samples of kind graph")
