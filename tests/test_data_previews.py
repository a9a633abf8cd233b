"""The first preview of a run is of its data, in the layout of the samples."""

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_cli.data.kinds import kind_of
from gan_cli.data.kinds.kind import Context
from gan_cli.report.run_report import write_report
from gan_cli.training.session import run_training
from gan_cli.utils.images import grid
from gan_cli.validation.validate import validate
from tests.helpers import composed, small, tensors_of, trained
from tests.test_dann import PAIR
from tests.test_toys import toy

SHOWN = "every={log: 1, preview: 1, evaluate: 0, checkpoint: 1}"
NARROW = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
IMAGES = ("model=dcgan", *NARROW)


def pictures(folder) -> list[str]:
    return sorted(path.name for path in (folder / "samples").iterdir())


def test_data_of_the_first_batches_are_shown_as_networks_get_them(tmp_path):
    run = trained(small(*IMAGES, "dataset.hflip=true", SHOWN), tmp_path)
    batches = run.feed.batches(0)
    first = [next(batches) for _ in range(8)]  # 8 batches of 8
    order = torch.cat([batch["label"] for batch in first]).argsort(stable=True)
    images = torch.cat([batch["real"] for batch in first])[order]
    expected = grid(as_stored(images))
    shown = np.asarray(Image.open(tmp_path / "samples/real-0000000.png"))
    assert np.array_equal(np.atleast_3d(shown), expected)
    samples = Image.open(tmp_path / "samples/samples-0000002.png")
    assert samples.size == shown.shape[1::-1]
    stored = run.dataset.tensors()["real"]
    mirrored = [not (stored == x).flatten(1).all(1).any() for x in as_stored(images)]
    assert 0 < sum(mirrored) < 64


def as_stored(images: torch.Tensor) -> torch.Tensor:
    return ((images + 1) * 127.5).round().to(torch.uint8)


@pytest.mark.parametrize(
    ("config", "names"),
    [
        (lambda: small("model=mlp", "dataset=ring", "dataset.count=64", SHOWN), {"real"}),
        (lambda: small("model=mlp", "dataset=mixture1d", "dataset.count=64", SHOWN), {"real"}),
        (lambda: toy("audio", SHOWN), {"real"}),
        (lambda: toy("tokens", SHOWN), {"real"}),
    ],
    ids=["points", "numbers", "audio", "text"],
)
def test_every_kind_of_data_is_shown_as_large_as_its_samples(config, names, tmp_path):
    trained(config(), tmp_path)
    found = {
        name.removesuffix("-0000000.png") for name in pictures(tmp_path) if "0000000.png" in name
    }
    assert found == names
    data, samples = (
        np.asarray(Image.open(tmp_path / "samples" / name)).astype(int)
        for name in ("real-0000000.png", "samples-0000002.png")
    )
    assert data.shape == samples.shape
    assert not np.array_equal(data, samples)
    assert data.std() > 1


def test_data_of_several_batch_keys_are_shown_by_their_keys(tmp_path):
    run = trained(toy("translation", SHOWN), tmp_path)
    first, *others = run.game.targets(run.dataset.spec)
    expected = {"real-0000000.png", *(f"real_{key}-0000000.png" for key in others)}
    assert {name for name in pictures(tmp_path) if name.startswith("real")} == expected
    assert first not in others


def test_data_of_a_game_without_samples_are_shown(tmp_path):
    trained(validate(composed(*PAIR, "model=dann", "metrics=none", SHOWN)), tmp_path)
    data = [name for name in pictures(tmp_path) if name.startswith("real")]
    assert data == ["real-0000000.png", "real_source-0000000.png"]


def test_points_of_data_alone_have_no_legend_of_fakes():
    from gan_cli.data.spec import Field
    from gan_cli.plots.figure import FAKE

    for length in (1, 2):
        field = Field("vector", (length,))
        points = torch.randn(200, length, generator=torch.Generator().manual_seed(0))
        picture = kind_of(field).data_picture(field, Context(points))
        assert not (np.abs(picture.astype(int) - FAKE).max(-1) < 30).any()
        drawn = kind_of(field).picture(field, (points,), Context(points))
        assert (np.abs(drawn.astype(int) - FAKE).max(-1) < 30).any()


def test_a_run_without_previews_shows_no_data(tmp_path):
    trained(small(*IMAGES, SHOWN, "every.preview=0"), tmp_path)
    assert not (tmp_path / "samples").exists()


def test_resuming_shows_the_data_once(tmp_path):
    run_training(small(*IMAGES, SHOWN), tmp_path, 0.0)
    path = tmp_path / "samples/real-0000000.png"
    before = path.stat().st_mtime_ns, path.read_bytes()
    run_training(small(*IMAGES, SHOWN, "steps=3"), tmp_path, 0.0)
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before
    events = EventAccumulator(str(tmp_path), size_guidance={"images": 0}).Reload()
    assert [event.step for event in events.Images("real")] == [0]
    path.unlink()  # a run of an earlier version has none
    trained(small(*IMAGES, SHOWN, "steps=4"), tmp_path)
    assert path.read_bytes() == before[1]


def test_showing_the_data_does_not_change_a_training(tmp_path):
    words = ("model=cgan", "model.networks.generator.width=8", "steps=2")
    shown = trained(small(*words, SHOWN, "every.preview=2"), tmp_path / "shown")
    plain = trained(small(*words, SHOWN, "every.preview=0"), tmp_path / "plain")
    found, expected = tensors_of(shown), tensors_of(plain)
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_the_report_shows_the_data_beside_the_samples(tmp_path):
    trained(small(*IMAGES, SHOWN), tmp_path)
    text = write_report(tmp_path).read_text()
    beside = text[text.index('class="beside"') :]
    assert beside.index("<figcaption>data</figcaption>") < beside.index("<figcaption>step 1<")
    assert text.count("<figcaption>data</figcaption>") == 1


# ---- What critics see


def test_augmented_data_are_shown_beside_the_data(tmp_path):
    words = ("augment=diffaugment", "augment.policy=[cutout]", "augment.cutout=1")
    trained(small(*IMAGES, *words, SHOWN), tmp_path)
    names = [name for name in pictures(tmp_path) if name.startswith("augmented")]
    assert names == [f"augmented-{step:07d}.png" for step in range(3)]
    data, seen = (
        np.asarray(Image.open(tmp_path / "samples" / f"{name}-0000000.png")).astype(int)
        for name in ("real", "augmented")
    )
    changed = (data != seen).any(-1)
    gray = (np.abs(seen - 128) <= 1).all(-1)  # a square as large as the image, about any middle
    assert 0.4 < changed.mean() < 0.75
    assert gray[changed].all()
    text = write_report(tmp_path).read_text()
    assert text.count("the data as the critic sees them") == 1
    assert text.index('alt="samples at step 1"') < text.index('alt="augmented at step 0"')
    assert text[text.index("the data as the critic") :].count("<figcaption>data</figcaption>") == 1


def test_augmented_data_follow_the_adapted_strength(tmp_path):
    words = ("augment=ada", "augment.target=-1", "augment.speed=8", "augment.interval=1")
    trained(small(*IMAGES, *words, SHOWN), tmp_path)
    data, first, later = (
        np.asarray(Image.open(tmp_path / "samples" / f"{name}.png"))
        for name in ("real-0000000", "augmented-0000000", "augmented-0000001")
    )
    assert np.array_equal(data, first)
    assert (data != later).any(-1).mean() > 0.5


@pytest.mark.parametrize("augment", ["none", "ada"])
def test_showing_augmented_data_does_not_change_a_training(augment, tmp_path):
    words = ("model=cgan", "model.networks.generator.width=8", "steps=2", f"augment={augment}")
    words += ("augment.initial=0.5",) if augment == "ada" else ()
    shown = trained(small(*words, SHOWN), tmp_path / "shown")
    plain = trained(small(*words, SHOWN, "every.preview=0"), tmp_path / "plain")
    found, expected = tensors_of(shown), tensors_of(plain)
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert (tmp_path / "shown/samples/augmented-0000000.png").exists() == (augment != "none")
