"""gan-sample input=PHOTO: files of any size and kind, in tiles, with their names; blends."""

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image

from gan_cli.checkpoints.choice import find
from gan_cli.sampling.comparison import SIDE
from gan_cli.sampling.options import checked_options
from gan_cli.sampling.perform import perform
from gan_cli.sampling.photo_files import OutputNames
from gan_cli.utils.bicubic import resized
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, composed, trained
from tests.test_super_resolution import photo

CPU = {"accelerator": "cpu"}


def run_of(name: str, folder: Path, channels: int = 3, seed: int = 0) -> None:
    kept = [word for word in SMALL if not word.startswith(("dataset", "seed"))]
    words = ["dataset=paired", "dataset@dataset.images=synthetic", "dataset.images.size=32"]
    words += [f"dataset.images.channels={channels}", "dataset.images.count=40", "ema.half_life=0"]
    words += ["degradation@dataset.degradation=downscale", "dataset.degradation.factor=2"]
    words += ["model.networks.generator.width=4", "model.networks.generator.blocks=1"]
    config = composed(*kept, "model=msrresnet", *words, "every.checkpoint=2", f"seed={seed}")
    trained(validate(config), folder / "outputs" / name)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with runs that enlarge 2 times: colour, another, gray."""
    folder = tmp_path_factory.mktemp("photos")
    run_of("x", folder)
    run_of("other", folder, seed=1)
    run_of("gray", folder, channels=1)
    return folder


@pytest.fixture
def work(home, tmp_path, monkeypatch):
    """An empty folder of photos, to work in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").symlink_to(home / "outputs")
    (tmp_path / "in").mkdir()
    return tmp_path


def sampled(run: str = "x", **options) -> str:
    options = {"run": run, "input": "in", "output": "out", "device": CPU, **options}
    return perform(checked_options(options), Path("outputs") / run)


def enlarged_by(run: str, image: np.ndarray) -> np.ndarray:
    """What the network of a run makes of an image (H, W, C)."""
    import gan_cli

    network = gan_cli.load(f"outputs/{run}", device="cpu").network("generator")
    given = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        output = network(given)
    return ((output + 1) * 127.5).round().clamp(0, 255)[0].permute(1, 2, 0).numpy()


def test_photos_of_any_size_keep_their_names_and_folders(work):
    (work / "in/sub").mkdir()
    images = {"in/a.png": photo(10, 17), "in/sub/b.png": photo(5, 3)}
    for name, image in images.items():
        Image.fromarray(image).save(work / name)
    report = sampled()
    assert "out/sub/b.png" in report
    for name, image in images.items():
        made = np.asarray(Image.open(work / name.replace("in/", "out/")))
        assert made.shape == (2 * image.shape[0], 2 * image.shape[1], 3)
        assert np.abs(made - enlarged_by("x", image)).max() <= 1
    sheet = Image.open(work / "out/comparison.png")
    assert sheet.size == (3 * SIDE + 4, 2 * SIDE + 2)


def test_a_file_a_folder_and_a_zip_archive_give_the_same(work):
    Image.fromarray(photo(9, 9)).save("in/a.png")
    with ZipFile("in.zip", "w") as archive:
        archive.write("in/a.png", "a.png")
    for given in ("in", "in/a.png", "in.zip"):
        sampled(input=given, output=given.replace("/", "_") + ".out")
    files = [Path(f"{name}.out/a.png").read_bytes() for name in ("in", "in_a.png", "in.zip")]
    assert files[0] == files[1] == files[2]


def test_tiles_do_not_show(work):
    Image.fromarray(photo(40, 90)).save("in/a.png")
    sampled(output="whole")
    sampled(output="tiles", tile=24)
    whole, tiles = (
        np.asarray(Image.open(f"{name}/a.png")).astype(int) for name in ("whole", "tiles")
    )
    assert np.abs(whole - tiles).max() <= 1
    sampled(output="seams", tile=24, overlap=0)
    assert np.abs(whole - np.asarray(Image.open("seams/a.png"))).max() > 1


def test_transparency_is_kept(work):
    alpha = np.tile(np.arange(0, 250, 25, dtype=np.uint8), (8, 1))
    Image.fromarray(np.dstack([photo(8, 10), alpha])).save("in/a.png")
    sampled()
    made = np.asarray(Image.open("out/a.png"))
    assert made.shape == (16, 20, 4)
    assert np.array_equal(made[..., 3], resized(alpha, (16, 20)))
    assert np.abs(made[..., :3] - enlarged_by("x", photo(8, 10))).max() <= 1


def test_photos_are_upright(work):
    exif = Image.Exif()
    exif[0x0112] = 6  # the top is at the right of what is stored
    Image.fromarray(photo(8, 12)).save("in/a.png", exif=exif)
    sampled()
    made = Image.open("out/a.png")
    assert made.size == (16, 24)
    assert 0x0112 not in made.getexif()
    upright = np.ascontiguousarray(np.rot90(photo(8, 12), -1))
    assert np.abs(np.asarray(made) - enlarged_by("x", upright)).max() <= 1


def test_colour_profiles_are_kept(work):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(photo(8, 8)).save("in/a.jpg", icc_profile=profile)
    sampled()
    assert Image.open("out/a.png").info["icc_profile"] == profile


def test_gray_photos_become_what_the_model_takes(work):
    gray = photo(8, 8)[..., 0]
    Image.fromarray(gray).save("in/a.png")
    sampled(output="colour")
    assert Image.open("colour/a.png").mode == "RGB"
    sampled("gray", output="gray")
    assert Image.open("gray/a.png").mode == "L"


def test_what_is_no_photo_is_left_out_and_named(work, caplog):
    Image.fromarray(photo(8, 8)).save("in/a.png")
    Path("in/b.png").write_bytes(b"no image")
    report = sampled()
    assert "left out b.png: not an image" in caplog.text
    assert "b.png" not in report
    assert sorted(p.name for p in Path("out").iterdir()) == ["a.png", "comparison.png"]


@pytest.mark.parametrize(
    ("run", "options", "message"),
    [
        ("x", {"input": "in/b.png"}, r"^input: b\.png: not an image"),
        (
            "x",
            {"input": "in/c.txt"},
            r"^input: c\.txt is no image and no video; readable are .*\.png",
        ),
        ("gray", {"input": "in/a.png"}, r"^input: a\.png: is in colour, and the model takes gray"),
        ("x", {"input": "empty"}, r"^input: no images in"),
        ("x", {"format": "npz"}, r"^format: outputs of photos are written as one of png, input"),
        ("x", {"format": "png,input"}, r"^format: outputs of photos are written as one of"),
        ("x", {"format": "gif", "input": "in/a.png"}, r"^format: 'gif' is for videos and anim"),
        ("x", {"format": "jpg"}, r"^format: unknown format 'jpg'.*input"),
        ("x", {"format": "input", "input": None}, r"^format: unknown format 'input'"),
        ("x", {"format": "input", "task": "encode"}, r"^format: unknown format 'input'"),
        ("x", {"format": "input", "input": "in.npz"}, r"^format: unknown format 'input'"),
        ("x", {"seeds": "0-3"}, r"^seeds: photos are made with one seed"),
        ("x", {"alpha": 0.5}, r"^alpha: is of blend; add blend=RUN"),
        ("x", {"blend": "gray"}, r"^blend: the weights of gray do not fit .*'generator': first"),
        ("x", {"blend": "none"}, r"^blend: unknown run 'none'"),
        ("x", {"input": None, "tile": 9}, r"^tile: is for photos; add input=PHOTO or FOLDER"),
    ],
)
def test_what_cannot_be_done_gets_one_line(work, run, options, message):
    Image.fromarray(photo(8, 8)).save("in/a.png")
    Path("in/b.png").write_bytes(b"no image")
    Path("in/c.txt").write_text("text")
    Path("empty").mkdir()
    np.savez("in.npz", images=photo(8, 8)[None])
    with pytest.raises(ConfigError, match=message) as error:
        sampled(run, **options)
    assert "\n" not in str(error.value)
    assert not Path("out").exists()


def named(names, suffix=".png", **options):
    outputs = OutputNames(names, **options)
    return [outputs.of(name, suffix or Path(name).suffix) for name in names]


def test_names_of_outputs_are_distinct():
    assert named(["a.jpg", "b/a.png"]) == ["a.png", "b/a.png"]
    assert named(["a.jpg", "a.png", "A.gif"]) == ["a.jpg.png", "a.png.png", "A.gif.png"]
    assert named(["comparison.jpg"], taken="comparison.png") == ["comparison.jpg.png"]
    many = named(["a.jpg", "a.png", "a.jpg.png", "a.jpg.jpg"])
    assert len(set(many)) == 4


def test_kept_names_come_before_those_of_photos_whose_format_does_not_fit():
    names = ["a.jpg", "a.png", "a.JPG.png", "comparison.png", "b.bmp"]
    assert named(names, "", kept=True, taken="comparison.png") == [
        *names[:3],
        "comparison.png.png",
        "b.bmp",
    ]
    outputs = OutputNames(names, kept=True)
    assert outputs.of("a.jpg", ".png") not in names
    assert outputs.of("b.bmp", ".png") == "b.png"


@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0, None])
def test_blended_weights_lie_between_both(work, alpha):
    image = photo(9, 9)
    Image.fromarray(image).save("in/a.png")
    sampled(blend="other", alpha=alpha)
    share = 0.8 if alpha is None else alpha
    mixed = {}
    own, other = (find(run).weights("generator", True) for run in ("x", "other"))
    for name, weight in own.items():
        mixed[name] = (1 - share) * other[name] + share * weight
    import gan_cli

    network = gan_cli.load("outputs/x", device="cpu").network("generator")
    network.load_state_dict(mixed)
    with torch.no_grad():
        output = network(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1)
    wanted = ((output + 1) * 127.5).round().clamp(0, 255)[0].permute(1, 2, 0).numpy()
    assert np.abs(np.asarray(Image.open("out/a.png")) - wanted).max() <= 1
