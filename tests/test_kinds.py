"""Kinds of samples: both forms, mirror images, pictures, and arrays in files."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gan_cli.data.feeds.decode import decode
from gan_cli.data.kinds import Context, kind_of, kinds, recognized
from gan_cli.data.kinds.tokens import texts_of
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.data.sets.npz import read_samples
from gan_cli.data.spec import Field, Spec
from gan_cli.plots.sound import PICTURE
from gan_cli.utils.errors import ConfigError

LETTERS = tuple("abcde")
FIELDS = {
    "image": Field("image", (3, 5, 7)),
    "vector": Field("vector", (4,)),
    "audio": Field("audio", (2, 300), sample_rate=8000),
    "tokens": Field("tokens", (6,), vocabulary=LETTERS),
}


def stored(kind: str, count: int = 10, seed: int = 0) -> torch.Tensor:
    """Random samples as a data set holds them."""
    rng, shape = torch.Generator().manual_seed(seed), (count, *FIELDS[kind].shape)
    if kind == "vector":
        return torch.randn(shape, generator=rng)
    low, high, dtype = {
        "image": (0, 256, torch.uint8),
        "audio": (-32768, 32768, torch.int16),
        "tokens": (0, len(LETTERS), torch.int64),
    }[kind]
    return torch.randint(low, high, shape, generator=rng, dtype=dtype)


# ---- Stored form and model form


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("image", torch.arange(256, dtype=torch.uint8)),
        ("audio", torch.arange(-32768, 32768, dtype=torch.int32).to(torch.int16)),
        ("tokens", torch.arange(50_000)),
        ("vector", torch.tensor([0.0, -0.0, 1e-40, 3e38, -1.5, 1 / 3])),
    ],
)
def test_every_stored_value_survives_the_way_to_the_networks_and_back(kind, values):
    model = kinds.entries[kind].to_model(values)
    back = kinds.entries[kind].to_stored(model)
    assert back.dtype == values.dtype
    assert torch.equal(back, values)
    assert model.dtype == (torch.int64 if kind == "tokens" else torch.float32)
    if kinds.entries[kind].bounded:
        assert model.min() == -1
        assert 0.9999 < model.max() <= 1


@pytest.mark.parametrize(
    ("kind", "lowest", "highest"), [("image", 0, 255), ("audio", -32768, 32767)]
)
def test_what_lies_out_of_range_is_clipped(kind, lowest, highest):
    beyond = torch.tensor([-3.0, -1.001, 1.001, 3.0, 1e20])
    found = kinds.entries[kind].to_stored(beyond)
    assert found.tolist() == [lowest, lowest, highest, highest, highest]


@pytest.mark.parametrize("kind", FIELDS)
def test_each_form_is_left_as_it_is_by_the_conversion_to_it(kind):
    samples = stored(kind)
    model = kinds.entries[kind].to_model(samples)
    assert torch.equal(kinds.entries[kind].to_model(model), model)
    assert torch.equal(kinds.entries[kind].to_stored(samples), samples)


@given(st.floats(-1, 1, width=32))
def test_rounding_moves_a_value_by_half_a_step_at_most(value):
    sample = torch.tensor([value])
    for kind, step in (("image", 1 / 127.5), ("audio", 1 / 32768)):
        back = kinds.entries[kind].to_model(kinds.entries[kind].to_stored(sample))
        # The largest int16 is a whole step below 1.
        largest = step if kind == "audio" and value > 1 - step else step / 2
        assert abs(back.item() - value) <= largest + 1e-7


@pytest.mark.parametrize("kind", FIELDS)
def test_only_images_have_mirror_images(kind):
    samples = stored(kind)
    which = torch.arange(10) % 3 == 0
    found = kinds.entries[kind].mirror(samples, which)
    for i in range(10):
        mirrored = kind == "image" and bool(which[i])
        expected = samples[i].numpy()[..., ::-1] if mirrored else samples[i].numpy()
        assert np.array_equal(found[i].numpy(), expected)


def test_a_batch_is_decoded_field_by_field():
    batch = {kind: stored(kind) for kind in FIELDS} | {"label": torch.arange(10) - 1}
    fields = {**FIELDS, "label": Field("label", (), 9)}
    which = torch.arange(10) < 5
    found = decode(batch, fields, which)
    assert list(found) == list(batch)
    for kind in ("vector", "tokens", "label"):
        assert torch.equal(found[kind], batch[kind])
    assert torch.equal(found["audio"] * 32768, batch["audio"].float())
    flipped = torch.cat([batch["image"][:5].flip(-1), batch["image"][5:]])
    torch.testing.assert_close(found["image"], flipped / 127.5 - 1)


@pytest.mark.parametrize("kind", FIELDS)
def test_samples_are_recognized_by_their_looks(kind):
    assert recognized(stored(kind)) == kind
    assert InMemory({"real": stored(kind)}).spec.kind == kind


@pytest.mark.parametrize(
    "odd", [torch.zeros(3), torch.zeros(2, 2, 2, 2, 2), torch.zeros(2, 3, 4, dtype=torch.uint8)]
)
def test_what_looks_like_no_kind_is_told(odd):
    with pytest.raises(ValueError, match=r"are of no known kind: .*images are uint8"):
        InMemory({"real": odd})


def test_the_spec_of_a_data_set_keeps_what_only_its_author_knows():
    data = InMemory({"real": stored("audio")}, field=Field("audio", sample_rate=22_050))
    assert data.spec == Spec({"real": Field("audio", (2, 300), sample_rate=22_050)})


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (Field("audio"), "dataset: its sounds need a sample rate"),
        (Field("audio", sample_rate=0), "dataset: its sounds need a sample rate"),
        (Field("tokens"), "dataset: its tokens need a vocabulary"),
    ],
)
def test_a_field_without_what_its_kind_needs_is_refused_in_words(field, words):
    with pytest.raises(ConfigError, match=words):
        kind_of(field).check(field)


def test_complete_fields_are_accepted():
    for field in FIELDS.values():
        kind_of(field).check(field)


# ---- Pictures


def test_images_lie_in_a_grid_as_square_as_possible():
    picture = kinds.entries["image"].picture
    one = kinds.entries["image"].to_model(stored("image", 10))
    sheet = picture(FIELDS["image"], (one,), Context())
    assert sheet.shape == (3 * (5 + 2) - 2, 4 * (7 + 2) - 2, 3)
    assert np.array_equal(sheet[:5, :7], stored("image", 10)[0].permute(1, 2, 0).numpy())
    several = picture(FIELDS["image"], (one, -one, one), Context())  # 3 of the 10 samples, 9 tiles
    assert several.shape == (3 * 7 - 2, 3 * 9 - 2, 3)
    assert np.array_equal(several[:5, :7], several[:5, 18:25])
    tiles = stored("image", 10)[1].permute(1, 2, 0).numpy()
    assert np.array_equal(several[7:12, :7], tiles)
    assert np.array_equal(several[7:12, 9:16], 255 - tiles)


def test_gray_and_small_images_are_shown_beside_large_ones_in_colour():
    gray = torch.randint(0, 256, (4, 1, 4, 6), dtype=torch.uint8)
    color = torch.randint(0, 256, (4, 3, 8, 12), dtype=torch.uint8)
    to_model = kinds.entries["image"].to_model
    columns = (to_model(gray), to_model(color))
    sheet = kinds.entries["image"].picture(Field("image", (3, 8, 12)), columns, Context())
    assert sheet.shape == (2 * (8 + 2) - 2, 2 * (12 + 2) - 2, 3)
    enlarged = gray[0, 0].numpy().repeat(2, 0).repeat(2, 1)
    for channel in range(3):
        assert np.array_equal(sheet[:8, :12, channel], enlarged)
    assert np.array_equal(sheet[:8, 14:26], color[0].permute(1, 2, 0).numpy())


def test_opaque_and_transparent_images_side_by_side():
    gray, clear = torch.full((1, 1, 2, 2), 9), torch.full((1, 4, 2, 2), 7)
    to_model = kinds.entries["image"].to_model
    columns = [to_model(images.to(torch.uint8)) for images in (gray, clear)]
    sheet = kinds.entries["image"].picture(Field("image", (4, 2, 2)), columns, Context())
    assert sheet[0, 0].tolist() == [9, 9, 9, 255]
    assert sheet[0, 4].tolist() == [7, 7, 7, 7]


def test_images_of_other_channels_have_no_picture():
    field = Field("image", (5, 4, 4))
    assert kind_of(field).picture(field, (torch.zeros(4, 5, 4, 4),), Context()) is None
    assert kind_of(field).default_format(field) == "npz"


def test_vectors_of_more_than_two_numbers_have_no_picture():
    field = Field("vector", (3,))
    assert kind_of(field).picture(field, (torch.zeros(5, 3),), Context()) is None
    for length in (1, 2):
        field = Field("vector", (length,))
        samples = torch.randn(50, length, generator=torch.Generator().manual_seed(0))
        assert kind_of(field).picture(field, (samples,), Context()).shape == (512, 512, 3)


def test_sounds_are_shown_beside_each_other():
    sounds = kinds.entries["audio"].to_model(stored("audio", 8))
    picture = kinds.entries["audio"].picture
    alone = picture(FIELDS["audio"], (sounds,), Context())
    assert alone.shape == (PICTURE, PICTURE, 3)
    both = picture(FIELDS["audio"], (sounds, sounds * 0.1), Context())
    assert both.shape == alone.shape
    assert not np.array_equal(both, alone)


def test_text_is_shown_line_by_line_with_an_arrow_between_columns():
    tokens = stored("tokens", 4)
    picture = kinds.entries["tokens"].picture
    alone = picture(FIELDS["tokens"], (tokens,), Context())
    both = picture(FIELDS["tokens"], (tokens, tokens.flip(1)), Context())
    assert alone.shape == both.shape == (512, 512, 3)
    ink = (alone < 128).any(2).sum(), (both < 128).any(2).sum()
    assert ink[1] > 1.8 * ink[0]


def test_letters_are_joined_and_words_are_set_apart():
    rows = torch.tensor([[0, 2, 1], [1, 1, 3]])
    assert texts_of(Field("tokens", (3,), vocabulary=LETTERS), rows) == ["acb", "bbd"]
    words = ("one", "two", "a", "")
    assert texts_of(Field("tokens", (3,), vocabulary=words), rows) == ["one a two", "two two"]


# ---- Arrays


@pytest.mark.parametrize("kind", FIELDS)
def test_arrays_are_read_as_they_were_written(kind, tmp_path):
    samples, own = stored(kind), kinds.entries[kind]
    assert torch.equal(own.from_array(own.to_array(samples)), samples)
    arrays = {own.array_name(): own.to_array(samples), "labels": np.arange(10) % 4}
    np.savez(tmp_path / "some.npz", **arrays)
    known = FIELDS[kind] if kind in ("audio", "tokens") else None
    data = read_samples(tmp_path / "some.npz", "input", known)
    assert data.spec.fields["real"] == (known or FIELDS[kind])
    assert torch.equal(data.tensors()["real"], samples)
    assert data.tensors()["real"].dtype == samples.dtype
    assert data.labels().tolist() == [i % 4 for i in range(10)]
    assert data.spec.classes == 4
    assert read_samples(tmp_path / "some.npz", "input").spec.kind == kind


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[1.5, 2.25]], np.float64), torch.tensor([[1.5, 2.25]])),
        (np.array([[1.5, 2.25]], np.float16), torch.tensor([[1.5, 2.25]])),
        (np.array([[1, 2]], np.uint8), torch.tensor([[1, 2]])),
        (np.array([[1, 2]], np.int32), torch.tensor([[1, 2]])),
    ],
)
def test_numbers_of_other_widths_are_converted(array, expected, tmp_path):
    np.savez(tmp_path / "some.npz", samples=array)
    found = read_samples(tmp_path / "some.npz", "input").tensors()["real"]
    assert found.dtype == expected.dtype
    assert torch.equal(found, expected)


WRONG = {
    "image": (
        r"must be uint8 \(N, H, W, C\), not ",
        [np.zeros((2, 4, 4, 3)), np.zeros((2, 4, 4), np.uint8), np.zeros((2, 4, 4, 3), np.int16)],
    ),
    "vector": (
        r"must be floating point \(N, F\), not ",
        [np.zeros((2, 3), int), np.zeros((2, 3, 4)), np.zeros(3), np.array([["a", "b"]])],
    ),
    "audio": (
        r"must be int16 \(N, C, T\), not ",
        [np.zeros((2, 1, 9)), np.zeros((2, 9), np.int16), np.zeros((2, 1, 9), np.int32)],
    ),
    "tokens": (
        r"must be whole numbers \(N, T\), not ",
        [
            np.zeros((2, 3)),
            np.zeros((2, 3, 4), int),
            np.array([["a", "b"]]),
            np.zeros((2, 3), bool),
        ],
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_arrays_get_one_clear_line(kind, tmp_path):
    told, arrays = WRONG[kind]
    for array in arrays:
        with pytest.raises(ValueError, match=f"^{told}{array.dtype}") as error:
            kinds.entries[kind].from_array(array)
        assert "\n" not in str(error.value)
        name = kinds.entries[kind].array_name()
        np.savez(tmp_path / "some.npz", **{name: array})
        with pytest.raises(ConfigError, match=f"input: .*some.npz: {name} {told}"):
            read_samples(tmp_path / "some.npz", "input", FIELDS[kind])


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"samples": np.array([["a", "b"]])}, "samples are of type <U1, and must be numbers"),
        ({"samples": np.zeros(4)}, "samples are of no known kind: .*float64"),
        ({"samples": np.zeros((2, 2, 2, 2, 2))}, "samples are of no known kind"),
        ({"samples": np.zeros((0, 2))}, "samples is empty"),
        ({"images": np.zeros((0, 4, 4, 3), np.uint8)}, "images is empty"),
        ({"weights": np.zeros((2, 2))}, "holds weights; expected"),
        ({"samples": np.zeros((2, 2)), "labels": np.zeros(3, int)}, "labels: there are 3 .* for 2"),
        ({"samples": np.zeros((2, 2)), "labels": np.array([0, 1j])}, "labels: .* complex"),
        ({"samples": np.zeros((2, 2)), "labels": np.full(2, 0.5)}, "labels: row 0 .* 0.5"),
    ],
)
def test_files_of_nothing_sensible_are_told_in_one_line(arrays, told, tmp_path):
    np.savez(tmp_path / "some.npz", **arrays)
    with pytest.raises(ConfigError, match=f"real: .*some.npz: {told}") as error:
        read_samples(tmp_path / "some.npz", "real")
    assert "\n" not in str(error.value)
