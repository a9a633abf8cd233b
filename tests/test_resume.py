"""Resumed runs continue bit for bit on the CPU; what has changed or is damaged is reported."""

import json

import pytest
import torch

from gan_cli.checkpoints.files import Checkpoints, load, save
from gan_cli.utils.errors import ConfigError, StorageError
from tests.helpers import small, tensors_of, trained

WIDTHS = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")


def assert_same(left, right):
    left, right = tensors_of(left), tensors_of(right)
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert torch.equal(value, right[name]), name


@pytest.mark.parametrize("resident", ["true", "false"])
@pytest.mark.parametrize("pair", [("dcgan", "nonsaturating"), ("cgan_projection", "wgan_gp")])
def test_100_steps_are_50_and_50(pair, resident, tmp_path):
    settings = (
        f"model={pair[0]}",
        f"loss={pair[1]}",
        *WIDTHS,
        "batch_size=4",
        f"device.resident={resident}",
        "device.workers=1",
        "every.checkpoint=50",
        "optimizer.lr={start: 1e-3, end: 1e-4, over: 100, warmup: 10}",
    )
    straight = trained(small(*settings, "steps=100", "every.checkpoint=0"), tmp_path / "straight")
    trained(small(*settings, "steps=50"), tmp_path / "parts")
    resumed = trained(small(*settings, "steps=100"), tmp_path / "parts")
    assert_same(straight, resumed)
    lines = (tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 101))


def test_changed_settings_are_listed(tmp_path):
    trained(small(*WIDTHS, "every.checkpoint=2"), tmp_path)
    changed = (*WIDTHS, "every.checkpoint=2", "steps=4", "optimizer.lr=1e-3", "batch_size=16")
    with pytest.raises(ConfigError) as caught:
        trained(small(*changed), tmp_path)
    assert "batch_size: 8 -> 16" in str(caught.value)
    assert "optimizer.lr.start: 0.0002 -> 0.001" in str(caught.value)
    run = trained(small(*changed, "allow_changes=true"), tmp_path)
    assert run.step == 4
    assert all(g["lr"] == 1e-3 for p in run.players.values() for g in p.optimizer.param_groups)


def test_a_damaged_latest_falls_back_to_the_newest_sound_one(tmp_path, caplog):
    settings = (*WIDTHS, "every.checkpoint=2", "steps=6", "keep_last=3")
    trained(small(*settings), tmp_path)
    checkpoints = Checkpoints(tmp_path / "checkpoints", 3, 0)
    newest, second = checkpoints.path(6), checkpoints.path(4)
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])  # half written
    data = bytearray(second.read_bytes())
    data[len(data) // 2] ^= 0xFF  # one bit-rotten byte inside a tensor
    second.write_bytes(data)
    state = checkpoints.latest()
    assert state["step"] == 2
    assert caplog.text.count("trying the one before") == 2
    resumed = trained(small(*settings), tmp_path)
    assert_same(resumed, trained(small(*settings), tmp_path / "fresh"))


def test_no_sound_checkpoint_at_all(tmp_path):
    (tmp_path / "step-0000001.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(StorageError, match="another run=NAME"):
        Checkpoints(tmp_path, 1, 0).latest()


PARTS = ("networks", "averages", "optimizers", "scalers", "game", "scores", "health")
EDITS = [(part, value) for part in PARTS for value in (None, 5, {"generator": 5})]


@pytest.mark.parametrize(("key", "value"), [*EDITS, ("config", None), ("config", 5)])
def test_an_edited_checkpoint_is_one_clear_line(key, value, tmp_path):
    settings = (*WIDTHS, "every.checkpoint=2", "allow_changes=true")
    path = trained(small(*settings), tmp_path).checkpoints.path(2)
    save(path, {**load(path), key: value})
    with pytest.raises(StorageError) as caught:
        trained(small(*settings, "steps=4"), tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_newer_format_is_refused(tmp_path):
    run = trained(small(*WIDTHS, "every.checkpoint=2"), tmp_path)
    path = run.checkpoints.path(2)
    save(path, {**load(path), "format": 99})
    with pytest.raises(StorageError, match=r"has format 99, .* install a newer one"):
        trained(small(*WIDTHS, "every.checkpoint=2", "steps=4"), tmp_path)


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "step-0000001.pt"
    save(path, {"step": 1, "networks": {}})

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        save(path, {"step": 2, "networks": {}})
    assert load(path)["step"] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_retention(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_last=2, keep_every=30)
    for step in range(10, 101, 10):
        checkpoints.save(step, {"step": step, "networks": {}})
    assert checkpoints.steps() == [30, 60, 90, 100]


def test_a_strangers_checkpoint_runs_no_code(tmp_path):
    class Payload:
        def __reduce__(self):
            return (print, ("executed",))

    torch.save({"step": 1, "networks": Payload()}, tmp_path / "bad.pt")
    with pytest.raises(StorageError, match="plain tensors"):
        load(tmp_path / "bad.pt")
