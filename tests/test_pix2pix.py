"""pix2pix: its networks, its terms, the noise of its samples, and whole runs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from gan_cli.augment import augments
from gan_cli.data.spec import Field, Spec
from gan_cli.games.draw import draw_all
from gan_cli.games.request import Request
from gan_cli.losses.feature_matching import feature_matching
from gan_cli.losses.reconstruction import distance
from gan_cli.metrics.metric import Collected
from gan_cli.metrics.paired import PairedError
from gan_cli.networks import networks
from gan_cli.networks.patchgan import receptive_field
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.noise import Noise
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, built, composed, names, tensors_of, trained

TINY = ("model.networks.generator.width=4", "model.networks.discriminator.width=4")
IMAGES = ("dataset.images.size=16", "dataset.images.count=40", "dataset.images.classes=0")
PAIRS = ("dataset=paired", "dataset@dataset.images=synthetic", *IMAGES)
PHOTO = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
CPU = {"device": {"accelerator": "cpu"}}
UNFIT = ("stylegan2", "icr", "bcr")  # losses with penalties on latents, or on single images
EDGES = ("degradation@dataset.degradation=edges", "model.networks.discriminator.layers=2")


def config_of(*words: str):
    kept = [word for word in SMALL if not word.startswith("dataset")]
    return validate(composed(*kept, "model=pix2pix", *PAIRS, *EDGES, *TINY, *words))


def spec_of(source: int, target: int, *size: int) -> Spec:
    fields = {"source": Field("image", (source, *size)), "target": Field("image", (target, *size))}
    return Spec(fields, "target")


def network(name: str, spec: Spec, **options) -> nn.Module:
    torch.manual_seed(0)
    return networks.build({"name": name, **options}, spec, where="")


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


# ---- Networks


def test_networks_have_the_published_numbers_of_parameters():
    with torch.device("meta"):
        large, small = spec_of(3, 3, 256, 256), spec_of(3, 3, 128, 128)
        assert count(network("unet", large, norm="batch")) == 54_413_955  # U-Net-256
        assert count(network("unet", small, norm="batch")) == 41_828_995  # U-Net-128
        assert count(network("patchgan", spec_of(3, 6, 256, 256), norm="batch")) == 2_768_705
        assert count(network("patchgan", large, norm="instance")) == 2_764_737


@pytest.mark.parametrize("size", [(16, 16), (32, 48), (8, 4)])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
def test_the_unet_keeps_the_size_and_takes_other_multiples(size, upsampling):
    unet = network("unet", spec_of(1, 3, *size), width=4, upsampling=upsampling).eval()
    larger = (size[0] + unet.multiple, size[1] + 2 * unet.multiple)
    for height, width in (size, larger):
        assert unet(torch.randn(2, 1, height, width)).shape == (2, 3, height, width)
    with pytest.raises(ConfigError, match=f"takes multiples of {unet.multiple}"):
        unet(torch.randn(2, 1, size[0] + 1, size[1]))


def test_sizes_that_cannot_be_halved_are_refused_with_those_that_can():
    with pytest.raises(ConfigError, match=r"28 x 28 can be halved 2 times.* multiples of 8.*=2"):
        network("unet", spec_of(1, 1, 28, 28), depth=3)
    with pytest.raises(ConfigError, match=r"15 x 16 can be halved not once.* multiples of 4"):
        network("unet", spec_of(1, 1, 15, 16))


def test_networks_from_image_to_image_need_both():
    with pytest.raises(ConfigError, match="has no 'source'; use dataset=paired"):
        network("unet", Spec({"target": Field("image", (1, 8, 8))}, "target"))
    fields = {"source": Field("vector", (9,)), "target": Field("image", (1, 8, 8))}
    with pytest.raises(ConfigError, match="'source' is of kind vector"):
        network("unet", Spec(fields, "target"))


def test_an_output_sees_all_levels_of_the_unet():
    """Its own place moves it most, through the outer maps, and all others through the inner."""
    unet = network("unet", spec_of(1, 1, 16, 16), width=4, dropout=0.0).eval()
    image = torch.randn(1, 1, 16, 16, requires_grad=True)
    unet(image)[0, 0, 8, 8].backward()
    reached = image.grad[0, 0] != 0
    assert reached.all()  # through the innermost map
    near = image.grad[0, 0, 5:12, 5:12].abs().mean()
    assert near > 1.5 * image.grad.abs().mean()


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_a_logit_sees_its_patch_and_nothing_else(layers):
    side = receptive_field(layers)
    assert side == {0: 1, 1: 16, 2: 34, 3: 70}[layers]
    spec = spec_of(1, 1, 96, 96)
    patchgan = network("patchgan", spec, width=2, layers=layers, norm="none").eval()
    image = torch.zeros(1, 1, 96, 96, requires_grad=True)
    logits = patchgan.maps(image)[0][-1]
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    rows = (image.grad[0, 0] != 0).any(1).nonzero()
    assert rows.max() - rows.min() + 1 == side


def test_a_patch_may_be_the_whole_image():
    patchgan = network("patchgan", spec_of(1, 3, 32, 32), width=2, layers=None, norm="none")
    image = torch.zeros(1, 3, 32, 32, requires_grad=True)
    patchgan(image)[0, 0].backward()
    assert (image.grad != 0).all()


def test_scales_judge_smaller_images_with_networks_of_their_own():
    spec = spec_of(1, 3, 64, 64)
    one = network("patchgan", spec, width=2, layers=1)
    three = network("patchgan", spec, width=2, layers=1, scales=3)
    assert count(three) == 3 * count(one)
    image = torch.randn(2, 3, 64, 64)
    assert three(image).shape[1] == 3 * one(image).shape[1]  # each scale counts as much
    sizes = [maps[0].shape[-1] for maps in three.maps(image)]
    assert sizes == [32, 16, 8]
    with pytest.raises(ConfigError, match=r"64 x 64 are too small for 3; type layers=2, or fewer"):
        network("patchgan", spec, scales=3)


# ---- Terms


def test_distances_are_means_over_elements():
    output, target = torch.tensor([[0.0, 3.0]]), torch.tensor([[0.5, 1.0]])
    assert distance("l1", output, target).item() == pytest.approx((0.5 + 2) / 2)
    assert distance("l2", output, target).item() == pytest.approx((0.25 + 4) / 2)
    assert distance("smooth_l1", output, target).item() == pytest.approx((0.125 + 1.5) / 2)


def test_matched_features_are_those_before_the_logits():
    ones, zeros = torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    output, target = [[ones, 3 * ones, 9 * ones]], [[zeros, ones, zeros]]
    assert feature_matching(output, target).item() == pytest.approx((1 + 2) / 2)
    assert feature_matching(output * 2, [[zeros, ones, zeros], [ones, ones, zeros]]).item() == (
        pytest.approx((1 + 2 + 0 + 2) / 4)
    )


def batch_of(game, size=16, number=4):
    generator = torch.Generator().manual_seed(1)
    source, target = (torch.rand(number, c, size, size, generator=generator) for c in (1, 3))
    return {"source": source, "target": target}


def test_the_loss_of_the_generator_has_the_published_terms():
    game = built(config_of("model.game.feature_matching=10", "loss=lsgan"))
    game.networks.eval()
    batch = batch_of(game)
    terms = game.generator_loss(batch).losses
    fake = game.networks["generator"](batch["source"])
    pair = torch.cat([batch["source"], fake], 1)
    logits = game.networks["discriminator"](pair)
    assert terms["adversarial"].item() == pytest.approx(((logits - 1) ** 2).mean().item() / 2)
    error = (fake - batch["target"]).abs().mean()
    assert terms["reconstruction"].item() == pytest.approx(100 * error.item(), rel=1e-5)
    maps = game.networks["discriminator"].maps(pair)[0][:-1]
    true = torch.cat([batch["source"], batch["target"]], 1)
    others = game.networks["discriminator"].maps(true)[0][:-1]
    errors = [(a - b).abs().mean() for a, b in zip(maps, others, strict=True)]
    assert terms["feature_matching"].item() == pytest.approx(10 * torch.stack(errors).mean().item())


def test_matched_features_do_not_train_towards_the_generator():
    """Only the generator's side has a gradient."""
    game = built(config_of("model.game={adversarial: 1, reconstruction: 0, feature_matching: 1}"))
    batch = batch_of(game)
    batch["target"].requires_grad_(True)
    game.generator_loss(batch).losses["feature_matching"].backward()
    assert batch["target"].grad is None


def test_the_discriminator_sees_the_source_unless_told_otherwise():
    for conditional, channels in ((True, 4), (False, 3)):
        game = built(config_of(f"model.game.conditional={str(conditional).lower()}"))
        first = game.networks["discriminator"].scales[0].convolutions[0]
        assert first.in_channels == channels
        batch = batch_of(game)
        critic = game.critic("discriminator", batch)
        before = critic(batch["target"])
        batch["source"] = -batch["source"]
        assert torch.equal(before, game.critic("discriminator", batch)(batch["target"])) == (
            not conditional
        )


def test_one_draw_augments_source_and_target():
    game = built(config_of())
    node = {"name": "diffaugment", "policy": ["translation"], "translation": 0.4}
    game.augment = augments.build(node, where="augment")
    image = torch.rand(16, 3, 16, 16)
    seen = game.seen(image, {"source": image[:, :1]})
    assert torch.equal(seen[:, 0], seen[:, 1])
    assert not torch.equal(seen[:, 1:], image)


def test_without_an_adversarial_loss_the_discriminator_stays_as_it_is(tmp_path):
    config = config_of("model.game.adversarial=0")
    before, run = built(config), trained(config, tmp_path)
    for role, moves in (("generator", True), ("discriminator", False)):
        pairs = zip(
            before.networks[role].parameters(), run.game.networks[role].parameters(), strict=True
        )
        assert any(not torch.equal(a, b) for a, b in pairs) == moves


# ---- Noise of samples


def test_dropout_of_samples_follows_their_seeds(tmp_path):
    game = built(config_of())
    source = torch.rand(1, 1, 16, 16).expand(6, -1, -1, -1)
    request = Request([1, 2, 3, 4, 5, 1], given={"source": source})
    outputs = draw_all(game, request)
    assert torch.equal(outputs[0], outputs[5])  # one seed, one source: one output
    assert len({output.sum().item() for output in outputs}) == 5
    alone = draw_all(game, Request([3], given={"source": source[:1]}))
    assert torch.equal(alone[0], outputs[2])
    game = built(config_of("model.networks.generator.sampling_noise=false"))
    assert len({output.sum().item() for output in draw_all(game, request)}) == 1


def test_dropout_drops_its_share_and_keeps_the_mean():
    from gan_cli.networks.layers.seeded_dropout import SeededDropout

    drop, ones = SeededDropout(0.25).eval(), torch.ones(64, 8, 4, 4)
    assert torch.equal(drop(ones), ones)
    found = drop(ones, Noise(range(64)))
    assert found.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (found == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert torch.equal(SeededDropout(1.0).eval()(ones, Noise(range(64))), torch.zeros_like(ones))


# ---- Runs


@pytest.mark.parametrize("loss", [name for name in names("loss") if name not in UNFIT])
def test_every_loss_plays(loss, tmp_path):
    run = trained(config_of(f"loss={loss}"), tmp_path)
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())


@pytest.mark.parametrize("loss", [name for name in UNFIT if name in names("loss")])
def test_a_loss_with_penalties_on_something_else_is_refused(loss):
    with pytest.raises(ConfigError, match=r"loss\.penalties\.\w+: .* leave it out"):
        config_of(f"loss={loss}")


def test_a_resumed_run_continues_bit_for_bit(tmp_path):
    words = ("augment=diffaugment", "every.checkpoint=2", "model.networks.discriminator.scales=2")
    words = (*words, "model.networks.discriminator.layers=1")
    whole = tensors_of(trained(config_of(*words, "steps=4"), tmp_path / "whole"))
    trained(config_of(*words, "steps=2"), tmp_path / "parts")
    parts = tensors_of(trained(config_of(*words, "steps=4"), tmp_path / "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_first_blocks_stay_as_they_are_if_asked(tmp_path):
    words = ("model.networks.discriminator.scales=2", "model.networks.discriminator.layers=1")
    frozen = config_of(*words, "model.freeze={generator: 2, discriminator: 1}")
    before, after = built(frozen), trained(frozen, tmp_path).game
    moved = {
        f"{role}.{name}"
        for role in ("generator", "discriminator")
        for (name, a), b in zip(
            before.networks[role].named_parameters(),
            after.networks[role].parameters(),
            strict=True,
        )
        if not torch.equal(a, b)
    }
    assert not {
        name for name in moved if name.startswith(("generator.downs.0", "generator.downs.1"))
    }
    assert not {name for name in moved if ".convolutions.0." in name}
    assert {"generator.downs.2.weight", "discriminator.scales.1.convolutions.1.weight"} <= moved


def test_a_run_shows_and_scores_held_out_pairs(tmp_path):
    words = ("metrics=paired", "metrics.count=16", "every={preview: 2, evaluate: 2, checkpoint: 2}")
    run = trained(config_of(*words, "health=true"), tmp_path)
    taken = {path.stem.rsplit("-", 1)[0] for path in (tmp_path / "samples").iterdir()}
    assert taken == {"real", "real_source", "samples", "translations"}
    held = run.dataset.held_out()
    given = {"source": held["source"].float() / 127.5 - 1}
    outputs = draw_all(run.ema.game, Request(range(4), given=given))
    pixels = ((outputs + 1) * 127.5).round().clamp(0, 255)
    error = (pixels - held["target"]).abs().mean() / 255
    assert run.scores.last["paired_l1"][0] == pytest.approx(error.item(), abs=1e-4)
    assert 0 < run.scores.last["paired_psnr"][0] < 30


@pytest.mark.parametrize("given", [{"input": "photo.png"}, {"dataset": {}}])
def test_a_truncation_of_no_latent_is_refused(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained(config_of("every.checkpoint=2"), Path("outputs/mine"))
    Image.fromarray(PHOTO).save("photo.png")
    with pytest.raises(ConfigError, match=r"^truncation: .*leave it out"):
        perform(
            checked_options({"run": "mine", "truncation": 0.5} | given | CPU), Path("outputs/mine")
        )


def test_label_maps_are_shown_and_translated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for key in ("maps", "photos"):
        (tmp_path / key).mkdir()
        for i in range(12):
            pixels = random.integers(0, 5 if key == "maps" else 256, (16, 16), np.uint8)
            Image.fromarray(pixels).save(tmp_path / key / f"{i}.png")
    words = ("dataset=paired", "dataset.source=maps", "dataset.target=photos", *TINY)
    words = (*words, "dataset.source_classes=5", "dataset.channels=1", "dataset.held_out=0.25")
    kept = [word for word in SMALL if not word.startswith("dataset")]
    saves = ("every={preview: 2, checkpoint: 2}", "model.networks.discriminator.layers=2")
    tree = composed(*kept, "model=pix2pix", *words, *saves)
    trained(validate(tree), Path("outputs/maps"))
    assert Image.open("outputs/maps/samples/translations-0000002.png").size[0] > 16
    given = {"run": "maps", "input": "maps/3.png", "output": "made"} | CPU
    perform(checked_options(given), Path("outputs/maps"))
    assert Image.open("made/3.png").size == (16, 16)
    wrong = {"run": "maps", "input": "photos/3.png", "output": "other"} | CPU
    with pytest.raises(ConfigError, match=r"has class \d+, and the classes .* are 0 to 4"):
        perform(checked_options(wrong), Path("outputs/maps"))


def test_own_previews_show_held_out_pairs(tmp_path):
    run = trained(config_of("every.preview=2", "dataset.held_out=0.2"), tmp_path)
    held = run.dataset.held_out()
    shown = run.previews.own
    assert len(shown["source"]) == 8
    assert torch.equal(((shown["target"] + 1) * 127.5).round().byte(), held["target"])
    again = trained(config_of("every.preview=2", "dataset.held_out=0"), tmp_path / "none")
    assert again.previews.own is again.previews.batch


def test_errors_of_pairs_are_those_of_their_pixels():
    truth = torch.full((2, 1, 4, 4), 100, dtype=torch.uint8)
    output = truth.clone()
    output[0] += 51  # a fifth of the range
    found = PairedError()(Collected(None), Collected(2, pairs=(output, truth)))
    assert found["paired_l1"] == pytest.approx(0.1)
    assert found["paired_psnr"] == pytest.approx((-20 * np.log10(0.2) + 100) / 2)


def test_a_folder_of_sources_is_translated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained(config_of("every.checkpoint=2"), Path("outputs/mine"))
    (tmp_path / "photos").mkdir()
    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 256, (16, 16), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"photo{i}.png")
    options = checked_options({"run": "mine", "input": "photos", "output": "made"} | CPU)
    perform(options, Path("outputs/mine"))
    for i in range(3):
        with Image.open(tmp_path / "made" / f"photo{i}.png") as image:
            assert (image.mode, image.size) == ("RGB", (16, 16))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["loss=stylegan2"], "loss.penalties.path_length: differentiates a generator by its lat"),
        (["model.game={adversarial: 0, reconstruction: 0}"], "model.game.reconstruction: all wei"),
        (
            ["model.game={adversarial: 0, feature_matching: 1}"],
            "model.game.feature_matching: with adversarial=0 the discriminator is not trained",
        ),
        (["model.networks.discriminator.layers=11"], "must be between 0 and 10"),
        (["dataset.held_out=0", "metrics=paired"], "metrics.compute.paired: needs held-out"),
    ],
    ids=lambda value: None,
)
def test_what_does_not_go_together_is_refused(words, told):
    with pytest.raises(ConfigError) as raised:
        config_of(*words)
    assert any(told in fault for fault in raised.value.faults), raised.value.faults
