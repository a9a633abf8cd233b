"""Grids of images with the names of their classes."""

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.data.kinds import Context, kind_of
from gan_cli.data.spec import Field
from gan_cli.utils.named_grid import GAP, LONGEST, cut, named_grid, text


def tiles(count: int, height: int = 16, width: int = 16, channels: int = 3) -> torch.Tensor:
    """Images of one colour each, brighter than any letter of the names is dark."""
    values = torch.arange(1, count + 1, dtype=torch.uint8)
    return values[:, None, None, None].expand(count, channels, height, width).clone()


def places(picture: np.ndarray, count: int, size: tuple[int, int]) -> dict[int, tuple[int, int]]:
    """Top left corner of each tile that is whole, by its colour."""
    found = {}
    for value in range(1, count + 1):
        boxes = np.lib.stride_tricks.sliding_window_view(picture[..., 0] == value, size)
        for top, left in np.argwhere(boxes.all((2, 3))):
            found[value] = (int(top), int(left))
    return found


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(8, 8), (16, 16), (12, 40), (64, 48)])
def test_each_class_begins_a_row_and_no_name_touches_an_image(channels, size):
    images = tiles(7, *size, channels)
    names = ["cat", "automobile", "cat", "cat", "automobile", "deer", "cat"]
    picture = named_grid(images, names)
    found = places(picture, 7, size)
    assert sorted(found) == [1, 2, 3, 4, 5, 6, 7]  # all whole
    rows = {name: {found[i + 1][0] for i, n in enumerate(names) if n == name} for name in names}
    assert [len(tops) for tops in rows.values()] == [1, 1, 1]
    assert rows["cat"] < rows["automobile"] or max(rows["cat"]) < min(rows["automobile"])
    assert found[1][1] < found[3][1] < found[4][1] < found[7][1]  # in their order
    margin = min(left for _, left in found.values())
    for name in names:
        label = text(name, size[0], channels)
        assert label.shape[1] + 2 * GAP <= margin
        top = max(found[names.index(name) + 1][0] + (size[0] - label.shape[0]) // 2, 0)
        assert any(
            np.array_equal(picture[y : y + label.shape[0], GAP : GAP + label.shape[1]], label)
            for y in range(top + 3)
        )


def test_long_rows_are_broken_and_columns_bound_them():
    picture = named_grid(tiles(64), ["a"] * 64)
    assert len({left for _, left in places(picture, 64, (16, 16)).values()}) == 8
    picture = named_grid(tiles(9), ["a"] * 6 + ["b"] * 3, columns=4)
    found = places(picture, 9, (16, 16))
    assert len({top for top, _ in found.values()}) == 3
    assert found[5][1] == found[1][1]


def test_many_classes_have_their_names_below_the_images():
    names = [f"class {i}" for i in range(30)]
    picture = named_grid(tiles(30), names)
    found = places(picture, 30, (16, 16))
    assert len(found) == 30
    label = text("class 7", 16, 3)
    top, left = found[8]
    below = picture[top + 16 : top + 16 + label.shape[0], left - 40 : left + 60]
    wide = label.shape[1]
    assert any(np.array_equal(below[:, x : x + wide], label) for x in range(100 - wide))


def test_names_in_other_alphabets_and_of_any_length_are_drawn():
    assert cut("a\nb  c", LONGEST) == "a b c"
    assert cut("", LONGEST) == "-"
    assert len(cut("x" * 500, LONGEST)) == LONGEST
    for name in ("\u043a\u043e\u0448\u043a\u0430", "\u03b3\u03ac\u03c4\u03b1", "caf\u00e9"):
        drawn = text(name, 32, 1)
        assert drawn.max() > 200
        assert not np.array_equal(drawn, text("?" * len(name), 32, 1))


def test_an_alpha_channel_is_opaque_around_the_images():
    picture = named_grid(tiles(2, channels=4), ["a", "b"])
    assert (picture[:, :6, 3] == 255).all()


def test_the_picture_of_a_preview_has_names_only_where_there_are_some():
    field = Field("image", (3, 16, 16))
    images = torch.zeros(4, 3, 16, 16)
    plain = kind_of(field).picture(field, [images], Context())
    named = kind_of(field).picture(field, [images], Context(names=["a", "a", "b", "b"]))
    assert named.shape[1] > plain.shape[1]
    pair = kind_of(field).picture(field, [images, images], Context(names=["a", "a", "b", "b"]))
    assert pair.shape == kind_of(field).picture(field, [images, images], Context()).shape


def test_the_grid_is_a_picture_that_pillow_writes(tmp_path):
    Image.fromarray(named_grid(tiles(4), ["a", "b", "a", "b"])).save(tmp_path / "grid.png")
    assert Image.open(tmp_path / "grid.png").mode == "RGB"
