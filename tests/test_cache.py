"""The cache: what comes back, and what happens when the folder or a file is not sound."""

import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan_cli.utils import cache
from gan_cli.utils.cache import cached, content_hash

STATE: dict[str, Any] = {
    "weights": torch.arange(6.0).view(2, 3),
    "accuracy": 0.5,
    "names": ["a", "b"],
    "none": None,
}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "warned", set())
    return tmp_path / "cache"


def refuse() -> dict:
    raise AssertionError("it was computed again")


def only_file(folder: Path) -> Path:
    (path,) = (path for path in folder.rglob("*") if path.is_file())
    return path


def test_computed_once() -> None:
    key = {"a": 1, "b": [2, "three"]}
    assert cached("kind", key, lambda: STATE) is STATE
    found = cached("kind", {"b": [2, "three"], "a": 1}, refuse)  # the order of keys is no content
    assert torch.equal(found.pop("weights"), STATE["weights"])
    assert found == {key: value for key, value in STATE.items() if key != "weights"}


@pytest.mark.parametrize(
    ("kind", "key"), [("other", {"a": 1}), ("kind", {"a": 2}), ("kind", {"a": 1, "b": None})]
)
def test_another_key_is_another_entry(kind: str, key: dict) -> None:
    cached("kind", {"a": 1}, lambda: STATE)
    assert cached(kind, key, lambda: {"x": 1}) == {"x": 1}


def test_an_error_leaves_nothing(own_folder: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        cached("kind", {}, lambda: {"x": 1 / 0})
    assert cached("kind", {}, lambda: {"x": 1}) == {"x": 1}
    only_file(own_folder)


def damage_nothing_left(path: Path) -> None:
    path.write_bytes(b"")


def damage_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def damage_weight(path: Path) -> None:
    """One bit of a number, which only the checksum can tell."""
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(6.0).numpy().tobytes()) + 9] ^= 1
    path.write_bytes(content)


def damage_key(path: Path) -> None:
    torch.save({"key": "{}", "state": {"x": 2}}, path)


def damage_other_content(path: Path) -> None:
    torch.save({"key": '{"a":1}', "state": {"x": 2}}, path)


def damage_changed_content(path: Path) -> None:
    """All of the entry as it was written, but for one weight."""
    entry = torch.load(path, weights_only=True)
    entry["state"]["weights"][1, 2] += 1
    torch.save(entry, path)


def damage_part_left_out(path: Path) -> None:
    entry = torch.load(path, weights_only=True)
    del entry["state"]["accuracy"]
    torch.save(entry, path)


def damage_no_entry(path: Path) -> None:
    torch.save([1, 2], path)


DAMAGES = [
    *(damage_nothing_left, damage_cut, damage_weight, damage_key, damage_no_entry),
    *(damage_other_content, damage_changed_content, damage_part_left_out),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_computed_anew(
    damage: Callable[[Path], None], own_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cached("kind", {"a": 1}, lambda: STATE)
    damage(only_file(own_folder))
    assert cached("kind", {"a": 1}, lambda: {"x": 1}) == {"x": 1}
    assert "is damaged; computing it anew" in caplog.text
    assert cached("kind", {"a": 1}, refuse) == {"x": 1}


STATES = {
    "empty tensor": torch.zeros(0, 3),
    "bfloat16": torch.ones(3, dtype=torch.bfloat16),
    "bool": torch.tensor([True, False]),
    "scalar": torch.tensor(1.5),
    "transposed": torch.arange(6).view(2, 3).T,
    "nested": {"a": [1, (2.5, None)], "b": {"c": "text"}},
}


@pytest.mark.parametrize("name", STATES)
def test_every_content_is_found_again(name: str) -> None:
    cached("kind", {"a": 1}, lambda: {"x": STATES[name]})
    found = cached("kind", {"a": 1}, refuse)["x"]
    assert torch.equal(found, STATES[name]) if torch.is_tensor(found) else found == STATES[name]


class Code:
    def __reduce__(self) -> Any:
        return os._exit, (1,)


def test_a_file_cannot_run_code(own_folder: Path) -> None:
    cached("kind", {"a": 1}, lambda: STATE)
    torch.save({"key": '{"a":1}', "state": Code()}, only_file(own_folder))
    assert cached("kind", {"a": 1}, lambda: {"x": 1}) == {"x": 1}


def test_no_folder_to_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file where the folder should be stops root as well."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("GAN_CLI_CACHE", str(tmp_path / "file" / "cache"))
    for value in range(3):
        assert cached("kind", {"a": value}, lambda: {"x": value}) == {"x": value}  # noqa: B023
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "set GAN_CLI_CACHE to a folder" in caplog.text


def test_a_full_disk(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_entry: dict, file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    assert cached("kind", {}, lambda: {"x": 1}) == {"x": 1}
    assert "No space left on device" in caplog.text
    assert not [path for path in own_folder.rglob("*") if path.is_file()]


def test_many_at_once(own_folder: Path) -> None:
    def work(_: int) -> float:
        return cached("kind", {"a": 1}, lambda: {"x": torch.full((20_000,), 3.0)})["x"].sum().item()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(40))) == {60_000.0}
    only_file(own_folder)  # no temporary one is left


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GAN_CLI_CACHE", "~/own")
    assert cache.folder() == tmp_path / "own"
    monkeypatch.delenv("GAN_CLI_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.folder() == tmp_path / "xdg" / "gan_cli"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.folder() == tmp_path / ".cache" / "gan_cli"


# content_hash

IMAGES = torch.randint(256, (7, 3, 4, 5), generator=torch.Generator().manual_seed(0)).byte()


@given(cuts=st.lists(st.integers(0, 7), max_size=5))
def test_hash_of_any_split(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), 7]
    parts = [IMAGES[a:b] for a, b in pairwise(bounds)]
    assert content_hash(parts) == content_hash([IMAGES])


def test_hash_of_any_memory_layout() -> None:
    assert content_hash([IMAGES.contiguous(memory_format=torch.channels_last)]) == content_hash(
        [IMAGES]
    )


def test_hash_tells_contents_apart() -> None:
    other = IMAGES.clone()
    other[3, 1, 2, 2] ^= 1
    contents = [
        IMAGES,
        other,
        IMAGES[:6],
        IMAGES.flip(0),
        IMAGES.view(7, 3, 5, 4),
        IMAGES.view(7, 60),
        IMAGES.view(torch.int8),
        IMAGES.float(),
        IMAGES.double(),
    ]
    assert len({content_hash([content]) for content in contents}) == len(contents)


def test_hash_of_mixed_samples_is_refused() -> None:
    with pytest.raises(AssertionError, match="two kinds"):
        content_hash([IMAGES, IMAGES.float()])
