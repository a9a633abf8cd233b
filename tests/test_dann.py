"""Domain adaptation: the saddle point, the losses it is played with, its scores."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gan_cli.data.sets import datasets
from gan_cli.data.spec import Spec
from gan_cli.games.dann import reverse_gradient
from gan_cli.games.dann_evaluation import balanced_accuracy
from gan_cli.networks import networks
from gan_cli.networks.dann import cell_means
from gan_cli.training.session import end_message
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import built, composed, names, tensors_of, trained

PAIR = (
    "run=test",
    "dataset=pair",
    "dataset@dataset.source=synthetic",
    "dataset@dataset.target=synthetic",
    "dataset.source={count: 40, size: 16}",
    "dataset.target={count: 60, size: 16, channels: 1, seed: 1}",
    "batch_size=8",
    "steps=2",
    "every={log: 1, preview: 0, evaluate: 0, checkpoint: 0}",
    "device=cpu",
    "model.networks.feature_extractor={width: 4, features: 32}",
)


def pair_spec(spec: Spec) -> Spec:
    """The spec of a pair whose domains both have samples of `spec`, the source its labels."""
    image, label = spec.fields[spec.target], spec.fields[spec.label]
    return Spec({"source": image, "source_label": label, "target": image}, "target")


def config_of(*overrides):
    return validate(composed(*PAIR, *overrides))


def game_of(*overrides):
    """The game of a config, and a batch of its data."""
    config = config_of(*overrides)
    data = datasets.build(config.dataset, where="dataset")
    game = built(config, data.spec)
    parts = [part.tensors() for part in data.parts()]
    batch = {key: value[:8] for part in parts for key, value in part.items()}
    batch = {k: v / 127.5 - 1 if v.dtype == torch.uint8 else v for k, v in batch.items()}
    next(iter(game.turns(0)))  # sets the strengths of the schedules
    return game, batch


def gradients(game, losses, roles):
    parameters = [p for role in roles for p in game.networks[role].parameters()]
    found = torch.autograd.grad(losses, parameters, retain_graph=True, allow_unused=True)
    pairs = zip(found, parameters, strict=True)
    return [torch.zeros_like(p) if g is None else g for g, p in pairs]


def assert_close(left, right):
    for a, b in zip(left, right, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_the_reversal_is_the_identity_with_its_gradient_turned():
    x = torch.randn(5, 3, requires_grad=True)
    weight = torch.randn(5, 3)
    turned = reverse_gradient(x, torch.tensor(0.7))
    assert torch.equal(turned, x)
    (gradient,) = torch.autograd.grad((weight * turned).sum(), x)
    torch.testing.assert_close(gradient, -0.7 * weight)


@pytest.mark.parametrize("conditional", ["false", "true"])
def test_one_step_goes_towards_the_saddle_point(conditional):
    """Of L_y and L_d written out; the paper has theta_f - mu (dL_y - lambda dL_d), and so on."""
    game, batch = game_of(
        "model=dann",
        "model.game.adaptation=0.3",
        f"model.networks.domain_discriminator.conditional={conditional}",
    )
    extractor, predictor, discriminator = (game.networks[role] for role in game.averaged)
    found = sum(game.loss(batch, ()).losses.values())

    source, target = extractor(batch["source"]), extractor(batch["target"])
    loss_y = F.cross_entropy(predictor(source), batch["source_label"])
    given = [predictor(x).softmax(1).detach() for x in (source, target)]
    as_source, as_target = (
        discriminator(x, p) for x, p in zip((source, target), given, strict=True)
    )
    loss_d = F.binary_cross_entropy_with_logits(as_source, torch.ones(8))
    loss_d = loss_d + F.binary_cross_entropy_with_logits(as_target, torch.zeros(8))
    expected = [loss_y - 0.3 * loss_d, loss_y, loss_d]
    for role, loss in zip(game.averaged, expected, strict=True):
        assert_close(gradients(game, found, [role]), gradients(game, loss, [role]))


def test_by_turns_the_target_alone_is_to_look_like_the_source():
    """ADDA: -E log D(target), with D the probability of the source."""
    game, batch = game_of("model=dann_alternating", "model.game.adaptation=0.3")
    extractor, discriminator = (
        game.networks[role] for role in ("feature_extractor", "domain_discriminator")
    )
    found = game.classifier_loss(batch).losses["adversarial"]
    expected = -0.3 * discriminator(extractor(batch["target"])).sigmoid().log().mean()
    torch.testing.assert_close(found, expected)


def test_against_the_critic_of_wgan_features_lower_the_wasserstein_estimate():
    """WDGRL: E D(source) - E D(target), of which both ends move."""
    game, batch = game_of(
        "model=dann_alternating",
        "loss=wgan_gp",
        "model.game={confusion: critic, adaptation: 0.3}",
    )
    extractor, discriminator = (
        game.networks[role] for role in ("feature_extractor", "domain_discriminator")
    )
    found = game.classifier_loss(batch).losses["adversarial"]
    source, target = (discriminator(extractor(batch[d])).mean() for d in ("source", "target"))
    expected = 0.3 * (source - target)
    torch.testing.assert_close(found, expected)
    role = ["feature_extractor"]
    assert_close(gradients(game, found, role), gradients(game, expected, role))


def test_a_penalty_is_of_the_critic_alone():
    settings = ("loss.penalties.r1={weight: 5}", "loss.critic_norm=none")
    game, batch = game_of("model=dann", *settings)
    terms = game.loss(batch, ("r1",))
    found = gradients(game, terms.losses["r1"], ["feature_extractor", "label_predictor"])
    assert all((gradient == 0).all() for gradient in found)
    moved = gradients(game, terms.losses["r1"], ["domain_discriminator"])
    assert any((gradient != 0).any() for gradient in moved)


def test_the_conditional_discriminator_reads_the_outer_product():
    spec = pair_spec(datasets.build({"name": "synthetic", "size": 16}, where="dataset").spec)
    node = {"name": "dann_domain_discriminator", "features": 6, "width": 5, "conditional": True}
    network = networks.build(node, spec, where="x")
    features, predictions = torch.randn(7, 6), torch.rand(7, 4)
    products = np.stack(
        [np.outer(f, p).ravel() for f, p in zip(features.numpy(), predictions.numpy(), strict=True)]
    )
    expected = network.output(network.layers(torch.from_numpy(products))).squeeze(1)
    torch.testing.assert_close(network(features, predictions), expected)


SOURCES = (
    "+dataset@dataset.more_sources.second=synthetic",
    "dataset.more_sources.second={count: 30, size: 16, seed: 2}",
)


@pytest.mark.parametrize("size", [(1, 2), (3, 4), (5, 7), (8, 13)])
def test_features_are_pooled_as_adaptive_pooling_does(size):
    images = torch.randn(2, 3, *size, dtype=torch.float64)
    rows, columns = (cell_means(n).double() for n in size)
    expected = torch.nn.functional.adaptive_avg_pool2d(images, 4)
    assert torch.allclose(rows @ images @ columns.mT, expected, atol=1e-6)


@pytest.mark.parametrize("model", ["dann", "dann_alternating"])
def test_each_source_is_told_from_the_target_by_itself(model):
    """The mean of -log D_k(source_k) - log(1 - D_k(target)), both sources labelled."""
    game, batch = game_of(f"model={model}", "model.game.adaptation=0.3", *SOURCES)
    extractor, predictor, discriminator = (game.networks[role] for role in game.averaged)
    sources, target = [batch["source"], batch["source_second"]], extractor(batch["target"])
    loss_d = 0.0
    for k, source in enumerate(sources):
        real, fake = discriminator(extractor(source))[:, k], discriminator(target)[:, k]
        loss_d = loss_d - (real.sigmoid().log() + (1 - fake.sigmoid()).log()).mean() / 2
    labels = torch.cat([batch["source_label"], batch["source_second_label"]])
    loss_y = F.cross_entropy(predictor(extractor(torch.cat(sources))), labels)
    if model == "dann":
        found = sum(game.loss(batch, ()).losses.values())
        expected = {"feature_extractor": loss_y - 0.3 * loss_d, "domain_discriminator": loss_d}
        for role, loss in expected.items():
            assert_close(gradients(game, found, [role]), gradients(game, loss, [role]))
    else:
        torch.testing.assert_close(game.discriminator_loss(batch, ()).losses["adversarial"], loss_d)
        terms = game.classifier_loss(batch).losses
        likes = discriminator(target).sigmoid().log().mean()  # over samples and critics
        torch.testing.assert_close(terms["adversarial"], -0.3 * likes)
        torch.testing.assert_close(terms["classification"], loss_y)


@pytest.mark.parametrize("loss", ["wgan_gp", "r3gan", "hinge"])
def test_several_sources_play_and_are_scored(loss, tmp_path):
    chosen = ("model=dann_alternating", f"loss={loss}", *SOURCES)
    run = trained(config_of(*chosen, "every.evaluate=2", "every.preview=2"), tmp_path)
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())
    scores = ["target", "source_second", "source", "domain"]
    assert list(run.scores.last) == [f"{name}_accuracy" for name in scores]


RECONSTRUCTS = "model.networks.feature_extractor.reconstructs=true"


@pytest.mark.parametrize("model", ["dann", "dann_alternating"])
def test_reconstruction_is_the_squared_error_of_target_images(model):
    game, batch = game_of(f"model={model}", "model.game.reconstruction=0.7", RECONSTRUCTS)
    play = game.classifier_loss if model == "dann_alternating" else game.loss
    terms = play(batch, ()) if model == "dann" else play(batch)
    extractor = game.networks["feature_extractor"]
    rebuilt = extractor.reconstruct(extractor(batch["target"]))
    assert rebuilt.shape == batch["target"].shape
    error = ((rebuilt - batch["target"]) ** 2).sum() / batch["target"].numel()
    torch.testing.assert_close(terms.losses["reconstruction"], 0.7 * error)
    torch.testing.assert_close(terms.observed["reconstruction_error"], error.detach())


def test_a_decoder_learns_to_reconstruct():
    game, batch = game_of("model=dann", "model.game.reconstruction=1", RECONSTRUCTS)
    extractor, shades = game.networks["feature_extractor"], torch.linspace(-1, 1, 8)
    image = shades.view(8, 1, 1, 1).expand_as(batch["target"])
    optimizer = torch.optim.Adam(extractor.parameters(), lr=1e-2)
    for _ in range(60):
        error = F.mse_loss(extractor.reconstruct(extractor(image)), image)
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    assert error < 0.5 * image.var()  # the mean image comes to no less than the variance


def test_the_end_message_names_commands_that_work(tmp_path):
    run = trained(config_of("model=dann", "every.evaluate=2"), tmp_path)
    assert "gan-sample" not in end_message(run)
    assert f"next: tensorboard --logdir {tmp_path}" in end_message(run)


def test_the_bounds_are_one_setting_each():
    """What the sweep of the README goes through."""
    for bound in ("{adaptation: 0}", "{}", "{adaptation: 0, train_on: target}"):
        config = validate(composed("run=x", "experiment=dann_digits", f"model.game={bound}"))
        adapts = config.model.game["adaptation"](config.steps) > 0
        trains_on = config.model.game["train_on"]
        assert (adapts, trains_on) == (bound == "{}", "target" if "target" in bound else "source")


@pytest.mark.parametrize("size", [16, 28, 33, 64])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_networks_fit_any_image(size, norm):
    data = {"name": "synthetic", "size": size, "height": size + 3, "classes": 7}
    spec = pair_spec(datasets.build(data, where="dataset").spec)
    nodes = {
        "feature_extractor": {"norm": norm, "features": 64, "reconstructs": True},
        "label_predictor": {"features": 64},
        "domain_discriminator": {"features": 64},
    }
    extractor, predictor, discriminator = (
        networks.build({"name": f"dann_{role}", **node}, spec, where="x")
        for role, node in nodes.items()
    )
    features = extractor(torch.randn(2, *spec.shape))
    assert features.shape == (2, 64)
    assert extractor.reconstruct(features).shape == (2, *spec.shape)
    assert predictor(features).shape == (2, 7)
    assert discriminator(features).shape == (2,)


def test_on_28_pixels_the_layers_are_those_of_figure_4():
    """Weights and biases of conv 5x5 to 32 and 48 maps, fc 100-100-10 and 100-1 on 768 features."""
    config = validate(composed("run=x", "model=dann"))
    spec = pair_spec(datasets.build({"name": "mnist_5k", "size": 28}, where="dataset").spec)
    game = built(config, spec)
    counts = [sum(p.numel() for p in game.networks[role].parameters()) for role in game.averaged]
    hidden = 768 * 100 + 100
    assert counts[0] == (25 * 32 + 32) + (25 * 32 * 48 + 48)
    assert counts[1] == hidden + (100 * 100 + 100) + (100 * 10 + 10)
    assert counts[2] == hidden + (100 + 1)


@pytest.mark.parametrize(
    ("model", "loss"), itertools.product(["dann", "dann_alternating"], names("loss"))
)
def test_every_loss_plays_or_is_refused_with_advice(model, loss, tmp_path):
    chosen = (f"model={model}", f"loss={loss}")
    steps = composed(*PAIR, *chosen).loss.critic_steps
    if model == "dann" and steps > 1:
        with pytest.raises(ConfigError, match=r"critic_steps=1, or model=dann_alternating"):
            config_of(*chosen)
        chosen += ("loss.critic_steps=1",)
    refused = {"path_length": "is for a generator", "bcr": "transforms images"}
    for name in refused.keys() & composed(*PAIR, *chosen).loss.penalties.keys():
        with pytest.raises(ConfigError, match=rf"{name}: {refused[name]}.*leave it out"):
            config_of(*chosen)
        chosen += (f"~loss.penalties.{name}",)
    run = trained(config_of(*chosen), tmp_path)
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())
    line = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])
    critic = "classifier" if model == "dann" else "domain_discriminator"
    assert {"classifier/classification", f"{critic}/real_logits"} <= set(line)
    fresh, _ = game_of(*chosen)
    for role, network in run.game.networks.items():
        pairs = zip(network.parameters(), fresh.networks[role].parameters(), strict=True)
        assert any(not torch.equal(a, b) for a, b in pairs), role


@pytest.mark.parametrize("settings", [("model=dann",), ("model=dann_alternating", "loss=wgan_gp")])
def test_10_steps_are_5_and_5(settings, tmp_path):
    every = "every.checkpoint=5"
    straight = trained(config_of(*settings, every, "steps=10"), tmp_path / "straight")
    # A schedule over the steps is part of the settings, so it is the same in both parts.
    same = ("model.game.adaptation.over=10", "optimizer.lr.over=10")
    trained(config_of(*settings, every, *same, "steps=5"), tmp_path / "parts")
    resumed = trained(config_of(*settings, every, "steps=10"), tmp_path / "parts")
    left, right = tensors_of(straight), tensors_of(resumed)
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_labels_of_the_target_are_learned_only_where_known():
    game, batch = game_of("model=dann", "model.game.train_on=both", "dataset.target_labels=20")
    assert set(batch) == {"source", "source_label", "target", "target_label"}
    batch["target_label"] = torch.tensor([0, 1, 2, -1, -1, -1, -1, -1])
    predict = torch.nn.Sequential(
        game.networks["feature_extractor"], game.networks["label_predictor"]
    )
    images = torch.cat([batch["source"], batch["target"][:3]])
    labels = torch.cat([batch["source_label"], batch["target_label"][:3]])
    expected = F.cross_entropy(predict(images), labels)
    terms = game.loss(batch, ())
    torch.testing.assert_close(terms.losses["classification"], expected)
    hits = (predict(images).argmax(1) == labels).float().mean()
    torch.testing.assert_close(terms.observed["label_accuracy"], hits)


def test_the_bound_learns_from_the_target_alone():
    game, batch = game_of("model=dann", "model.game.train_on=target", "dataset.target_labels=null")
    before = game.loss(batch, ()).losses["classification"]
    batch["source_label"] = 3 - batch["source_label"]
    assert torch.equal(game.loss(batch, ()).losses["classification"], before)
    batch["target_label"] = torch.full((8,), -1)  # none known in this batch
    assert game.loss(batch, ()).losses["classification"] == 0


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (
            "model.game.train_on=both dataset.target_labels=0",
            r"train_on: 'both' needs labels .*dataset\.target_labels=null",
        ),
        (
            "model.game.train_on=target dataset.target.classes=0",
            r"train_on: 'target' needs labels .*use a target that has labels",
        ),
        ("dataset.target_labels=3", r"target_labels: has no effect; set .*train_on=both"),
        ("metrics=fd_random", "draws no samples to measure; use metrics=none"),
        ("dataset.target.classes=0", None),
        (
            "model.game.reconstruction=0.1",
            r"is 0\.1, but there is no decoder to train; .*reconstructs=true",
        ),
        (
            "model.networks.feature_extractor.reconstructs=true",
            r"the decoder would not be trained; set .*reconstruction=0\.3",
        ),
        ("model.game.reconstruction=-1", r"reconstruction: must be 0 or more, got -1\.0"),
        ("dataset.source.classes=0", r"has no 'source_label', which game 'dann' reads"),
        ("model.networks.label_predictor.name=mlp", r"label_predictor\.name: unknown network"),
    ],
)
def test_settings_that_do_not_go_with_it(override, told):
    words = override.split()
    if told is None:
        config_of("model=dann", *words)
        return
    with pytest.raises(ConfigError, match=told):
        config_of("model=dann", *words)


def test_features_must_be_as_wide_everywhere():
    config = config_of("model=dann", "model.networks.label_predictor.features=16")
    spec = datasets.build(config.dataset, where="dataset").spec
    with pytest.raises(ConfigError, match=r"feature_extractor 32, label_predictor 16, .*alone"):
        built(config, spec)


def test_a_run_is_scored_on_what_it_has_not_seen(tmp_path):
    settings = ("model=dann", "every.evaluate=1", "every.preview=2", "ema.half_life=0")
    run = trained(config_of(*settings), tmp_path)
    game = run.game
    held, predict = run.dataset.held_out(), game.networks
    for domain in ("source", "target"):
        images = held[domain] / 127.5 - 1
        classes = predict["label_predictor"](predict["feature_extractor"](images)).argmax(1)
        right = (classes == held[f"{domain}_label"]).double().mean().item()
        assert run.scores.last[f"{domain}_accuracy"] == (pytest.approx(right), 2)
    assert 0 <= run.scores.last["domain_accuracy"][0] <= 1
    assert run.scores.primary_metric == "target_accuracy"
    assert run.scores.lower_is_better == {"target_accuracy": False}
    card = json.loads((tmp_path / "cards" / "last.json").read_text())
    assert card["protocol"] == {"data": run.dataset.fingerprint()}
    assert (tmp_path / "samples" / "embedding-0000002.png").exists()


def test_an_unlabelled_target_is_scored_by_the_source(tmp_path):
    run = trained(config_of("model=dann", "dataset.target.classes=0", "every.evaluate=2"), tmp_path)
    assert set(run.scores.last) == {"source_accuracy", "domain_accuracy"}
    assert run.scores.primary_metric == "source_accuracy"


def test_domains_told_apart():
    """Two normal distributions whose means lie 2 d apart: Phi(d) of the samples are right."""
    rng = torch.Generator().manual_seed(0)
    source, target = torch.randn(20_000, generator=rng), torch.randn(5_000, generator=rng)
    for distance, right in ((0.0, 0.5), (0.5, 0.69146), (1.0, 0.84134), (3.0, 0.99865)):
        assert balanced_accuracy(source + distance, target - distance) == pytest.approx(
            right, abs=0.01
        )
    assert (
        balanced_accuracy(target - 3, source + 3) < 0.01
    )  # a critic who has it the wrong way round


@pytest.mark.slow
@pytest.mark.parametrize("command", ["sample", "fid"])
def test_there_is_nothing_to_sample_from(command, tmp_path):
    run = trained(config_of("model=dann", "every.checkpoint=2"), tmp_path)
    path = run.checkpoints.path(2)
    done = subprocess.run(
        [sys.executable, "-m", f"gan_cli.{command}", f"checkpoint={path}", "device=cpu"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode != 0
    assert f"the game 'dann' of {path} draws no samples" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
