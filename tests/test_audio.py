"""Sounds from files: formats, headers, channels, rates, crops, labels, and what is left out."""

import io
import json
import logging
import struct
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from gan_cli.data.dataset import datasets
from gan_cli.data.files.sound import read_sound
from gan_cli.evaluation.options import ImageFiles
from gan_cli.evaluation.side_checks import check_sides
from gan_cli.evaluation.sides import open_side
from gan_cli.forecast.inspection import Inspection
from gan_cli.forecast.problems import few
from gan_cli.metrics.settings import parse_metrics
from gan_cli.utils.errors import ConfigError, DataError
from tests.helpers import small

RATE = 8000


def tone(length: int = 4000, pitch: float = 440, rate: int = RATE) -> np.ndarray:
    """A sine int16 (T,) of half the full scale."""
    return np.rint(16384 * np.sin(2 * np.pi * pitch * np.arange(length) / rate)).astype(np.int16)


def encoded(sound: np.ndarray, suffix: str = "wav", rate: int = RATE) -> bytes:
    """A file of a sound (T,) or (T, C)."""
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=suffix.upper())
    return file.getvalue()


def without_length(data: bytes, size: int = 0) -> bytes:
    """A WAV or FLAC file as a stream writes it, which does not know how long it will be."""
    if data.startswith(b"fLaC"):
        start = 8 + 10  # of the rate, channels, bits and the 36 bits of the length
        bits = int.from_bytes(data[start : start + 8], "big") >> 36 << 36
        return data[:start] + bits.to_bytes(8, "big") + data[start + 8 :]
    place = data.index(b"data") + 4
    unknown = struct.pack("<I", size)
    return data[:4] + unknown + data[8:place] + unknown + data[place + 4 :]


def opened(path, **options):
    return datasets.build({"name": "audio", "path": str(path), **options}, where="dataset")


def refused(path, **options) -> str:
    with pytest.raises(ConfigError) as error:
        opened(path, **options)
    return "\n".join(error.value.faults)


@pytest.fixture
def folder(tmp_path):
    """Writes files by name, and returns their folder."""

    def write(**files: bytes):
        for name, data in files.items():
            path = tmp_path / "sounds" / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return tmp_path / "sounds"

    return write


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff"])
def test_lossless_files_give_the_very_samples(folder, suffix):
    sound = tone()
    dataset = opened(folder(**{f"a_{suffix}": encoded(sound, suffix)}), length=4000)
    assert dataset.spec.shape == (1, 4000)
    assert dataset.spec.fields["real"].sample_rate == RATE
    assert dataset[0]["real"].dtype == torch.int16
    assert np.array_equal(dataset[0]["real"].numpy()[0], sound)


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
def test_lossy_files_sound_the_same(folder, suffix):
    dataset = opened(folder(**{f"a_{suffix}": encoded(tone(), suffix)}), length=4000)
    spectrum = np.abs(np.fft.rfft(dataset[0]["real"][0, 1000:3000].numpy()))
    assert abs(spectrum.argmax() * RATE / 2000 - 440) <= RATE / 2000


@pytest.mark.parametrize(
    "data",
    [
        without_length(encoded(tone())),
        without_length(encoded(tone()), 0xFFFFFFFF),
        without_length(encoded(tone()), 0x7FFFF000),
        without_length(encoded(tone(), "flac")),
    ],
)
def test_a_header_without_a_length_is_no_fault(data):
    sound = read_sound(data)
    assert np.array_equal(sound.values[0] * 32768, tone())


def test_channels_are_mixed_or_doubled(folder):
    left, right = tone(), tone(pitch=660) // 2
    path = folder(a_wav=encoded(np.stack([left, right], 1)), b_wav=encoded(left))
    both = opened(path, channels=2, length=4000)
    assert np.array_equal(both[0]["real"].numpy(), np.stack([left, right]))
    assert np.array_equal(both[1]["real"].numpy(), np.stack([left, left]))
    mono = opened(path, length=4000)[0]["real"].numpy()[0]
    assert np.abs(mono - (left.astype(float) + right) / 2).max() <= 0.5
    six = folder(c_wav=encoded(np.stack([left] * 6, 1)))
    told = opened(six, channels=2).left_out["c.wav"]
    assert "6 channels; type dataset.channels=1" in told


def test_rates_that_differ_need_a_common_one(folder):
    path = folder(
        a_wav=encoded(tone()),
        b_flac=encoded(tone(22050, rate=44100), "flac", 44100),
        c_wav=encoded(tone()),
    )
    assert refused(path) == (
        "dataset.sample_rate: the files have different rates (2 of 8000 Hz, 1 of 44100 Hz); type "
        "dataset.sample_rate=8000 to resample them"
    )
    dataset = opened(path, sample_rate=8000, length=4000)
    made = dataset[1]["real"][0].numpy().astype(float)  # 0.5 s of the same tone
    assert np.abs(made - tone())[100:-100].max() < 20  # of 16,384: -58 dB


def test_resampling_removes_what_the_new_rate_cannot_hold(folder):
    path = folder(a_wav=encoded(tone(44100, pitch=7000, rate=44100), rate=44100))
    made = opened(path, sample_rate=8000, length=8000)[0]["real"][0, 500:-500]
    assert made.abs().max() < 20  # 7 kHz would become 1 kHz; the ends are clicks


def test_short_sounds_are_padded_and_long_ones_cut(folder):
    dataset = opened(folder(a_wav=encoded(tone(500)), b_wav=encoded(tone(3000))), length=1024)
    first, second = (dataset[i]["real"][0].numpy() for i in (0, 1))
    assert np.array_equal(first, np.pad(tone(500), (0, 524)))
    assert np.array_equal(second, tone(3000)[:1024])


def test_the_length_is_that_which_the_longest_sound_needs(folder):
    path = folder(a_wav=encoded(tone(500)), b_wav=encoded(tone(5000)))
    assert opened(path).spec.shape == (1, 8192)
    path = folder(c_wav=encoded(tone(70_000)))
    assert opened(path).spec.shape == (1, 65536)


def test_recordings_are_cut_into_slices(folder):
    noise = np.random.default_rng(0).integers(-9000, 9000, 2500).astype(np.int16)
    noise[1000:1600] = 0
    path = folder(a_wav=encoded(noise), b_wav=encoded(tone(100)))
    dataset = opened(path, crop="slices", length=512, stride=500)
    starts = [0, 500, 1500, 1988, 0]  # the slice at 1000 is silent; the last ends with the sound
    assert dataset.places.tolist() == [[0, s] for s in starts[:-1]] + [[1, 0]]
    for i, start in enumerate(starts[:-1]):
        assert np.array_equal(dataset[i]["real"][0].numpy(), noise[start : start + 512])
    assert dataset.groups.tolist() == [0, 0, 0, 0, 1]
    assert len(opened(path, crop="slices", length=512)) == 9  # half of the length by default
    assert "dataset.stride: is of slices" in refused(path, stride=100)


def test_folders_are_classes_and_an_archive_is_the_same(folder, tmp_path):
    files = {"cat__a_wav": encoded(tone()), "dog__b_wav": encoded(tone(pitch=300))}
    path = folder(**files, dog__c_wav=encoded(tone(pitch=500)))
    dataset = opened(path, labels="folders")
    assert dataset.labels().tolist() == [0, 1, 1]
    assert dataset.spec.class_names == ("cat", "dog")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in sorted(path.rglob("*.wav")):
            archive.write(file, file.relative_to(path))
    packed = opened(tmp_path / "all.zip", labels="folders")
    assert packed.fingerprint() == dataset.fingerprint()
    assert opened(path).fingerprint() != dataset.fingerprint()
    assert "needs each sound in a sub-folder" in refused(
        folder(loose_wav=encoded(tone())), labels="folders"
    )


BAD = {
    "broken_wav": b"RIFF" + bytes(100),
    "empty_wav": b"",
    "nothing_wav": encoded(tone(0)),
    "quiet_wav": encoded(np.full(4000, 900, np.int16)),  # a constant is not heard
    "short_wav": encoded(tone(20)),
    "torn_wav": encoded(tone())[:3000],
    "torn_flac": encoded(tone(40_000), "flac")[:9000],
    "wrong_mp3": b"this is no sound" * 50,
}


def test_files_that_cannot_be_used_are_listed_and_left_out(folder, caplog):
    with caplog.at_level(logging.WARNING):
        dataset = opened(folder(good_wav=encoded(tone()), notes_txt=b"x", **BAD))
    assert dataset.names == ["good.wav"]
    assert set(dataset.left_out) == {name.replace("_", ".") for name in BAD}
    told = caplog.text
    for line in (
        "8 of 9 sounds cannot be used and are left out (4 broken, 2 empty, 1 silent, 1 too short)",
        "empty.wav: empty file",
        "nothing.wav: no sound: 0 seconds",
        "quiet.wav: silent",
        "short.wav: too short: 20 samples, 2.5 ms",
        "torn.wav: truncated: 2,956 of 8,000 bytes of sound",
        "wrong.mp3: not a sound file that can be read",
    ):
        assert line in told, told


def test_a_folder_of_such_files_alone_is_refused(folder):
    told = refused(folder(**BAD))
    assert told.startswith("dataset.path: 8 of 8 sounds cannot be used; no sound is left:\n")
    assert "quiet.wav: silent" in told


def test_a_folder_without_sounds_is_refused(folder):
    told = refused(folder(a_png=b"x", b_txt=b"x"))
    assert "no sounds in" in told
    assert "which holds 1 .png, 1 .txt; readable are .aif" in told


def test_numbers_that_are_not_finite_are_no_sound():
    file = io.BytesIO()
    soundfile.write(file, np.array([0.5, np.nan, 0.1]), RATE, format="WAV", subtype="FLOAT")
    with pytest.raises(ValueError, match="NaN or infinity"):
        read_sound(file.getvalue())


def test_folders_of_sounds_are_compared_with_sounds_alone(folder, tmp_path):
    noise = np.random.default_rng(0).integers(-9000, 9000, (2, 4000)).astype(np.int16)
    sounds = folder(a_wav=encoded(noise[0]), b_wav=encoded(noise[1]))
    image_folder = tmp_path / "images"
    image_folder.mkdir()
    for i in range(2):
        Image.fromarray(np.full((16, 16, 3), 99 * i, np.uint8)).save(image_folder / f"{i}.png")
    real = open_side(str(sounds), "real", ImageFiles(), like=None, labelled=False, limit=None)
    field = replace(real.dataset.spec.fields["real"], sample_rate=4000, shape=(1, 2048))
    fake = open_side(str(sounds), "fake", ImageFiles(), like=field, labelled=False, limit=None)
    assert fake.dataset.spec.fields["real"] == field  # resampled and cut like the other side
    settings = parse_metrics({"compute": ["fd"], "features": "spectrum"}, "metrics", [])
    with pytest.raises(ConfigError, match="fake: its sounds have 4000 Hz, the real ones 8000"):
        check_sides(settings, real, fake)
    images = open_side(
        str(image_folder), "fake", ImageFiles(), like=field, labelled=False, limit=None
    )
    with pytest.raises(ConfigError, match="of kind image, the real ones of kind audio; give two"):
        check_sides(settings, real, images)


def test_few_sounds_are_advised_what_takes_sounds():
    spec = datasets.build({"name": "chirps", "count": 2}, where="dataset").spec
    found = Inspection("real", spec, 30, None, False, "none")
    (told,) = few(found, small("model=wavegan", "dataset=chirps", "metrics=none"))
    assert "augment=diffusion" in told
    assert "ada" not in told
    assert "hflip" not in told


def test_sounds_that_do_not_fit_into_memory_are_decoded_again(folder, monkeypatch):
    path = folder(a_wav=encoded(tone()), b_wav=encoded(tone(pitch=700)))
    whole = opened(path, crop="slices", length=1024)
    monkeypatch.setattr("gan_cli.data.files.sound_survey.KEPT_BYTES", 0)
    part = opened(path, crop="slices", length=1024)
    assert part.sounds == [None, None]
    assert all(torch.equal(a["real"], b["real"]) for a, b in zip(whole, part, strict=False))
    folder(a_wav=encoded(tone(pitch=100)))
    with pytest.raises(DataError, match=r"a\.wav has changed since it was first read"):
        part[0]
    assert json.dumps(part.left_out) == "{}"
