"""Drawing samples: each has its own random numbers, and nothing else is changed by it."""

import copy

import pytest
import torch

from gan_cli.data.spec import image_spec, vector_spec
from gan_cli.games.draw import BATCH, draw, draw_all, logits_function
from gan_cli.games.game import Game
from gan_cli.games.request import Request
from gan_cli.utils.noise import Noise
from tests.helpers import built, small

IMAGES, POINTS = image_spec((3, 32, 32), 10), vector_spec(2)
NARROW = ("model.networks.generator.width=16", "model.networks.discriminator.width=16")
GAMES = {  # words of the config, samples
    "dcgan": (("model=dcgan",), IMAGES),
    "mlp": (("model=mlp", "dataset=ring"), POINTS),
    "cgan": (("model=cgan",), IMAGES),
    "cgan_projection": (("model=cgan_projection",), IMAGES),
    "bigan": (("model=bigan", "model.networks.encoder.width=16"), IMAGES),
    "resnet": (("model=resnet",), IMAGES),
}
SEEDS = [7, 2**64 - 1, *range(500, 566)]  # more than a batch


@pytest.fixture(params=GAMES)
def game(request) -> Game:
    words, spec = GAMES[request.param]
    game = built(small(*words, *NARROW), spec)
    generator = game.networks["generator"]
    for _ in range(3):  # batch norm with the statistics of the layers
        latent, label = torch.randn(32, generator.latent_dim), torch.arange(32) % 10
        generator(latent, label) if game.labelled else generator(latent)
    return game


def request_of(game: Game, seeds: list[int], **others) -> Request:
    """Each seed under a label of its own, if there are labels."""
    label = torch.tensor([seed % 10 for seed in seeds]) if game.labelled else None
    return Request(seeds, label, **others)


def by_seed(game: Game, seeds: list[int], **others) -> dict[int, torch.Tensor]:
    samples = draw_all(game, request_of(game, seeds, **others))
    assert len(samples) == len(seeds)
    return dict(zip(seeds, samples, strict=True))


def test_a_sample_has_the_same_bits_in_whatever_company(game):
    together = by_seed(game, SEEDS)
    assert len({sample.numpy().tobytes() for sample in together.values()}) == len(SEEDS)
    alone = by_seed(game, [7])
    among_64 = by_seed(game, [*range(1000, 1063), 7])
    backwards = by_seed(game, SEEDS[::-1])
    assert torch.equal(alone[7], together[7])
    assert torch.equal(among_64[7], together[7])
    assert all(torch.equal(backwards[seed], together[seed]) for seed in SEEDS)


class Noisy(torch.nn.Module):
    """Draws noise of its own, also in eval mode, as StyleGAN's generator does."""

    latent_dim, prior = 4, "normal"

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, latent, label=None):
        return self.weight * latent + torch.randn_like(latent)


def test_noise_that_a_network_draws_belongs_to_the_sample():
    game = built(small("model=mlp", "dataset=ring", *NARROW), POINTS)
    game.networks["generator"] = Noisy()
    state = torch.random.get_rng_state()
    together = by_seed(game, SEEDS)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(by_seed(game, [501, 7])[7], together[7])
    assert all(torch.equal(by_seed(game, SEEDS[::-1])[seed], together[seed]) for seed in SEEDS)
    in_threes = torch.cat(list(draw(game, request_of(game, SEEDS), batch_size=3)))
    assert torch.equal(in_threes, torch.stack(list(together.values())))
    latents = [Request([seed]).noise.normal(4)[0] for seed in SEEDS]
    noise = torch.stack([together[s] - z for s, z in zip(SEEDS, latents, strict=True)])
    assert len(noise.unique(dim=0)) == len(SEEDS)
    assert (
        abs(torch.corrcoef(torch.stack([noise.flatten(), torch.stack(latents).flatten()]))[0, 1])
        < 0.2
    )


def test_truncated_samples_have_too(game):
    together = by_seed(game, SEEDS, truncation=0.5)
    assert torch.equal(by_seed(game, [7], truncation=0.5)[7], together[7])
    assert not torch.equal(by_seed(game, [7])[7], together[7])


def test_a_sample_is_its_latent_through_the_generator(game):
    generator = copy.deepcopy(game.networks["generator"]).eval()
    stream = torch.Generator().manual_seed(7)
    latent = torch.randn(generator.latent_dim, generator=stream)[None]
    label = torch.tensor([7]) if game.labelled else None
    with torch.no_grad():
        expected = generator(latent, label) if game.labelled else generator(latent)
    torch.testing.assert_close(by_seed(game, SEEDS)[7], expected[0], atol=1e-5, rtol=1e-5)
    given = draw_all(game, Request([0], label, latent=latent))
    torch.testing.assert_close(given, expected, atol=1e-5, rtol=1e-5)


def test_drawing_changes_neither_networks_nor_random_numbers(game):
    next(game.networks["generator"].children()).eval()  # a mode that is not that of the whole
    modes = {name: module.training for name, module in game.networks.named_modules()}
    state = copy.deepcopy(game.networks.state_dict())
    before = torch.get_rng_state()
    for samples in draw(game, request_of(game, SEEDS)):
        assert not samples.requires_grad
        assert torch.equal(torch.get_rng_state(), before)  # between batches, too
    assert torch.equal(torch.get_rng_state(), before)
    assert {name: module.training for name, module in game.networks.named_modules()} == modes
    assert torch.is_grad_enabled()
    for key, value in game.networks.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_what_failed_has_left_no_trace_either(game, monkeypatch):
    def fail(request):
        torch.randn(3)
        raise ZeroDivisionError

    monkeypatch.setattr(game, "sample", fail)
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        draw_all(game, request_of(game, [7]))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(module.training for module in game.networks.modules())


@pytest.mark.parametrize("size", [1, 5, BATCH])
def test_the_game_always_gets_whole_batches(game, monkeypatch, size):
    seen = []

    def sample(request):
        seen.append(request)
        return torch.arange(len(request.seeds))

    monkeypatch.setattr(game, "sample", sample)
    found = list(draw(game, request_of(game, SEEDS), size))
    assert [len(request) for request in seen] == [size] * -(-len(SEEDS) // size)
    assert sum(len(samples) for samples in found) == len(SEEDS)
    if game.labelled:
        for request in seen:
            assert request.label.tolist() == [seed % 10 for seed in request.seeds]


def test_judging_changes_nothing():
    options = ("model.networks.discriminator.spectral_norm=true", "dataset=ring", "model=mlp")
    game = built(small(*options, *NARROW), POINTS)
    state, before = copy.deepcopy(game.networks.state_dict()), torch.get_rng_state()
    logits = logits_function(game)(torch.randn(6, 2, generator=torch.Generator().manual_seed(0)))
    assert logits.shape == (6,)
    assert not logits.requires_grad
    assert torch.equal(torch.get_rng_state(), before)
    assert all(module.training for module in game.networks.modules())
    for key, value in game.networks.state_dict().items():
        assert torch.equal(value, state[key]), key


# ---- Random numbers of samples


def test_each_seed_has_a_stream_of_its_own():
    noise = Noise([7, 3, 7])
    first, uniform, second = noise.normal(2, 5), noise.uniform(4), noise.normal(3)
    assert first.shape == (3, 2, 5)
    assert uniform.shape == (3, 4)
    assert second.shape == (3, 3)
    for numbers in first, uniform, second:
        assert torch.equal(numbers[0], numbers[2])
        assert not torch.equal(numbers[0], numbers[1])
    alone = Noise([3])
    assert torch.equal(alone.normal(2, 5)[0], first[1])
    assert torch.equal(alone.uniform(4)[0], uniform[1])
    assert torch.equal(alone.normal(3)[0], second[1])
    stream = torch.Generator().manual_seed(3)
    assert torch.equal(first[1], torch.randn(2, 5, generator=stream))
    assert 0 <= uniform.min() <= uniform.max() < 1


def test_neighbouring_seeds_are_unrelated():
    """Correlations of 1,000 rows of 200 numbers: a deviation of 1 / sqrt(200)."""
    numbers = Noise(range(1000)).normal(200)
    correlations = torch.corrcoef(numbers)[torch.arange(999), torch.arange(1, 1000)]
    assert correlations.abs().max() < 5 / 200**0.5
    assert correlations.mean().abs() < 5 / (200 * 999) ** 0.5


def test_noise_leaves_the_global_stream_alone():
    before = torch.get_rng_state()
    Noise(range(5)).normal(3)
    assert torch.equal(torch.get_rng_state(), before)
