"""Consistency regularization, top-k and orthogonal regularization against computation by hand."""

import pytest
import torch
from torch import Tensor, nn

from gan_cli.config.schedules import Schedule
from gan_cli.losses import losses, penalties
from gan_cli.losses.consistency import mirrored, shifted
from gan_cli.losses.objective import Objective
from gan_cli.losses.orthogonal import off_diagonal
from gan_cli.losses.penalty import CriticTurn, GeneratorTurn, Penalty
from gan_cli.losses.top_k import learning_from_best
from gan_cli.networks.layers.norm import apply_spectral_norm
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import composed, small, tensors_of, trained

WIDTHS = ("model.networks.generator.width=4", "model.networks.discriminator.width=4")


def build(name: str, **options) -> Penalty:
    return penalties.build({"name": name, **options}, where=f"loss.penalties.{name}")


def first_column(image: Tensor) -> Tensor:
    """A linear critic that sees which side is left."""
    return 3 * image[:, 0, :, 0].sum(1)


def turn(critic, real: Tensor, fake: Tensor, **options) -> CriticTurn:
    return CriticTurn(critic, (real,), (fake,), tuple, tuple, **options)


REAL = torch.tensor([[[[1.0, 2.0], [4.0, 8.0]]]])  # 5 on the left, 10 on the right
FAKE = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])  # 0 and 2


def test_consistency_is_the_squared_distance_from_the_mirrored_image():
    always = {"flip": 1.0, "translation": 0.0}
    real, fake = (3 * (10 - 5)) ** 2, (3 * (2 - 0)) ** 2
    assert build("cr", **always)(turn(first_column, REAL, FAKE)) == real
    assert build("bcr", **always)(turn(first_column, REAL, FAKE)) == real + fake
    assert build("bcr", fake=0.5, **always)(turn(first_column, REAL, FAKE)) == real + fake / 2
    assert build("bcr", flip=0.0, translation=0.0)(turn(first_column, REAL, FAKE)) == 0


def test_consistency_moves_the_critic_on_both_sides():
    """d/dw (w (a - b))^2 = 2 w (a - b)^2, of which a stopped gradient would leave a part."""
    weight = torch.tensor(3.0, requires_grad=True)
    critic = lambda image: weight * image[:, 0, :, 0].sum(1)  # noqa: E731
    value = build("cr", flip=1.0, translation=0.0)(turn(critic, REAL, FAKE))
    assert torch.autograd.grad(value, weight)[0] == 2 * 3 * (10 - 5) ** 2


def test_images_move_by_whole_pixels_and_are_mirrored_at_the_border():
    torch.manual_seed(0)
    line = torch.arange(8.0)
    images = line.expand(400, 1, 1, 8)
    known = {}
    for distance in (-2, -1, 0, 1, 2):  # the axis from which 0 ... 7 is mirrored on both sides
        reflected = [abs(i - distance) for i in range(8)]
        known[tuple(7 - abs(7 - i) for i in reflected)] = 0
    for row in shifted(images, 0.25)[:, 0, 0]:
        known[tuple(row.int().tolist())] += 1  # KeyError: no such move
    assert all(count > 40 for count in known.values())  # each of five has a fifth of 400
    assert torch.equal(shifted(images, 0.0), images)


def test_each_image_is_moved_on_its_own_and_all_channels_alike():
    torch.manual_seed(0)
    image = torch.rand(1, 1, 6, 8).expand(64, 3, 6, 8)
    for moved in (shifted(image, 0.25), mirrored(image, 0.5)):
        assert torch.equal(moved[:, :1].expand_as(moved), moved)
        assert len({tuple(x.flatten().tolist()) for x in moved}) > 1


def test_latent_consistency_is_that_of_neighbours():
    """The neighbours of z under G(z) = 2 z are 2 z + 2 sigma n; here n is 1."""
    asked: list[float] = []

    def neighbours(sigma: float) -> tuple[Tensor]:
        asked.append(sigma)
        return (FAKE + 2 * sigma,)

    value = build("zcr", sigma=0.25)(turn(first_column, REAL, FAKE, neighbours=neighbours))
    assert asked == [0.25]
    assert value == (3 * (2 * 0.5)) ** 2


def test_the_generator_is_rewarded_for_different_neighbours():
    """E (3 sigma n)^2 = 9 sigma^2, from 10,000 numbers."""
    torch.manual_seed(0)
    latent = torch.randn(100, 100)
    value = build("zcr_generator", sigma=0.5)(GeneratorTurn(lambda z: 3 * z, latent, 3 * latent))
    assert value.item() == pytest.approx(-9 * 0.25, rel=0.05)


# ---- Top-k


@pytest.mark.parametrize("loss", sorted(losses.entries))
def test_the_gradient_is_that_of_the_best_fakes(loss):
    adversarial = losses.build({"name": loss}, where="loss")
    torch.manual_seed(0)
    fake, real = torch.randn(2, 6)
    if loss == "relativistic_average":
        pytest.skip("its fakes are compared with the mean of all; see the next test")

    def slope(logits: Tensor, others: Tensor) -> Tensor:
        return torch.autograd.grad(adversarial.generator(logits, others), leaf)[0]

    leaf = fake.clone().requires_grad_()
    best = fake.argsort(descending=True)[:2]
    expected = slope(leaf[best], real[best])
    torch.testing.assert_close(slope(learning_from_best(leaf, torch.tensor(0.4)), real), expected)


def test_top_k_keeps_the_value_and_drops_the_gradient_of_others():
    logits = torch.tensor([1.0, 4.0, 2.0, 3.0], requires_grad=True)
    best = learning_from_best(logits, torch.tensor(0.5))
    assert torch.equal(best, logits)
    assert torch.autograd.grad(best.mean(), logits)[0].tolist() == [0, 0.5, 0, 0.5]
    one = learning_from_best(logits, torch.tensor(0.01))  # at least one
    assert torch.autograd.grad(one.mean(), logits)[0].tolist() == [0, 1, 0, 0]


def test_several_logits_of_a_sample_count_by_their_mean():
    logits = torch.tensor([[9.0, 0.0], [5.0, 5.0]], requires_grad=True)
    best = learning_from_best(logits, torch.tensor(0.5))
    assert torch.autograd.grad(best.mean(), logits)[0].tolist() == [[0, 0], [0.5, 0.5]]


def test_the_share_follows_its_schedule():
    """0.99 in each epoch down to a half, as in the paper: 0.5 after log(0.5) / log(0.99) epochs."""
    share = Schedule(1.0, 0.5, over=69, shape="exponential")
    objective = Objective(losses.build({"name": "hinge"}, where=""), {}, top_k=share)
    fake = torch.randn(1000, requires_grad=True)
    for step, kept in ((0, 1000), (10, 904), (69, 500), (1000, 500)):
        objective.schedule(step)
        terms = objective.generator_terms(lambda x: x, (fake,), (fake,))
        slope = torch.autograd.grad(terms.total(), fake)[0]
        assert abs(int(slope.count_nonzero()) - kept) <= 1


def test_a_share_of_one_changes_nothing(tmp_path):
    plain, same = (
        tensors_of(trained(small(*WIDTHS, *words), tmp_path / str(len(words))))
        for words in ((), ("loss.top_k=1.0",))
    )
    assert all(torch.equal(plain[key], same[key]) for key in plain)
    half = tensors_of(trained(small(*WIDTHS, "loss.top_k=0.5"), tmp_path / "half"))
    assert not all(torch.equal(plain[key], half[key]) for key in plain)


@pytest.mark.parametrize("value", ["0", "1.5", "{start: 1.0, end: 0.0, over: 10}"])
def test_shares_outside_of_the_range_are_refused(value):
    with pytest.raises(ConfigError, match=r"loss.top_k: must be above 0 and at most 1"):
        validate(composed("run=x", f"loss.top_k={value}"))


# ---- Orthogonal regularization


def test_products_of_different_filters_count():
    wide = torch.tensor([[1.0, 2.0, 0.0], [3.0, 0.0, 1.0]])  # one product, 3, in both triangles
    assert off_diagonal(wide) == 2 * 9
    tall = torch.tensor([[1.0], [2.0], [3.0]])  # products 2, 3 and 6
    assert off_diagonal(tall) == 2 * (4 + 9 + 36)


def test_orthogonal_regularization_adds_up_layers_before_spectral_norm():
    network = nn.Sequential(nn.Linear(2, 2), nn.ConvTranspose2d(1, 2, 1), nn.Embedding(2, 2))
    network[0].weight.data = torch.tensor([[1.0, 1.0], [2.0, 0.0]])  # product 2
    network[1].weight.data = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)  # two filters, product 12
    apply_spectral_norm(network)
    played = GeneratorTurn(lambda z: z, FAKE, FAKE, network=network)
    value = build("orthogonal")(played)
    assert value == 2 * 4 + 2 * 144
    weight = network[0].parametrizations.weight.original
    # the slope of |W W^T * (1 - I)|^2 is 4 (W W^T * (1 - I)) W
    expected = 4 * torch.tensor([[0.0, 2.0], [2.0, 0.0]]) @ torch.tensor([[1.0, 1.0], [2.0, 0.0]])
    torch.testing.assert_close(torch.autograd.grad(value, weight)[0], expected)


# ---- In games


EVERYTHING = (
    "loss=bcr",
    "loss.penalties.zcr.weight=5",
    "loss.penalties.zcr_generator.weight=0.5",
    "loss.penalties.orthogonal.weight=1e-4",
    "loss.critic_steps=2",
    "loss.top_k=0.5",
)


@pytest.mark.parametrize("words", [(), ("model.game.packing=2",), ("accumulate=2",)])
def test_all_of_them_in_one_run(words, tmp_path):
    run = trained(small(*EVERYTHING, *WIDTHS, *words), tmp_path)
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())
    logged = (tmp_path / "metrics.jsonl").read_text()
    for term in ("discriminator/bcr", "discriminator/zcr", "generator/zcr_generator"):
        assert term in logged


def test_neighbours_are_those_of_the_fakes_of_the_turn(tmp_path):
    """With sigma near 0 the critic answers alike only if the latents are those of its fakes."""
    words = ("loss.penalties.zcr.weight=1", "loss.penalties.zcr.sigma=1e-20", "loss.critic_steps=3")
    trained(small("model=mlp", "loss.critic_norm=none", *WIDTHS, *words), tmp_path)
    assert '"discriminator/zcr": 0.0' in (tmp_path / "metrics.jsonl").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("model=bigan", "loss.penalties.zcr.weight=1"), "penalties.zcr: needs fakes of"),
        (("model=unrolled", "loss.penalties.zcr.weight=1"), "penalties.zcr: needs fakes of"),
        (
            ("experiment=dann_digits", "loss.penalties.cr.weight=1"),
            "penalties.cr: transforms images, and the critic",
        ),
        (
            ("experiment=dann_digits", "loss.penalties.orthogonal.weight=1"),
            "penalties.orthogonal: is for a generator",
        ),
        (("experiment=dann_digits", "loss.top_k=0.5"), "loss.top_k: is for a generator"),
    ],
)
def test_games_that_cannot_serve_a_penalty_refuse_it(words, told):
    with pytest.raises(ConfigError, match=told):
        validate(composed("run=x", *words))


def test_images_are_needed_where_images_are_moved(tmp_path):
    with pytest.raises(ConfigError, match=r"penalties.bcr: transforms images, and the samples are"):
        trained(small("dataset=ring", "model=mlp", "loss=bcr", *WIDTHS), tmp_path)
