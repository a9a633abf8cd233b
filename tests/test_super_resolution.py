"""Super-resolution: networks, both games, their metrics, patches of photos, and whole runs."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torchmetrics.functional.image import peak_signal_noise_ratio

import gan_cli
from gan_cli.data.sets.paired import Paired
from gan_cli.data.sets.patches import Patches
from gan_cli.deployment.formats import model_formats
from gan_cli.deployment.options import checked_options
from gan_cli.deployment.perform import perform
from gan_cli.games.content import Content
from gan_cli.games.draw import draw_all
from gan_cli.games.request import Request
from gan_cli.metrics.fidelity import gradient_energy, luma, psnr, ssim
from gan_cli.metrics.metric import Collected
from gan_cli.metrics.super_resolution import SuperResolutionError
from gan_cli.networks import networks
from gan_cli.utils.bicubic import enlarged, resized
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, built, composed, tensors_of, trained
from tests.super_resolution import built as network
from tests.super_resolution import spec_of

IMAGES = ("dataset.images.size=32", "dataset.images.count=40", "dataset.images.classes=0")
PAIRS = ("dataset=paired", "dataset@dataset.images=synthetic", *IMAGES)
LOW = ("degradation@dataset.degradation=downscale", "dataset.degradation.factor=2")
GENERATORS = {
    "srresnet": ("width=4", "blocks=1"),
    "msrresnet": ("width=4", "blocks=1"),
    "rrdb": ("width=4", "blocks=1", "growth=4"),
    "srgan": ("width=4", "blocks=1"),
    "msrgan": ("width=4", "blocks=1"),
    "esrgan": ("width=4", "blocks=1", "growth=4"),
}
GANS = ("srgan", "msrgan", "esrgan")
CRITIC = ("model.networks.discriminator.width=4", "model.networks.discriminator.hidden=8")
RANDOM = ("model.game.features.name=random", "+model.game.features.width=4")


def config_of(model: str, *words: str):
    kept = [word for word in SMALL if not word.startswith("dataset")]
    tiny = [f"model.networks.generator.{option}" for option in GENERATORS[model]]
    tiny += [*CRITIC, *RANDOM] if model in GANS else []
    return validate(composed(*kept, f"model={model}", *PAIRS, *LOW, *tiny, *words))


# ---- Networks


def count(name: str, size: int, factor: int = 4, **options) -> int:
    with torch.device("meta"):
        made = networks.build({"name": name, **options}, spec_of(size, factor), where="")
    return sum(parameter.numel() for parameter in made.parameters())


def test_networks_have_the_published_numbers_of_parameters():
    assert count("srresnet", 24) == 1_549_462
    assert count("msrresnet", 24) == 1_517_571
    assert count("rrdb", 32) == 16_697_987
    assert count("rrdb", 32, blocks=6) == 4_467_779
    assert count("srgan_discriminator", 24) == 23_565_505  # 96 x 96
    assert count("esrgan_discriminator", 32) == 14_499_401  # 128 x 128
    assert count("esrgan_discriminator", 64) == 21_055_049  # 256 x 256


SMALL_NETWORKS = {
    "srresnet": {"width": 4, "blocks": 1},
    "msrresnet": {"width": 4, "blocks": 1},
    "rrdb": {"width": 4, "blocks": 1, "growth": 4},
}


@pytest.mark.parametrize("name", SMALL_NETWORKS)
@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8])
def test_generators_enlarge_images_of_any_size(name, factor):
    made = network(name, 16, factor, **SMALL_NETWORKS[name])
    for height, width in ((16, 16), (7, 10), (1, 3)):
        assert made(torch.randn(2, 3, height, width)).shape == (
            2,
            3,
            factor * height,
            factor * width,
        )


def test_the_network_without_norm_starts_near_the_bilinear_enlargement():
    made, images = network("msrresnet", width=8, blocks=2), torch.rand(1, 3, 9, 9)
    bilinear = F.interpolate(images, scale_factor=4, mode="bilinear")
    assert (made(images) - bilinear).abs().max() < 0.2 * bilinear.std()


def test_blocks_start_with_a_fifth_of_their_input_added_to_it():
    """Weights are a tenth of Kaiming's, so that dense blocks start near the identity."""
    block, x = network("rrdb", width=16, blocks=1).blocks, torch.randn(1, 16, 8, 8)
    weight = block[0].dense[0].convs[0].weight  # (growth, width, 3, 3)
    assert weight.std().item() == pytest.approx(0.1 * (2 / (16 * 9)) ** 0.5, rel=0.05)
    assert 0 < (block(x) - 1.2 * x).abs().max() < 0.02


@pytest.mark.parametrize("name", ["srgan_discriminator", "esrgan_discriminator"])
@pytest.mark.parametrize("size", [(16, 16), (28, 40), (33, 64)])
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_discriminators_take_crops_of_any_size(name, size, norm):
    spec = spec_of().with_shape((3, *size))
    made = networks.build({"name": name, "width": 4, "hidden": 8, "norm": norm}, spec, where="")
    assert made(torch.randn(3, 3, *size)).shape == (3,)
    norms = [m for m in made.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(norms) == (len(made.convs) - 1 if norm == "batch" else 0)


@pytest.mark.parametrize(
    ("name", "spec", "message"),
    [
        ("srresnet", spec_of(4, 5), r"^name: .* 1, 2, 3, 4, 8 or 16 times.*4 x 4 and 20 x 20"),
        ("rrdb", spec_of(4).with_shape((3, 16, 8)), r"^name: .*4 x 4 and 16 x 8"),
        ("srgan_discriminator", spec_of(2), r"^name: .*16 x 16 or more.*\(3, 8, 8\)"),
        ("esrgan_discriminator", spec_of(2), r"^name: .*16 x 16 or more.*\(3, 8, 8\)"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(name, spec, message):
    with pytest.raises(ConfigError) as error:
        networks.build({"name": name}, spec, where="x")
    (fault,) = error.value.faults
    assert re.search(message, fault.removeprefix("x."))


# ---- Games


@pytest.mark.parametrize("model", GENERATORS)
def test_each_model_trains_and_draws_what_it_enlarges(model, tmp_path):
    config = config_of(model, "every.preview=2")
    before, run = built(config), trained(config, tmp_path)
    assert run.step == 2
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())
    for role, made in run.game.networks.items():
        pairs = zip(before.networks[role].parameters(), made.parameters(), strict=True)
        assert any(not torch.equal(a, b) for a, b in pairs), role
    logged = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])
    terms = {key.partition("/")[2] for key in logged if key.startswith("generator/")}
    wanted = {"reconstruction"} if model not in GANS else {"perceptual", "adversarial"}
    assert wanted <= terms
    source = torch.rand(3, 3, 10, 12) * 2 - 1  # of another size than the data's
    drawn = draw_all(run.game, Request([0, 1, 2], given={"source": source}))
    assert drawn.shape == (3, 3, 20, 24)
    assert (tmp_path / "samples" / "comparison-0000002.png").is_file()


def test_the_content_loss_ties_outputs_to_targets():
    """Of two equal outputs, that with its true target has the smaller loss."""
    game = built(config_of("srresnet"))
    source = torch.rand(4, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        output = game.generate(source)
        batch = {"source": source, "target": output}
        assert game.generator_loss(batch).losses["reconstruction"] == 0
        batch["target"] = output.flip(0)
        assert game.generator_loss(batch).losses["reconstruction"] > 0


def test_terms_of_the_generator_have_their_weights():
    words = ("model.game.reconstruction=0.5", "model.game.adversarial=0.25")
    weighted, plain = (
        built(config_of("esrgan", "model.game.perceptual=0", *chosen))
        for chosen in (words, ("model.game.reconstruction=1", "model.game.adversarial=1"))
    )
    torch.manual_seed(0)
    batch = {"source": torch.rand(4, 3, 16, 16), "target": torch.rand(4, 3, 32, 32)}
    mine, whole = (game.generator_loss(dict(batch)).losses for game in (weighted, plain))
    torch.testing.assert_close(mine["reconstruction"], 0.5 * whole["reconstruction"])
    torch.testing.assert_close(mine["adversarial"], 0.25 * whole["adversarial"])


def test_features_are_in_no_checkpoint(tmp_path):
    run = trained(config_of("esrgan"), tmp_path)
    assert run.game.content.network is not None
    assert set(run.game.networks) == {"generator", "discriminator"}
    assert not any("features" in key for key in tensors_of(run))


def test_a_gan_starts_from_the_generator_alone(tmp_path):
    first = trained(config_of("srresnet", "every.checkpoint=2", "ema.half_life=0"), tmp_path / "a")
    path = tmp_path / "a" / "checkpoints" / "step-0000002.pt"
    words = ("ema.half_life=0", f"model.pretrained.generator={path}", "optimizer.lr=1e-30")
    second = trained(config_of("srgan", *words), tmp_path / "b")
    for name, weight in first.game.networks["generator"].named_parameters():
        assert torch.equal(weight, second.game.networks["generator"].get_parameter(name)), name


@pytest.mark.parametrize(
    ("model", "words", "message"),
    [
        ("srresnet", ["model.game.reconstruction=0"], r"reconstruction: is 0, and no features"),
        ("srgan", ["model.game.adversarial=0"], r"adversarial: is 0, so that the discriminator"),
        ("srgan", ["model.game.perceptual=0"], r"reconstruction: is 0, and no features"),
        ("srresnet", ["model.game.distance=l3"], r"model\.game\.distance: unknown value 'l3'"),
        ("srgan", ["model.game.features.name=vgg11"], r"model\.game\.features\.name: .*vgg19"),
        ("srresnet", ["model.game.features=3"], r"model\.game\.features: expected a name or the"),
        ("srresnet", ["model.networks.generator.blocks=0"], r"blocks: must be at least 1"),
    ],
)
def test_settings_without_effect_or_meaning_are_refused(model, words, message):
    with pytest.raises(ConfigError, match=message) as error:
        config_of(model, *words)
    assert all("\n" not in fault for fault in error.value.faults)


@pytest.mark.parametrize("penalty", ["path_length", "mode_seeking", "zcr_generator"])
def test_penalties_of_latents_are_refused(penalty):
    told = (
        f"{penalty}: differentiates a generator by its latents, and that of game 'srgan' has none"
    )
    with pytest.raises(ConfigError, match=told):
        validate(composed("run=x", "model=srgan", f"+loss.penalties.{penalty}.weight=1"))


def test_data_without_pairs_are_refused():
    with pytest.raises(ConfigError, match="'mnist_5k' has no 'source', which game"):
        validate(composed("run=x", "model=srresnet", "dataset=mnist_5k", "metrics=none"))


# ---- Degradation and metrics


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth image (H, W, 3) with some texture."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    grid = np.mgrid[:height, :width].sum(0)[..., None]
    waves = np.sin(grid / 5 + np.arange(3))
    return np.clip(127 + 80 * waves + 12 * noise, 0, 255).astype(np.uint8)


def test_the_degradation_is_pillows_bicubic_up_to_rounding():
    image = photo(48, 64)
    torch.manual_seed(0)
    from gan_cli.data.degradations.downscale import downscale
    from gan_cli.utils.noise import Noise

    stored = torch.from_numpy(image).permute(2, 0, 1)[None]
    ours = downscale(stored, Noise([0]), factor=4)[0].permute(1, 2, 0).numpy()
    pillow = Image.fromarray(image).resize((16, 12), Image.Resampling.BICUBIC)
    assert np.abs(ours.astype(int) - np.asarray(pillow)).max() <= 1


def test_bicubic_resizing_is_pillows_for_any_channels():
    image = photo(9, 7)
    expected = Image.fromarray(image).resize((28, 36), Image.Resampling.BICUBIC)
    assert np.array_equal(resized(image, (36, 28)), expected)
    stored = torch.from_numpy(image).permute(2, 0, 1)[None]
    assert np.array_equal(enlarged(stored, (36, 28))[0].permute(1, 2, 0), expected)
    alpha = np.dstack([image, np.zeros((9, 7), np.uint8)])  # transparent, not black
    assert np.array_equal(resized(alpha, (36, 28))[..., :3], expected)


def test_psnr_against_torchmetrics_and_its_limits():
    torch.manual_seed(0)
    one, other = (torch.randint(0, 256, (3, 3, 8, 9)).to(torch.uint8) for _ in range(2))
    expected = [
        peak_signal_noise_ratio(a.double(), b.double(), data_range=255.0)
        for a, b in zip(one, other, strict=True)
    ]
    torch.testing.assert_close(psnr(one, other), torch.stack(expected).double())
    assert psnr(one, one).tolist() == [100.0] * 3


def test_luma_is_bt601():
    colours = {(0, 0, 0): 16, (255, 255, 255): 235, (255, 0, 0): 81.481, (0, 0, 255): 40.966}
    pixels = torch.tensor(list(colours), dtype=torch.uint8)[:, :, None, None]
    expected = torch.tensor(list(colours.values()), dtype=torch.float64)
    torch.testing.assert_close(luma(pixels)[:, 0, 0, 0], expected, atol=2e-3, rtol=0)
    gray = luma(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1))
    torch.testing.assert_close(
        gray.flatten(), torch.tensor([16.0, 235.0]).double(), atol=1e-6, rtol=0
    )


def test_ssim_of_constant_images_is_the_luminance_term():
    """Without variance it is (2 a b + c) / (a^2 + b^2 + c), c = (0.01 * 255)^2."""
    a, b, c = 100.0, 140.0, 2.55**2
    flat = [torch.full((1, 1, 16, 16), value) for value in (a, b)]
    expected = (2 * a * b + c) / (a * a + b * b + c)
    assert ssim(*flat).item() == pytest.approx(expected, abs=1e-6)


def test_sharpness_falls_with_blur():
    image = torch.from_numpy(photo(32, 32)).permute(2, 0, 1)[None]
    blurred = F.avg_pool2d(image.float(), 3, 1)
    assert gradient_energy(blurred) < 0.5 * gradient_energy(image)
    step = torch.zeros(1, 1, 2, 2)
    step[..., 1] = 255.0  # one of both directions differs by 1
    assert gradient_energy(step).item() == pytest.approx(0.5)


def collected(output: torch.Tensor, truth: torch.Tensor, small: torch.Tensor) -> Collected:
    return Collected(len(output), pairs=(output, truth), pair_inputs=small)


def test_the_metric_has_the_border_the_channels_and_the_yardstick_of_papers():
    truths = [photo(48, 40, seed) for seed in (0, 1)]
    truth, small = (
        torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        for images in (truths, [resized(image, (12, 10)) for image in truths])
    )
    bicubic = enlarged(small, (48, 40))
    values = SuperResolutionError()(Collected(2), collected(bicubic, truth, small))
    cut = [luma(images)[..., 4:-4, 4:-4] for images in (bicubic, truth)]
    error = (cut[0] - cut[1]).square().flatten(1).mean(1)
    by_hand = (10 * (255**2 / error).log10()).mean().item()
    assert values["psnr_y"] == values["psnr_y_bicubic"] == pytest.approx(by_hand)
    assert values["psnr_gain"] == 0
    assert next(iter(values)) == "psnr_y"
    assert values["psnr"] < values["psnr_y"]  # the channels' range is larger than that of luma
    assert values["sharpness"] == values["sharpness_bicubic"] < 1
    perfect = SuperResolutionError(border=0)(Collected(2), collected(truth, truth, small))
    assert perfect["psnr_y"] == 100
    assert perfect["ssim_y"] == pytest.approx(1)
    assert perfect["sharpness"] == pytest.approx(1)


def test_a_border_that_leaves_nothing_is_refused():
    truth, small = torch.zeros(1, 3, 16, 16).byte(), torch.zeros(1, 3, 4, 4).byte()
    with pytest.raises(
        ConfigError, match=r"border: 4 .*leave 8 of 16.*border=0, or metrics=paired"
    ):
        SuperResolutionError()(Collected(1), collected(truth, truth, small))


def test_a_run_is_scored_on_pairs_that_it_never_trains_on(tmp_path):
    words = ("metrics=super_resolution", "every.evaluate=2", "dataset.held_out=0.25")
    trained(config_of("msrresnet", *words), tmp_path)
    card = json.loads((tmp_path / "cards" / "last.json").read_text())
    assert {"psnr_y", "ssim_y", "psnr_y_bicubic", "psnr_gain", "sharpness"} <= card["values"].keys()
    gain = card["values"]["psnr_y"] - card["values"]["psnr_y_bicubic"]
    assert card["values"]["psnr_gain"] == pytest.approx(gain)
    assert card["metrics"]["super_resolution"]["border"] is None
    assert not card["lower_is_better"]["psnr_y"]


# ---- Patches


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, (height, width) in enumerate([(20, 33), (16, 16), (41, 24)]):
        Image.fromarray(photo(height, width, i)).save(folder / f"{i}.png")
    return folder


def test_patches_cover_images_of_any_sizes(photos):
    data = Patches(path=str(photos), size=16, stride=8)
    assert [data.groups.eq(i).sum().item() for i in range(3)] == [2 * 4, 1, 5 * 2]
    covered = [np.zeros(shape) for shape in ((20, 33), (16, 16), (41, 24))]
    images = [np.asarray(Image.open(photos / f"{i}.png")) for i in range(3)]
    for i, (which, top, left) in enumerate(data.places.tolist()):
        patch = data[i]["real"].permute(1, 2, 0).numpy()
        assert np.array_equal(patch, images[which][top : top + 16, left : left + 16])
        covered[which][top : top + 16, left : left + 16] = 1
    assert all(whole.all() for whole in covered)


def test_patches_that_do_not_fit_into_memory_are_decoded_again(photos, monkeypatch):
    held = Patches(path=str(photos), size=16)
    monkeypatch.setattr("gan_cli.data.sets.patches.KEPT_BYTES", 0)
    read = Patches(path=str(photos), size=16)
    assert len(held) == len(read)
    assert all(torch.equal(held[i]["real"], read[i]["real"]) for i in range(len(held)))
    assert held.fingerprint() == read.fingerprint()
    assert held.fingerprint() != Patches(path=str(photos), size=16, stride=4).fingerprint()


def test_photos_are_trained_on_or_held_out_as_a_whole(photos):
    images = {"name": "patches", "path": str(photos), "size": 16, "stride": 8, "channels": 3}
    images |= {"hflip": False, "skip_broken": False}
    pairs = Paired(
        images=images, degradation={"name": "downscale", "factor": 2, "kernel": "bicubic"},
        held_out=0.3,
    )  # fmt: skip
    data = Patches(path=str(photos), size=16, stride=8)
    held = pairs.held_out()["target"]
    groups = {
        data.groups[i].item()
        for i in range(len(data))
        if any(torch.equal(data[i]["real"], image) for image in held)
    }
    assert len(groups) == 1
    assert len(held) == data.groups.eq(groups.pop()).sum()
    assert len(pairs) + len(held) == len(data)


def test_patches_that_cannot_be_cut_are_refused(photos):
    with pytest.raises(ConfigError, match=r"dataset\.size: is 32, and 3 images .*dataset\.size=16"):
        Patches(path=str(photos), size=32)
    (photos / "broken.png").write_bytes(b"no image")
    with pytest.raises(ConfigError, match=r"1 of 4 images cannot be used.*skip_broken=true"):
        Patches(path=str(photos), size=16)
    assert len(Patches(path=str(photos), size=16, skip_broken=True).names) == 3


# ---- Exports


def test_onnx_takes_images_of_any_size(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    trained(config_of("msrresnet", "every.checkpoint=2"), tmp_path / "outputs/x")
    perform(checked_options({"run": "x", "output": "out", "format": "onnx"}), Path("outputs/x"))
    network = gan_cli.load("outputs/x", device="cpu").network("generator")
    run, file = model_formats.entries["onnx"].run, Path("out/generator.onnx")
    for count, height, width in ((1, 16, 16), (3, 9, 21)):
        images = torch.rand(count, 3, height, width) * 2 - 1
        with torch.no_grad():
            wanted = network(images)
        (found,) = run(file, None, {"source": images})
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_a_discriminator_is_exported_without_the_network_of_features(tmp_path, monkeypatch):
    """Only training needs that, and it may not be there."""
    monkeypatch.chdir(tmp_path)
    trained(config_of("srgan", "every.checkpoint=2"), tmp_path / "outputs/x")
    monkeypatch.setattr(Content, "place", lambda *_: pytest.fail("loaded"))
    for role in ("discriminator", "generator"):
        options = {"run": "x", "output": role, "format": "torchscript", "role": role}
        perform(checked_options(options), Path("outputs/x"))
        assert (tmp_path / role / f"{role}.ts").is_file()
