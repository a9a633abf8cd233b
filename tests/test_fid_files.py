"""gan-fid: sides of unlike or broken images, npz files of odd layout, and few samples."""

import json

import numpy as np
import pytest
from PIL import Image

from gan_cli.evaluation.options import checked_options
from gan_cli.evaluation.score import score
from gan_cli.metrics.inception_score import InceptionScore
from gan_cli.metrics.kid import KernelDistance
from gan_cli.metrics.prdc import PrecisionRecall
from gan_cli.metrics.transport import Transport
from gan_cli.utils.errors import ConfigError


def folder(path, sizes, broken=0):
    rng = np.random.default_rng(0)
    path.mkdir(parents=True)
    for i, (width, height) in enumerate(sizes):
        Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(path / f"{i}.png")
    for i in range(broken):
        (path / f"broken-{i}.png").write_bytes(b"")
    return path


def fid(tmp_path, metrics=("fd",), **keys):
    output = tmp_path / f"card-{len(list(tmp_path.glob('card-*')))}.json"
    node = {"compute": {name: {} for name in metrics}, "features": "random"}
    tree = {key: str(v) if key in ("real", "fake") else v for key, v in keys.items()}
    options = checked_options(tree | {"output": str(output), "metrics": node})
    score(options, None)
    return json.loads(output.read_text())


def refusal(*args, **keys):
    with pytest.raises(ConfigError) as caught:
        fid(*args, **keys)
    return str(caught.value)


def test_images_of_several_sizes_are_brought_to_one(tmp_path):
    plain = folder(tmp_path / "plain", [(16, 16)] * 9)
    mixed = folder(tmp_path / "mixed", [(16, 16), (20, 16), (16, 24)] * 3)
    told = refusal(tmp_path, real=plain, fake=mixed)
    assert told.startswith("fake: images.resize: 'none' needs images of one size")
    advice = "images.size=16 images.resize=crop"
    assert advice in told
    assert "dataset" not in told
    images = dict(word.removeprefix("images.").split("=") for word in advice.split())
    card = fid(tmp_path, real=plain, fake=mixed, images=images)
    assert card["protocol"]["fake"]["images"] == "crop to 16x16"
    assert card["protocol"]["fake"]["count"] == 9


def test_sides_of_unlike_sizes_say_what_to_type(tmp_path):
    small = folder(tmp_path / "small", [(16, 16)] * 4)
    large = folder(tmp_path / "large", [(32, 24)] * 4)
    np.savez(tmp_path / "gray.npz", images=np.zeros((4, 16, 16, 1), np.uint8))
    told = refusal(tmp_path, real=small, fake=large)
    assert "type images.size=16 images.resize=crop" in told
    told = refusal(tmp_path, real=large, fake=small)
    assert "type images.height=24 images.width=32 images.resize=crop" in told
    assert fid(tmp_path, real=small, fake=large, images={"size": 16, "resize": "stretch"})
    assert "type images.channels=1" in refusal(tmp_path, real=small, fake=tmp_path / "gray.npz")
    assert fid(tmp_path, real=small, fake=tmp_path / "gray.npz", images={"channels": 1})


def test_broken_images_of_a_side_are_told_and_can_be_left_out(tmp_path):
    real = folder(tmp_path / "real", [(16, 16)] * 5)
    fake = folder(tmp_path / "fake", [(16, 16)] * 5, broken=2)
    told = refusal(tmp_path, real=real, fake=fake)
    assert told.startswith("fake: 2 of 7 images cannot be used; type images.skip_broken=true")
    card = fid(tmp_path, real=real, fake=fake, images={"skip_broken": True})
    assert card["protocol"]["fake"]["count"] == 5
    assert card["values"]["fd_random"] == pytest.approx(0, abs=1e-4)


def test_options_of_images_need_images_in_files(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 16, 16, 3), np.uint8))
    told = refusal(
        tmp_path, real=tmp_path / "a.npz", fake=tmp_path / "a.npz", images={"size": 8}
    )  # fmt: skip
    assert told.startswith("images: says how folders and zip archives")


def test_labels_of_a_side_come_from_its_folders(tmp_path):
    flat = folder(tmp_path / "flat", [(16, 16)] * 3)
    told = refusal(tmp_path, metrics=["class_fd"], real=flat, fake=flat)
    assert told.startswith("real: labels 'folders' needs each image in a sub-folder")
    assert told.endswith("or leave out the metrics that need labels")
    for part in ("train", "test"):
        folder(tmp_path / "parts" / part, [(16, 16)] * 3)
    told = refusal(tmp_path, metrics=["class_fd"], real=tmp_path / "parts", fake=flat)
    assert "are no classes, but parts of a data set; for one of them, type real=.../train" in told


@pytest.mark.parametrize(
    ("metric", "name", "count"),
    [
        (KernelDistance(), "kd", 150),
        (Transport(), "transport", 150),
        (PrecisionRecall(), "prdc", 4),
        (InceptionScore(), "is", 9),
    ],
)
def test_options_for_few_samples_are_enough(metric, name, count):
    assert metric.minimum > count
    assert type(metric)(**metric.options_for(count)).minimum <= count


def test_a_metric_of_too_few_samples_says_which_option_to_type(tmp_path):
    real = folder(tmp_path / "real", [(16, 16)] * 9)
    fake = folder(tmp_path / "fake", [(16, 16)] * 7)
    told = refusal(tmp_path, metrics=["kd"], real=real, fake=fake)
    assert "there are 7 generated ones; type metrics.compute.kd.subset_size=7, leave kd out" in told


@pytest.mark.parametrize("shape", [(4, 3, 16, 16), (4, 1, 16, 8), (4, 4, 3, 16), (4, 3, 16, 3)])
def test_images_with_channels_first_are_refused(tmp_path, shape):
    np.savez(tmp_path / "a.npz", images=np.zeros(shape, np.uint8))
    told = refusal(tmp_path, real=tmp_path / "a.npz", fake=tmp_path / "a.npz")
    assert "looks like (N, C, H, W); save it after images.transpose(0, 2, 3, 1)" in told


@pytest.mark.parametrize("shape", [(9, 16, 16, 3), (9, 16, 8, 1), (9, 9, 16, 4)])
def test_images_with_channels_last_are_read(tmp_path, shape):
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.savez(tmp_path / "a.npz", images=images)
    card = fid(tmp_path, real=tmp_path / "a.npz", fake=tmp_path / "a.npz")
    assert card["values"]["fd_random"] == pytest.approx(0, abs=1e-4)
