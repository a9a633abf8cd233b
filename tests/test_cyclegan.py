"""CycleGAN: its terms by hand, the parts of its networks, and what a run of it does."""

import numpy as np
import pytest
import torch
from torch import nn

from gan_cli.config.schedules import Schedule
from gan_cli.data.spec import Field, Spec
from gan_cli.games.cyclegan import CycleGAN
from gan_cli.losses.adversarial import LeastSquares
from gan_cli.losses.objective import Objective
from gan_cli.networks.resnet_translator import ResNetTranslator
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, composed, tensors_of, trained
from tests.ranks import train_together

TINY = (
    "model=cyclegan",
    "dataset=known_map",
    "dataset@dataset.images=synthetic",
    "dataset.images={count: 40, size: 16, channels: 1, classes: 0}",
    "model.networks.to_target={width: 4, blocks: 1}",
    "model.networks.discriminator_target={width: 4, layers: 1}",
    "model.game.pool=6",
    "batch_size=4",
)


def config_of(*words):
    return validate(composed(*[w for w in SMALL if not w.startswith("dataset")], *TINY, *words))


class Times(nn.Module):
    """Multiplies images by a number."""

    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, image):
        return self.factor * image


class Mean(Times):
    """The mean of an image, times a number: one logit."""

    def forward(self, image):
        return self.factor * image.mean((1, 2, 3))


def by_hand(**options):
    """A game of linear networks, and a batch."""
    factors = {"to_target": Times(2.0), "to_source": Times(0.3)}
    factors |= {"discriminator_target": Mean(1.5), "discriminator_source": Mean(0.5)}
    game = CycleGAN(nn.ModuleDict(factors), Objective(LeastSquares(), {}), **options)
    draw = torch.Generator().manual_seed(0)
    batch = {key: torch.rand(4, 1, 2, 2, generator=draw) for key in ("source", "target")}
    return game, batch, {k: v.numpy().astype(float) for k, v in batch.items()}


def test_terms_of_the_generators():
    game, batch, x = by_hand(cycle=Schedule(10.0), identity=0.5, adversarial=2.0)
    turn = next(game.turns(0))
    assert turn.player == "generators"
    found = {name: value.item() for name, value in turn.loss(batch).losses.items()}
    judged = {"target": 1.5 * (2 * x["source"]), "source": 0.5 * (0.3 * x["target"])}
    expected = {
        # 2 * (D(fake) - 1)^2 / 2, of the mean of each image
        f"{side}_adversarial": np.mean((v.mean((1, 2, 3)) - 1) ** 2)
        for side, v in judged.items()
    } | {
        "cycle_source": 10 * np.abs(0.3 * 2 * x["source"] - x["source"]).mean(),
        "cycle_target": 10 * np.abs(2 * 0.3 * x["target"] - x["target"]).mean(),
        # each network gets images of the side that it makes
        "identity_target": 5 * np.abs(2 * x["target"] - x["target"]).mean(),
        "identity_source": 5 * np.abs(0.3 * x["source"] - x["source"]).mean(),
    }
    assert found == pytest.approx(expected, rel=1e-5)


def test_terms_of_the_discriminators():
    game, batch, x = by_hand(pool=0)
    generators, discriminators = game.turns(0)
    assert discriminators.player == "discriminators"
    assert not discriminators.draw
    generators.loss(batch)
    found = {name: value.item() for name, value in discriminators.loss(batch).losses.items()}
    real = {"target": 1.5 * x["target"], "source": 0.5 * x["source"]}
    fake = {"target": 1.5 * 2 * x["source"], "source": 0.5 * 0.3 * x["target"]}
    for side in ("target", "source"):
        r, f = (v[side].mean((1, 2, 3)) for v in (real, fake))
        expected = (np.mean((r - 1) ** 2) + np.mean(f**2)) / 2
        assert found[f"{side}_adversarial"] == pytest.approx(expected, rel=1e-5)


def test_the_weight_of_the_cycle_follows_its_schedule():
    game, batch, _ = by_hand(cycle=Schedule(10.0, 2.0, over=8))
    values = {}
    for step in (0, 4, 8):
        turn = next(game.turns(step))
        values[step] = turn.loss(dict(batch)).losses["cycle_source"].item()
    assert values[4] / values[0] == pytest.approx(0.6)
    assert values[8] / values[0] == pytest.approx(0.2)


def test_without_a_cycle_there_is_only_the_adversarial_loss():
    game, batch, _ = by_hand(cycle=Schedule(0.0), identity=0.5)
    losses = next(game.turns(0)).loss(batch).losses
    assert set(losses) == {"target_adversarial", "source_adversarial"}


def spec_of(channels=(3, 3), size=(16, 16), other=None):
    shapes = {"source": (channels[0], *size), "target": (channels[1], *(other or size))}
    return Spec({key: Field("image", shape) for key, shape in shapes.items()}, "target")


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize(("blocks", "count"), [(9, 11_378_179), (6, 7_837_699)])
def test_resnets_have_the_published_numbers_of_parameters(blocks, count):
    with torch.device("meta"):
        network = ResNetTranslator(spec_of(size=(256, 256)), blocks=blocks)
    assert parameters(network) == count


@pytest.mark.parametrize("options", [{}, {"upsampling": "resize"}, {"norm": "batch"}])
def test_resnets_take_any_channels_and_sizes(options):
    network = ResNetTranslator(spec_of((1, 4)), width=4, blocks=1, **options)
    assert network(torch.zeros(2, 1, 16, 16)).shape == (2, 4, 16, 16)
    result = network(torch.rand(1, 1, 20, 36))
    assert result.shape == (1, 4, 20, 36)
    assert result.abs().max() <= 1
    with pytest.raises(ConfigError, match="multiples of 4"):
        network(torch.zeros(1, 1, 18, 16))


@pytest.mark.parametrize("norm", ["instance", "none"])
def test_resnets_start_from_a_narrow_normal_distribution_and_norms_without_weights(norm):
    network = ResNetTranslator(spec_of(), width=8, blocks=2, norm=norm)
    weights = [p.detach() for name, p in network.named_parameters() if "weight" in name]
    assert all(w.ndim == 4 for w in weights)
    assert torch.cat([w.flatten() for w in weights]).std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (spec_of(size=(18, 16)), "halvings: images of 18 x 16 do not fit; sides are multiples of"),
        (spec_of(size=(4, 4)), "at least 8"),
        (spec_of(other=(32, 32)), "16 x 16, the other 32 x 32; set dataset.size, or dataset.crop"),
        (Spec({"real": Field("image", (3, 16, 16))}), "the data set has no 'source'"),
    ],
)
def test_images_that_do_not_fit_are_one_line(spec, words):
    with pytest.raises(ConfigError) as caught:
        ResNetTranslator(spec, width=4, blocks=1)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_identity_needs_sides_of_the_same_shape(tmp_path):
    with pytest.raises(ConfigError, match=r"model\.game\.identity: .* set model\.game\.identity=0"):
        trained(config_of("model.game.identity=0.5"), tmp_path)
    trained(config_of("model.game.identity=0.5", "dataset.map=invert", "steps=1"), tmp_path)


def assert_same(one, other):
    left, right = tensors_of(one), tensors_of(other)
    assert all(torch.equal(value, right[name]) for name, value in left.items())
    for side, pool in one.game.pools.items():
        assert torch.equal(pool.images, other.game.pools[side].images)
        assert torch.equal(pool.filled, other.game.pools[side].filled)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_resumes_bit_for_bit_with_its_pools(accumulate, tmp_path):
    words = ("every.checkpoint=2", f"accumulate={accumulate}", "device.workers=0")
    whole = trained(config_of(*words, "steps=6"), tmp_path / "whole")
    trained(config_of(*words, "steps=4"), tmp_path / "parts")
    assert_same(whole, trained(config_of(*words, "steps=6"), tmp_path / "parts"))
    assert int(whole.game.pools["source"].filled) == 6


def test_pools_of_an_edited_checkpoint_are_one_line(tmp_path):
    from gan_cli.checkpoints.files import load, save
    from gan_cli.utils.errors import StorageError

    path = trained(config_of("every.checkpoint=2"), tmp_path).checkpoints.path(2)
    state = load(path)
    for pools in (None, {"source": {}}, {"source": {"images": 3}, "target": {}}):
        save(path, {**state, "game": {**state["game"], "pools": pools}})
        with pytest.raises(StorageError) as caught:
            trained(config_of("every.checkpoint=2", "steps=4"), tmp_path)
        assert "\n" not in str(caught.value)


def test_every_network_moves_and_terms_are_named_by_side(tmp_path):
    import json

    run = trained(config_of("steps=2", "loss=wgan_gp", "loss.critic_steps=2"), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    for side in ("source", "target"):
        for key in ("adversarial", "gradient_penalty", "real_logits"):
            assert f"discriminators/{side}_{key}" in lines[0]
        assert f"generators/{side}_adversarial" in lines[0]
        assert f"generators/cycle_{side}" in lines[0]
    fresh = trained(config_of("steps=1", "optimizer.lr=1e-12"), tmp_path / "fresh").game
    for role, network in run.game.networks.items():
        assert any(
            not torch.allclose(a, b, atol=1e-6)
            for a, b in zip(network.parameters(), fresh.networks[role].parameters(), strict=True)
        ), role


@pytest.mark.slow
def test_each_process_keeps_pools_of_its_own(tmp_path):
    from gan_cli.checkpoints.files import load

    others = ("dataset.count", "model.networks.generator", "model.networks.discriminator")
    words = [*TINY, *(f"~{key}" for key in others), "every.checkpoint=3"]
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    for folder, steps in (("whole", 6), ("parts", 3), ("parts", 6)):
        ended = train_together(tmp_path / folder, *words, f"steps={steps}")
        assert ended.statuses == [0, 0], ended.errors
    states = [
        load(tmp_path / folder / "outputs/test/checkpoints/step-0000006.pt")
        for folder in ("whole", "parts")
    ]
    first, second = (rank["pools"]["target"]["images"] for rank in states[0]["ranks"])
    assert not torch.equal(first, second)
    assert torch.equal(first, states[0]["game"]["pools"]["target"]["images"])
    for rank in range(2):
        for side in ("source", "target"):
            images = [state["ranks"][rank]["pools"][side]["images"] for state in states]
            assert torch.equal(*images)
    for role, weights in states[0]["networks"].items():
        for name, value in weights.items():
            assert torch.equal(value, states[1]["networks"][role][name])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run of two steps with scores, pictures and health, and the run."""
    folder = tmp_path_factory.mktemp("runs") / "outputs" / "both"
    words = ("metrics=paired", "metrics.count=16", "health=true", "ema.half_life=0")
    config = config_of(*words, "every={log: 1, preview: 2, evaluate: 2, checkpoint: 2}")
    return folder, trained(config, folder)


def test_both_directions_are_scored_and_shown(finished):
    folder, run = finished
    directed = {"fd_random", "paired_l1", "paired_psnr"}
    expected = directed | {f"{name}_source" for name in directed}
    assert set(run.scores.last) == expected | {"cycle_l1_source", "cycle_l1_target"}
    assert run.scores.primary_metric == "fd_random"
    pictures = {path.stem.rsplit("-", 1)[0] for path in (folder / "samples").iterdir()}
    assert {"samples", "samples_source", "cycles", "cycles_source"} <= pictures
    assert "pair_accuracy" in run.health.tracker.readings[-1]


def test_scores_are_those_of_the_translations(finished):
    run = finished[1]
    held = run.dataset.held_out()
    known = {side: held[side][:16].float() / 255 for side in ("source", "target")}
    with torch.no_grad():
        to_source = run.game.networks["to_source"](2 * known["target"] - 1)
    rounded = ((to_source + 1) * 127.5).round() / 255
    found = run.scores.last["paired_l1_source"][0]
    assert found == pytest.approx((rounded - known["source"]).abs().mean().item(), abs=2e-3)
    image = run.dataset.parts()[0].tensors()["source"][:64] / 127.5 - 1
    with torch.no_grad():
        back = run.game.networks["to_source"](run.game.networks["to_target"](image))
    error = (back - image).abs().mean().item() / 2
    assert run.scores.last["cycle_l1_source"][0] == pytest.approx(error, rel=1e-3)


def sampled(folder, **options):
    from gan_cli.sampling.options import checked_options
    from gan_cli.sampling.perform import perform

    output = folder.parent / f"out-{len(list(folder.parent.iterdir()))}"
    tree = {"run": "x", "output": str(output), "format": "npz", **options}
    perform(checked_options({**tree, "device": {"accelerator": "cpu"}}), folder)
    return output


def test_gan_sample_translates_in_both_directions(finished, tmp_path):
    folder, run = finished
    held = run.dataset.held_out()
    for direction, start, role in (
        ("forward", "source", "to_target"),
        ("backward", "target", "to_source"),
    ):
        images = held[start][:3]
        np.savez(tmp_path / f"{start}.npz", images=images.permute(0, 2, 3, 1).numpy())
        given = str(tmp_path / f"{start}.npz")
        with np.load(sampled(folder, input=given, direction=direction) / "samples.npz") as file:
            found = torch.from_numpy(file["images"]).permute(0, 3, 1, 2)
        with torch.no_grad():
            expected = run.game.networks[role](images / 127.5 - 1)
        assert ((expected + 1) * 127.5 - found).abs().max() < 1


def test_gan_sample_translates_files_of_any_size(finished, tmp_path):
    from PIL import Image

    folder, _ = finished
    gray = np.random.default_rng(0).integers(0, 256, (22, 37), np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(gray).save(tmp_path / "in" / "photo.jpg")
    output = sampled(folder, input=str(tmp_path / "in"), format=None)
    with Image.open(output / "photo.png") as image:
        assert (image.size, image.mode) == ((37, 22), "RGB")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"direction": "back"}, "direction: unknown value 'back'"),
        ({"direction": "backward", "target": "source"}, "direction: stands for a target"),
        ({}, "needs samples; type input=FOLDER"),
    ],
)
def test_directions_that_do_not_exist_are_one_line(finished, options, words):
    with pytest.raises(ConfigError) as caught:
        sampled(finished[0], **options)
    assert words in str(caught.value)
    assert len(caught.value.faults) == 1


def test_a_game_of_one_direction_has_no_other(tmp_path):
    from tests.helpers import small

    words = ("model.networks.generator.width=4", "model.networks.discriminator.width=4")
    trained(small("every.checkpoint=1", "steps=1", *words), tmp_path / "run")
    with pytest.raises(ConfigError, match="direction: the model does not translate both ways"):
        sampled(tmp_path / "run", direction="forward")


def test_looking_leaves_no_trace(finished, tmp_path):
    quiet = trained(config_of("ema.half_life=0", "health=false"), tmp_path)
    assert_same(finished[1], quiet)


@pytest.mark.parametrize("penalty", ["mode_seeking", "path_length"])
def test_penalties_of_latents_are_refused(penalty):
    with pytest.raises(ConfigError, match=rf"loss\.penalties\.{penalty}: .*leave it out"):
        config_of(f"+loss.penalties.{penalty}.weight=1")
