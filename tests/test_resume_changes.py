"""Settings that a resumed run accepts although they differ, and what it says about them."""

import logging

import numpy as np
import pytest
from PIL import Image

from gan_cli.checkpoints.changes import differences
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, composed, small, trained

WIDTHS = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")
SAVED = (*WIDTHS, "every.checkpoint=2")
FOLLOWING = (
    "optimizer.lr={start: 1e-3, end: 1e-4, over: '${steps}', shape: cosine}",
    "ema.half_life={start: 10, end: 20, over: '${steps}'}",
    "optimizer.players.generator.betas=[{start: 0.5, end: 0.6, over: '${steps}'}, 0.9]",
    "loss.penalties.mode_seeking.weight={start: 1, end: 2, over: 3, warmup: '${steps}'}",
)


@pytest.mark.parametrize("schedule", FOLLOWING)
def test_a_schedule_that_follows_steps_is_lengthened_with_the_run(schedule, tmp_path, caplog):
    caplog.set_level(logging.INFO, "gan_cli")
    trained(small(*SAVED, schedule, "steps=2"), tmp_path)
    run = trained(small(*SAVED, schedule, "steps=4"), tmp_path)
    assert run.step == 4
    assert "follows steps, which are now 4 and were 2" in caplog.text


def test_the_rest_of_a_schedule_is_that_of_the_longer_run(tmp_path):
    schedule = "optimizer.lr={start: 1e-3, end: 1e-4, over: '${steps}'}"
    trained(small(*SAVED, schedule, "steps=2"), tmp_path)
    run = trained(small(*SAVED, schedule, "steps=4"), tmp_path)
    rates = [g["lr"] for p in run.players.values() for g in p.optimizer.param_groups]
    assert rates == pytest.approx([1e-3 - 0.75 * 9e-4] * 2)  # of the last of 4 steps


@pytest.mark.parametrize(
    "changed",
    [
        "optimizer.lr={start: 1e-3, end: 1e-4, over: 3}",
        "optimizer.lr={start: 2e-3, end: 1e-4, over: '${steps}'}",
        "batch_size=4",
    ],
)
def test_other_changes_are_refused_although_steps_grow(changed, tmp_path):
    schedule = "optimizer.lr={start: 1e-3, end: 1e-4, over: '${steps}'}"
    trained(small(*SAVED, schedule, "steps=2", "batch_size=2"), tmp_path)
    with pytest.raises(ConfigError) as caught:
        trained(small(*SAVED, schedule, "steps=4", "batch_size=2", changed), tmp_path)
    assert changed.partition("=")[0] in str(caught.value)


def on_photos(*words):
    """The small config on a folder of images."""
    others = (word for word in SMALL if not word.startswith("dataset"))
    return validate(composed(*others, *SAVED, "dataset=folder", "batch_size=2", *words))


def photos(folder, value=0):
    folder.mkdir(parents=True)
    for i in range(4):
        pixels = np.full((16, 16, 3), 40 * i + value, np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def test_data_that_moved_are_the_same_data(tmp_path, caplog):
    caplog.set_level(logging.INFO, "gan_cli")
    old = photos(tmp_path / "old")
    trained(on_photos(f"dataset.path={old}"), tmp_path / "run")
    new = old.rename(tmp_path / "new")
    run = trained(on_photos(f"dataset.path={new}", "steps=4"), tmp_path / "run")
    assert run.step == 4
    assert f"the same data are now in {new}, and were in {old}" in caplog.text


def test_other_data_in_another_place_are_refused(tmp_path):
    old, new = photos(tmp_path / "old"), photos(tmp_path / "new", value=3)
    trained(on_photos(f"dataset.path={old}"), tmp_path / "run")
    with pytest.raises(ConfigError, match="its content has changed"):
        trained(on_photos(f"dataset.path={new}", "steps=4"), tmp_path / "run")


def test_moved_data_that_are_resized_in_another_way_are_refused(tmp_path):
    old, new = photos(tmp_path / "old"), photos(tmp_path / "new")
    trained(
        on_photos(f"dataset.path={old}", "dataset.size=16", "dataset.resize=crop"), tmp_path / "run"
    )
    moved = (f"dataset.path={new}", "dataset.size=16", "dataset.resize=stretch", "steps=4")
    with pytest.raises(ConfigError) as caught:
        trained(on_photos(*moved), tmp_path / "run")
    assert "dataset.resize: crop -> stretch" in str(caught.value)
    assert "dataset.path" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), [0.5, float("nan")]])
def test_a_nan_is_no_change(value):
    copy = [*value] if isinstance(value, list) else float("nan")
    assert differences({"a": {"b": value}}, {"a": {"b": copy}}) == []
    assert differences({"a": {"b": value}}, {"a": {"b": 0.5}}) != []


def test_differences_within_lists_name_their_place():
    old = {"optimizer": {"betas": [{"start": 0.5}, {"start": 0.9}]}}
    new = {"optimizer": {"betas": [{"start": 0.5}, {"start": 0.8}]}}
    assert differences(old, new) == ["optimizer.betas[1].start: 0.9 -> 0.8"]


def test_a_changed_option_of_the_optimizer_is_used_once_it_is_allowed(tmp_path):
    trained(small(*SAVED), tmp_path)
    changed = ("optimizer.weight_decay=0.25", "allow_changes=true", "steps=4")
    run = trained(small(*SAVED, *changed), tmp_path)
    groups = [g for p in run.players.values() for g in p.optimizer.param_groups]
    assert {g["weight_decay"] for g in groups} == {0.25}
