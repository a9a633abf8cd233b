"""Encoders of frozen generators, against least squares; what they take from other runs."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gan_cli.checkpoints.choice import run_folder
from gan_cli.checkpoints.contents import plain
from gan_cli.checkpoints.files import Checkpoints, load
from gan_cli.games.inversion import Inversion
from gan_cli.games.latent_regressor import LatentRegressor
from gan_cli.losses import losses
from gan_cli.losses.objective import Objective
from gan_cli.networks import networks
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.utils.errors import ConfigError, StorageError
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, composed, small, tensors_of, trained

WIDTHS = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
FROM = "model.pretrained.generator=gan"
ENCODER = ("model=inversion", "model.networks.encoder.width=8")
JOINT = ("model=latent_regressor", *WIDTHS, "model.networks.encoder.width=8")


@pytest.fixture(autouse=True)
def workshop(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def gan(*overrides: str, model: str = "dcgan", name: str = "gan"):
    """A run in outputs/."""
    settings = (f"model={model}", *WIDTHS, "every.checkpoint=2", "steps=3", *overrides)
    return trained(small(*settings), Path("outputs") / name)


def inverted(*overrides: str, name: str = "inv"):
    """The same for an encoder; resumed if it is there."""
    folder = Path("outputs") / name
    settings = (*SMALL, *ENCODER, FROM, "batch_size=4", "every.checkpoint=2", *overrides)
    return trained(validate(composed(*settings), lambda run: folder), folder)


# ---- What it minimizes


class Affine(nn.Module):
    """G(z) = A z + b."""

    prior = "normal"

    def __init__(self, slope: torch.Tensor, shift: torch.Tensor) -> None:
        super().__init__()
        self.latent_dim = slope.shape[1]
        self.slope, self.shift = nn.Parameter(slope), nn.Parameter(shift)

    def forward(self, latent, label=None):
        return latent @ self.slope.T + self.shift


class Linear(nn.Linear):
    """An encoder."""

    @property
    def latent_dim(self) -> int:
        return self.out_features


def affine_pair(features: int, latents: int, seed: int = 0):
    torch.manual_seed(seed)
    generator = Affine(torch.randn(features, latents), torch.randn(features)).requires_grad_(False)
    return nn.ModuleDict({"generator": generator, "encoder": Linear(features, latents)})


def learned(game: Inversion, real: torch.Tensor, steps: int = 250) -> torch.Tensor:
    """The loss at the end of training the encoder."""
    optimizer = torch.optim.Adam(game.networks["encoder"].parameters())
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / steps)
        optimizer.zero_grad()
        torch.stack(list(game.loss({"real": real}).losses.values())).sum().backward()
        optimizer.step()
    return sum(game.loss({"real": real}).losses.values())


@pytest.mark.parametrize(("features", "latents"), [(5, 2), (2, 4)])
def test_latent_regression_finds_the_conditional_mean(features, latents):
    """Of z ~ N(0, I) given A z + b: A+ A z, with the squared error (d - rank A) / d."""
    networks = affine_pair(features, latents)
    loss = learned(Inversion(networks), torch.zeros(4000, features))
    slope, shift = networks["generator"].slope, networks["generator"].shift
    found, answer = networks["encoder"].weight @ slope, networks["encoder"](shift)
    torch.testing.assert_close(found, torch.linalg.pinv(slope) @ slope, atol=0.05, rtol=0.05)
    torch.testing.assert_close(answer, torch.zeros(latents), atol=0.05, rtol=0)
    expected = max(0, latents - features) / latents
    assert loss.item() == pytest.approx(expected, abs=0.03)


def test_the_image_term_projects_real_images_onto_the_generator():
    """min |x - A z - b|^2 over z leaves the part of x - b outside of A's columns."""
    networks = affine_pair(5, 2)
    real = torch.randn(500, 5) + 1
    loss = learned(Inversion(networks, lambda_z=0.0, lambda_x=2.0), real)
    slope, shift = networks["generator"].slope, networks["generator"].shift
    solution = torch.linalg.lstsq(slope, (real - shift).T).solution.T
    expected = 2 * F.mse_loss(solution @ slope.T + shift, real)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-3)


class Halves(nn.Module):
    """Features: the halves of the sums."""

    def features(self, image, label):
        return image.flatten(1).sum(1, keepdim=True) / 2


def test_terms_are_those_of_f_anogan():
    networks = affine_pair(5, 2)
    networks["discriminator"] = Halves()
    real = torch.randn(7, 5)
    game = Inversion(networks, lambda_z=0.0, lambda_x=3.0, lambda_f=0.5)
    terms = game.loss({"real": real}).losses
    found = networks["generator"](networks["encoder"](real))
    assert set(terms) == {"reconstruction_x", "reconstruction_f"}
    torch.testing.assert_close(terms["reconstruction_x"], 3 * ((found - real) ** 2).mean())
    halves = (found - real).sum(1) / 2
    torch.testing.assert_close(terms["reconstruction_f"], 0.5 * (halves**2).mean())


def test_scores_of_a_pair_that_inverts_itself():
    networks = affine_pair(5, 2)
    inverse = torch.linalg.pinv(networks["generator"].slope)
    networks["encoder"].weight.data = inverse
    networks["encoder"].bias.data = -inverse @ networks["generator"].shift
    with torch.no_grad():
        card = Inversion(networks).evaluate(None)
        networks["encoder"].weight.data.zero_()
        networks["encoder"].bias.data.zero_()
        nothing = Inversion(networks).evaluate(None)
    assert card.values == pytest.approx({"latent_mse": 0, "image_mse": 0}, abs=1e-9)
    assert nothing.values["latent_mse"] == pytest.approx(1, abs=0.1)  # of 2,000 normal numbers


# ---- The frozen generator


def test_the_generator_stays_what_the_checkpoint_says_it_was():
    """Its average, with batch norm as it was: buffers do not move, either."""
    origin = gan()
    run = inverted("steps=3")
    average = origin.ema.networks["generator"].state_dict()
    for network in (run.game.networks["generator"], run.ema.networks["generator"]):
        for name, value in network.state_dict().items():
            assert torch.equal(value, average[name]), name
    assert any(
        not torch.equal(a, b)
        for a, b in zip(
            run.game.networks["encoder"].parameters(),
            run.ema.networks["encoder"].parameters(),
            strict=True,
        )
    )
    assert run.config.model.networks["generator"]["width"] == 8
    assert validate(plain(run.config)) == run.config


def test_8_steps_are_4_and_4_without_the_origin():
    gan()
    straight = inverted("steps=8", "every.checkpoint=0", name="straight")
    inverted("steps=4")
    shutil.rmtree("outputs/gan")
    resumed = inverted("steps=8")
    left, right = tensors_of(straight), tensors_of(resumed)
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_a_checkpoint_file_lends_and_an_origin_that_went_on_changes_nothing():
    gan()
    file = str(Checkpoints(Path("outputs/gan/checkpoints"), 1, 0).path(2))
    first = inverted("steps=2", f"model.pretrained.generator={file}")
    before = load(Path(file))["averages"]["generator"]["seed.weight"]
    assert torch.equal(first.game.networks["generator"].state_dict()["seed.weight"], before)
    inverted("steps=2", name="other")
    gan("steps=5")
    run = inverted("steps=4", name="other")
    assert torch.equal(
        run.game.networks["generator"].state_dict()["seed.weight"],
        load(Path("outputs/other/checkpoints/step-0000002.pt"))["networks"]["generator"][
            "seed.weight"
        ],
    )


def test_f_anogan_takes_the_discriminator_too():
    origin = gan("loss=wgan_gp")
    weights = ("model.game.lambda_z=0", "model.game.lambda_x=1", "model.game.lambda_f=1")
    run = inverted(*weights, "model.pretrained.discriminator=gan")
    mine, theirs = (r.game.networks["discriminator"].state_dict() for r in (run, origin))
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    line = json.loads(Path("outputs/inv/metrics.jsonl").read_text().splitlines()[0])
    assert {"encoder/reconstruction_x", "encoder/reconstruction_f"} <= line.keys()


def test_reduced_precision_and_accumulation_stay_finite():
    gan()
    run = inverted("device.precision=bfloat16", "accumulate=2", "model.game.lambda_x=1")
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())


def test_vectors_play_too():
    data = ("dataset=ring",)
    networks = ("model=mlp", "batch_size=8", "every.checkpoint=2")
    base = [key for key in SMALL if "dataset" not in key]
    trained(validate(composed(*base, *data, *networks)), Path("outputs/gan"))
    encoder = "model.networks.encoder={name: mlp_encoder, width: 8, depth: 2}"
    tree = composed(*base, *data, "model=inversion", encoder, FROM, "every.preview=2")
    run = trained(validate(tree), Path("outputs/inv"))
    shown = run.game.preview({"real": torch.randn(4, 2)})
    assert set(shown) == {"reconstructions", "inversions"}


# ---- Refusals


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["model.pretrained.generator=gna"], r"unknown run 'gna'; did you mean 'gan'\?"),
        (["model.pretrained.generator=null"], r"has no value; type model\.pretrained\.generator="),
        (["model.pretrained.generator=enc"], "enc holds no network 'generator', only encoder"),
        (["loss=wgan_gp"], "loss: game 'inversion' has no critic, so nothing uses adversarial, "),
        (["loss.penalties.r1.weight=5"], "no critic, so nothing uses penalties"),
        (["metrics=fd_random"], "draws no samples to measure; use metrics=none"),
        (["model.networks.generator.width=3"], r"width: is 3, and that of gan is 8; leave"),
        (["model.pretrained.encoder=gan"], "gan holds no network 'encoder', only generator, disc"),
        (["model.pretrained.critic=gan"], "unknown network of game 'inversion' 'critic'"),
        (["model.game.lambda_z=0"], "all weights are 0"),
        (["model.game.lambda_z=-1"], r"model\.game\.lambda_z: must be 0 or more, got -1"),
        (["model.game.lambda_f=1"], r"type model\.pretrained\.discriminator="),
        (["model.networks.encoder.latent_dim=7"], "is 7, and the generator's is 100"),
        (["dataset.size=16"], r"shape \(3, 32, 32\), and those of the data set are \(3, 16, 16\)"),
    ],
)
def test_what_cannot_work_is_refused(overrides, told):
    gan()
    broken = load(Path("outputs/gan/checkpoints/step-0000002.pt"))
    nodes = broken["config"]["model"]["networks"]
    broken["config"]["model"]["networks"] = {"encoder": nodes["generator"]}
    broken["networks"] = {"encoder": {}}
    Path("outputs/enc/checkpoints").mkdir(parents=True)
    torch.save(broken, "outputs/enc/checkpoints/step-0000002.pt")
    with pytest.raises(ConfigError, match=told):
        inverted(*overrides)


def test_a_conditional_generator_is_refused():
    gan(model="cgan")
    with pytest.raises(ConfigError, match="'inversion' passes no labels to its networks"):
        inverted()


def test_a_discriminator_of_pairs_is_refused():
    gan(model="bigan")
    with pytest.raises(ConfigError, match="takes pairs"):
        inverted("model.pretrained.discriminator=gan", "model.game.lambda_f=1")


def test_a_discriminator_of_packs_is_refused():
    gan("model.game.packing=2")
    with pytest.raises(ConfigError, match="takes packs of several samples"):
        inverted("model.pretrained.discriminator=gan", "model.game.lambda_f=1")


def test_games_with_a_critic_need_a_loss():
    tree = composed(*SMALL, "model=dcgan")
    del tree.loss["adversarial"]
    with pytest.raises(ConfigError, match=r"loss\.adversarial: has no value"):
        validate(tree)


def test_another_origin_is_another_run():
    gan()
    gan(name="second")
    inverted()
    with pytest.raises(ConfigError, match="was trained with gan; type that, or take another run"):
        inverted("model.pretrained.generator=second")


def test_what_is_no_checkpoint_is_a_storage_error():
    Path("notes.txt").write_text("no checkpoint")
    with pytest.raises(StorageError, match=r"notes\.txt is damaged"):
        small(*ENCODER, "model.pretrained.generator=notes.txt")


@pytest.mark.parametrize("layer", ["std", "discrimination"])
def test_features_of_a_critic_that_compares_a_batch_are_refused(layer):
    gan(f"model.networks.discriminator.minibatch={layer}")
    with pytest.raises(ConfigError, match=rf"lambda_f: .*minibatch={layer}.*type lambda_f=0"):
        inverted("model.pretrained.discriminator=gan", "model.game.lambda_f=1")
    inverted("model.pretrained.discriminator=gan")  # nothing reads its features


def test_features_of_a_critic_that_has_none_are_refused(monkeypatch):
    gan()
    monkeypatch.delattr(networks.entries["dcgan_discriminator"], "features")
    with pytest.raises(ConfigError, match=r"lambda_f: the discriminator .* has no features\(\)"):
        inverted("model.pretrained.discriminator=gan", "model.game.lambda_f=1")


# ---- The joint latent regressor


def joint(share: float, latent_dim: int = 2) -> LatentRegressor:
    networks = affine_pair(5, latent_dim)
    networks["generator"].requires_grad_(True)
    networks["discriminator"] = nn.Linear(5, 1)
    loss = losses.build({"name": "nonsaturating"}, where="loss.adversarial")
    return LatentRegressor(networks, Objective(loss, {}), lambda_z=3.0, generator_share=share)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_generator_gets_its_share_of_the_gradient(share):
    game = joint(share)
    latent = torch.randn(50, 2)
    generator, encoder = game.networks["generator"], game.networks["encoder"]
    loss = sum(game.regression(generator(latent), latent).losses.values())
    whole = 3 * F.mse_loss(encoder(generator(latent)), latent)
    torch.testing.assert_close(loss, whole)
    parameters = (generator.slope, encoder.weight)
    found = torch.autograd.grad(loss, parameters, materialize_grads=True, allow_unused=True)
    expected = torch.autograd.grad(whole, parameters)
    torch.testing.assert_close(found[0], share * expected[0])
    torch.testing.assert_close(found[1], expected[1])


def test_without_a_share_the_generator_plays_the_plain_game():
    """An encoder draws no noise, so the GAN beside it is the same bit for bit."""
    plain = gan().game.networks
    options = ("model.game.generator_share=0", "steps=3")
    beside = trained(small(*JOINT, *options), Path("outputs/joint")).game.networks
    for role, network in plain.items():
        for name, value in network.state_dict().items():
            assert torch.equal(value, beside[role].state_dict()[name]), (role, name)


def test_joint_8_steps_are_4_and_4():
    settings = (*JOINT, "batch_size=4", "every.checkpoint=4", "loss=r1", "model.game.packing=2")
    straight = trained(small(*settings, "steps=8", "every.checkpoint=0"), Path("straight"))
    trained(small(*settings, "steps=4"), Path("parts"))
    resumed = trained(small(*settings, "steps=8"), Path("parts"))
    left, right = tensors_of(straight), tensors_of(resumed)
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize(
    ("override", "advice"),
    [
        ("model.networks.encoder.latent_dim=7", r"encoder\.latent_dim: is 7, .* is 100; set it to"),
        ("model.game.generator_share=-1", "generator_share: must be between 0 and 1, got -1"),
        ("model.game.packing=3", "do not divide"),
        ("model.networks.generator.conditioning=concat", "passes no labels to its networks"),
    ],
)
def test_what_cannot_work_jointly_is_refused(override, advice):
    with pytest.raises(ConfigError, match=advice):
        trained(small(*JOINT, override), Path("x"))


# ---- gan-sample on these runs


def asked(task: str, name: str = "inv", **keys) -> tuple[dict[str, Path], str]:
    keys = {"dataset": {"count": 20, "seed": 5}, "output": f"out-{task}", **keys}
    config = checked_options({"task": task, "run": name, "device": {"accelerator": "cpu"}, **keys})
    told = perform(config, run_folder(name))
    return {path.name: path for path in Path(keys["output"]).iterdir()}, told


@pytest.mark.parametrize("kind", ["inversion", "f_anogan", "latent_regressor"])
def test_every_task_goes_without_the_origin(kind):
    if kind == "latent_regressor":
        trained(small(*JOINT, "every.checkpoint=2"), Path("outputs/inv"))
    else:
        gan()
        extra = ("model.pretrained.discriminator=gan", "model.game.lambda_f=1")
        inverted(*(extra if kind == "f_anogan" else ()))
        shutil.rmtree("outputs/gan")
    tasks = ("reconstruct", "encode", "interpolate", "anomaly")
    for task in (*tasks, "evaluate") if kind == "inversion" else tasks:
        files, _ = asked(task)
        assert files
    header = Path("out-anomaly/anomaly.csv").read_text().splitlines()[0].split(",")
    assert header[-1] == ("reconstruction" if kind == "inversion" else "f_anogan")
    files, told = asked("invert", steps=2, count=4)
    assert "encoder_and_optimization: squared error" in told
    sampled = checked_options({"run": "inv", "count": 2, "output": "drawn"})
    assert "seeds: 0-1" in perform(sampled, run_folder("inv"))


def test_a_discriminator_of_packs_has_no_say_in_anomalies():
    trained(small(*JOINT, "model.game.packing=2", "every.checkpoint=2"), Path("outputs/inv"))
    asked("anomaly")
    header = Path("out-anomaly/anomaly.csv").read_text().splitlines()[0].split(",")
    assert header[-2:] == ["unexplained", "reconstruction"]


def test_a_plain_gan_is_inverted_by_optimization_alone():
    gan()
    files, _ = asked("invert", name="gan", steps=3, count=4)
    values = json.loads(files["inversions.json"].read_text())
    assert set(values) == {"optimization"}
    assert np.load(files["inversions.npz"])["optimization"].shape == (4, 100)
    with pytest.raises(ConfigError, match=r"model=inversion, or type task=invert"):
        asked("encode", name="gan")
