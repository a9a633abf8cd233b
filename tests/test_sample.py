"""Images from checkpoints: each depends on its seed alone, and nothing runs that was not asked."""

import os
import pickle
import subprocess
import sys
from dataclasses import is_dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from scipy.spatial import geometric_slerp
from torch import nn

from gan_cli.checkpoints import files as checkpoint
from gan_cli.checkpoints.choice import run_folder
from gan_cli.checkpoints.contents import Checkpoint, plain
from gan_cli.config.named import Named
from gan_cli.config.registry import keys_of_dataclass
from gan_cli.config.schema import Device
from gan_cli.data.spec import Field, Spec, image_spec, sample_spec, vector_spec
from gan_cli.evaluation.options import FidOptions
from gan_cli.networks import networks
from gan_cli.sampling.model import Model
from gan_cli.sampling.options import SampleOptions, checked_options
from gan_cli.sampling.perform import perform
from gan_cli.sampling.tasks.sample import ranges
from gan_cli.utils.clips import enlarged, rgb
from gan_cli.utils.errors import ConfigError, StorageError
from gan_cli.utils.lists import as_list
from tests import checkpoint_files
from tests.checkpoint_files import Deaf
from tests.toys import audio  # noqa: F401  (registration)

REPOSITORY = Path(__file__).resolve().parent.parent
DIGITS = image_spec((1, 4, 6), 3, ("zero", "one", "two"))


class Echo(nn.Module):
    """Shows its latent, times a weight, plus a tenth of the label."""

    def __init__(self, spec: Spec, *, prior: str = "normal", conditioning: str = "none") -> None:
        super().__init__()
        self.prior, self.shape, self.latent_dim = prior, spec.shape, int(np.prod(spec.shape))
        self.conditional = conditioning != "none"
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, latent, label=None):
        shift = label[:, None] / 10 if self.conditional else 0
        return (self.weight * latent + shift).view(-1, *self.shape)


@pytest.fixture(autouse=True)
def echo(monkeypatch, tmp_path):
    monkeypatch.setitem(networks.entries, "echo", Echo)
    monkeypatch.setitem(networks.entries, "deaf", Deaf)
    monkeypatch.chdir(tmp_path)


def state_of(node, spec, step=7, live=None, **config):
    nodes = {"generator": node, "discriminator": {"name": "deaf"}}
    live = {} if live is None else {"generator": live}
    return checkpoint_files.state_of(nodes, spec, step=step, live=live, **config)


def saved(node=None, spec=DIGITS, **rest):
    """The path of a checkpoint of outputs/x, as a run would write it."""
    return checkpoint_files.write(state_of(node or {"name": "echo"}, spec, **rest))


def sample(**keys):
    """Files by name, as gan-sample writes them for these keys."""
    keys.setdefault("device", {"accelerator": "cpu"})
    keys.setdefault("output", f"out-{len(list(Path().iterdir()))}")
    keys.setdefault("run", None if "checkpoint" in keys else "x")
    options = checked_options(keys)
    perform(options, run_folder(options.run) if options.run else None)
    return {path.name: path for path in Path(keys["output"]).iterdir()}


def pixels(latent):
    return np.clip(np.rint((latent.numpy() + 1) * 127.5), 0, 255).astype(np.uint8)


def noise(seed):
    return torch.randn(1, 24, generator=torch.Generator().manual_seed(seed)).view(4, 6)


def test_an_image_is_its_seed_through_the_generator():
    saved()
    files = sample(seeds="3,7,10-11", format="png")
    assert sorted(files) == [f"seed-{seed:05d}.png" for seed in (3, 7, 10, 11)]
    for seed in (3, 7, 10, 11):
        shown = np.asarray(Image.open(files[f"seed-{seed:05d}.png"]))
        assert np.array_equal(shown, pixels(noise(seed)))


@pytest.mark.parametrize(
    "node",
    [
        {"name": "mlp_generator"},
        {"name": "dcgan_generator", "width": 16},
        {"name": "resnet_generator", "width": 16},
    ],
)
def test_the_same_bytes_in_whatever_company(node):
    saved(node, image_spec((3, 32, 32)))
    together = sample(seeds="0-63", format="png")
    for others in ("5", "63,5,0", "1-7"):
        for name, path in sample(seeds=others, format="png").items():
            assert path.read_bytes() == together[name].read_bytes()


@pytest.mark.parametrize(
    ("node", "spec"),
    [
        ({"name": "mlp_generator"}, vector_spec(2)),
        ({"name": "mlp_generator", "conditioning": "concat"}, vector_spec(3, 7)),
        ({"name": "dcgan_generator", "width": 16}, image_spec((3, 32, 32))),
        ({"name": "toy_synthesizer"}, sample_spec(Field("audio", (1, 512), sample_rate=8000))),
    ],
)
def test_the_same_bits_in_whatever_company(node, spec):
    """Of vectors these are those of the network itself, without any rounding."""
    saved(node, spec)
    name = "images" if spec.kind == "image" else "samples"

    def drawn(seeds: str) -> dict[int, bytes]:
        with np.load(sample(seeds=seeds, format="npz")["samples.npz"]) as arrays:
            return {
                int(seed): value.tobytes()
                for seed, value in zip(arrays["seeds"], arrays[name], strict=True)
            }

    together = drawn("0-63")
    assert len(set(together.values())) == 64
    shuffled = ",".join(map(str, np.random.default_rng(0).permutation(130)))
    for seeds in ("7", "63,7", shuffled):
        found = drawn(seeds)
        assert list(found) == [int(seed) for seed in seeds.split(",")]
        assert all(found[seed] == together[seed] for seed in found.keys() & together.keys())


class Counting(Echo):
    """Notes how many samples it makes at a time."""

    made: ClassVar[list[int]] = []

    def forward(self, latent, label=None):
        self.made.append(len(latent))
        return super().forward(latent, label)


def test_samples_are_drawn_as_many_at_a_time_as_wanted(monkeypatch):
    monkeypatch.setitem(networks.entries, "counting", Counting)
    saved({"name": "counting"})
    usual = np.load(sample(count=70, format="npz")["samples.npz"])
    assert Counting.made[-2:] == [64, 64]
    for size in (5, 70):
        Counting.made.clear()
        arrays = np.load(sample(count=70, format="npz", batch_size=size)["samples.npz"])
        assert Counting.made == [size] * (70 // size)
        assert np.array_equal(arrays["images"], usual["images"])
    with pytest.raises(ConfigError, match="batch_size: must be at least 1, got 0"):
        sample(batch_size=0)


@pytest.mark.parametrize(("options", "command"), [(SampleOptions, "sample"), (FidOptions, "fid")])
def test_the_yaml_holds_every_option_with_its_default(options, command):
    """What it lacks could not be typed."""
    tree = yaml.safe_load((REPOSITORY / "configs" / f"{command}.yaml").read_text())
    groups = {key for choice in tree.pop("defaults")[:-2] for key in choice}
    assert groups == {"device", "dataset"}
    keys = {key: default for key, (_, default) in keys_of_dataclass(options).items()}
    keys = {k: plain(v) if is_dataclass(v) else v for k, v in keys.items()}
    assert set(keys) == (set(tree) - {"hydra"}) | groups
    for key in keys.keys() - groups - {"metrics"}:  # of metrics there is no default in the code
        default = list(keys[key]) if isinstance(keys[key], tuple) else keys[key]
        default = default["name"] if isinstance(default, Named) else default
        assert tree[key] == default, key


def test_average_and_live_weights():
    saved(live={"weight": torch.tensor(0.5)})
    for weights, factor in ("average", 1), ("live", 0.5):
        files = sample(seeds=3, weights=weights, format="png")
        shown = np.asarray(Image.open(files["seed-00003.png"]))
        assert np.array_equal(shown, pixels(factor * noise(3)))


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (None, [1, 2, 0, 1]),  # seed modulo the classes
        (2, [2, 2, 2, 2]),
        ("one", [1, 1, 1, 1]),
        (["two", 0], [2, 0, 2, 0]),
    ],
)
def test_labels(label, expected):
    saved({"name": "echo", "conditioning": "embed"})
    files = sample(seeds="1-4", label=label, format="npz")
    arrays = np.load(files["samples.npz"])
    assert arrays["labels"].tolist() == expected
    assert arrays["seeds"].tolist() == [1, 2, 3, 4]
    assert arrays["images"].shape == (4, 4, 6, 1)
    for seed, label, image in zip(range(1, 5), expected, arrays["images"], strict=True):
        assert np.array_equal(image[..., 0], pixels(noise(seed) + label / 10))


def test_a_class_name_counts_before_a_number():
    saved({"name": "echo", "conditioning": "embed"}, image_spec((1, 4, 6), 3, ("0", "1", "10")))
    files = sample(seeds="5", label=10, format="png")
    assert list(files) == ["seed-00005-label-10.png"]
    shown = np.asarray(Image.open(files["seed-00005-label-10.png"]))
    assert np.array_equal(shown, pixels(noise(5) + 0.2))  # of class 2


def test_truncation_bounds_the_latent():
    saved()
    inside = np.load(sample(truncation=0.5, format="npz")["samples.npz"])["images"]
    assert inside.min() >= round(0.5 * 127.5) and inside.max() <= round(1.5 * 127.5)  # noqa: PT018


def test_grid_has_its_columns():
    saved()
    grid = Image.open(sample(count=6, columns=3)["grid.png"])
    assert grid.size == (3 * 6 + 2 * 2, 2 * 4 + 2)


def model(prior="normal"):
    state = state_of({"name": "echo", "prior": prior}, DIGITS)
    return Model(Checkpoint.from_state(state), device=Device(accelerator="cpu"))


def test_a_normal_prior_is_walked_along_the_sphere():
    ends = torch.randn(3, 24, generator=torch.Generator().manual_seed(0)).double()
    ends = nn.functional.normalize(ends)
    path = model().walk(ends, 4)
    assert path.shape == (11, 24)
    times = np.linspace(0, 1, 6)
    for i in range(2):
        arc = geometric_slerp(ends[i].numpy(), ends[i + 1].numpy(), times)
        np.testing.assert_allclose(path[5 * i : 5 * i + 6].numpy(), arc, atol=1e-6)


def test_a_uniform_prior_is_walked_straight():
    ends = torch.rand(2, 24) * 2 - 1
    line = np.linspace(ends[0].numpy(), ends[1].numpy(), 5)
    np.testing.assert_allclose(model("uniform").walk(ends, 3).numpy(), line, atol=1e-6)


def test_a_strip_has_a_row_for_each_pair():
    saved()
    strip = np.asarray(Image.open(sample(seeds="3,8,5", interpolate=2)["strip.png"]))
    assert strip.shape == (2 * 4 + 2, 4 * 6 + 3 * 2)
    for row, (start, end) in enumerate([(3, 8), (8, 5)]):
        cells = strip[row * 6 : row * 6 + 4]
        assert np.array_equal(cells[:, :6], pixels(noise(start)))
        assert np.array_equal(cells[:, -6:], pixels(noise(end)))


def test_a_gif_shows_every_frame():
    saved({"name": "echo", "conditioning": "embed"})
    gif = Image.open(sample(seeds="3,8,5", interpolate=2, label=1, format="gif")["walk.gif"])
    assert (gif.n_frames, gif.size) == (7, (6 * 42, 4 * 42))
    first = np.asarray(gif.convert("L"))[::42, ::42]
    assert np.array_equal(first, pixels(noise(3) + 0.1))


def test_an_mp4_shows_every_frame():
    imageio = pytest.importorskip("imageio.v3")
    pytest.importorskip("av")
    saved(spec=image_spec((1, 4, 6)))
    path = sample(seeds="3,8,5", interpolate=2, format="mp4")["walk.mp4"]
    assert imageio.imread(path, plugin="pyav").shape == (7, 4 * 42, 6 * 42, 3)


def test_frames_of_a_clip():
    assert enlarged(np.zeros((300, 301, 3), np.uint8)).shape == (300, 302, 3)
    half = np.array([[[200, 0, 100, 51]]], np.uint8)  # a fifth of it over white
    assert rgb(half).tolist() == [[[244, 204, 224]]]


def test_vectors_go_into_an_npz():
    saved({"name": "echo"}, vector_spec(2))
    samples = np.load(sample(seeds="0-2", format="npz")["samples.npz"])["samples"]
    rng = torch.Generator().manual_seed(1)
    assert np.array_equal(samples[1], torch.randn(1, 2, generator=rng)[0].numpy())
    with pytest.raises(ConfigError, match="type format=npz or plot"):
        sample(seeds="0-2", format="grid")
    with pytest.raises(ConfigError, match="interpolate: there is no format for frames of"):
        sample(seeds="0-2", interpolate=2)


def orange(picture: np.ndarray) -> np.ndarray:
    """(H, W) bool: where samples are drawn."""
    return picture[..., 0].astype(int) - picture[..., 2] > 40


def test_vectors_of_one_or_two_numbers_are_plotted():
    saved({"name": "echo"}, vector_spec(2))
    files = sample(format="plot,npz")  # the default is the plot alone, of as many
    assert np.load(files["samples.npz"])["samples"].shape == (2000, 2)
    plot = np.array(Image.open(sample()["plot.png"]))
    assert np.array_equal(plot, np.array(Image.open(files["plot.png"])))
    assert plot.shape == (512, 512, 3)
    middle, corner = orange(plot)[200:330, 210:340], orange(plot)[40:100, 45:105]
    assert middle.mean() > 0.5 > 0.02 > corner.mean()  # 2,000 of a normal law

    saved({"name": "echo"}, vector_spec(1), step=6)
    bars = orange(np.array(Image.open(sample()["plot.png"]))).sum(0)  # pixels, column by column
    assert bars[240:300].mean() > 5 * bars[40:100].mean()

    saved({"name": "echo"}, vector_spec(3), step=7)
    assert sample().keys() == {"samples.npz"}
    with pytest.raises(
        ConfigError, match=r"format: 'plot' does not show samples of kind vector and shape \(3,\)"
    ):
        sample(format="plot")


def test_which_checkpoint():
    for step in 5, 9:
        saved(step=step)
    checkpoint.save(Path("outputs/x/checkpoints/best.pt"), state_of({"name": "echo"}, DIGITS, 3))
    for which, told in ("latest", "step 9"), ("best", "step 3"), (5, "step 5"):
        options = checked_options({"run": "x", "which": which, "count": 1})
        assert told in perform(options, Path("outputs/x"))
    with pytest.raises(ConfigError, match="a step of: 5, 9"):
        sample(which=6)


def test_a_damaged_latest_falls_back(caplog):
    saved(step=5)
    saved(step=9).write_bytes(b"half a file")
    options = checked_options({"run": "x", "count": 1})
    assert "step 5" in perform(options, Path("outputs/x"))
    assert "damaged" in caplog.text


def test_nothing_is_overwritten():
    path = saved()
    for name in "step-0000007", "step-0000007-2":
        assert name in perform(checked_options({"run": "x", "count": 1}), Path("outputs/x"))
        assert Path("outputs/x/generated", name, "grid.png").is_file()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="exists and is not empty"):
        sample(checkpoint=str(path), output=str(path.parent))
    assert path.read_bytes() == before


class Payload:
    def __reduce__(self):
        return os.mkdir, ("pwned",)


def test_a_strangers_checkpoint_runs_no_code():
    torch.save({"networks": {}, "step": Payload()}, "evil.pt")
    Path("evil.pkl").write_bytes(pickle.dumps(Payload()))
    for name in "evil.pt", "evil.pkl":
        with pytest.raises(StorageError):
            sample(checkpoint=name)
    assert not Path("pwned").exists()


OWN = """
from gan_cli.networks import networks
from tests.test_sample import Echo

networks.register("own_generator")(Echo)
"""


def test_own_networks_are_imported_on_request_only(monkeypatch):
    Path("own_nets.py").write_text(OWN)
    node = {"name": "own_generator"}
    with monkeypatch.context() as patch:
        patch.setitem(networks.entries, "own_generator", Echo)
        saved(node, imports=["own_nets"])
    with pytest.raises(ConfigError, match=r"add imports=\[own_nets\]"):
        sample()
    try:
        assert "grid.png" in sample(imports=["own_nets"])
    finally:
        networks.entries.pop("own_generator", None)


def edited(networks=None, **config):
    nodes = {"generator": {"name": "echo"}, "discriminator": {"name": "deaf"}}
    model = {"game": {"name": "gan"}, "networks": nodes if networks is None else networks}
    loss = {"adversarial": {"name": "hinge"}}
    return {"model": model, "loss": loss, "dataset": {"name": "synthetic"}, **config}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 3}, "has format 3"),
        ({"networks": {}, "averages": {}}, "holds no network 'generator'"),
        ({"config": {}}, "c.pt: config.model.networks: expected names and values"),
        ({"config": edited(networks={"generator": {"name": "echo"}})}, "'discriminator', only gen"),
        ({"config": edited(networks={"discriminator": {"name": "deaf"}})}, "'generator', only di"),
        ({"config": edited(loss={})}, "c.pt: loss.adversarial: has no value"),
        (
            {"spec": {"target": "real", "fields": {"real": {"kind": "image", "shape": "x"}}}},
            "spec.fields.real.shape: expected a list",
        ),
        ({"averages": {"generator": {"bias": torch.ones(2)}}}, "the weights do not fit"),
    ],
)
def test_an_unfit_checkpoint_says_why(change, told):
    """One line, whatever was edited."""
    checkpoint.save(Path("c.pt"), state_of({"name": "echo"}, DIGITS) | change)
    with pytest.raises((ConfigError, StorageError), match=told):
        sample(checkpoint="c.pt")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"label": 3}, "label: the model was trained without labels"),
        ({"seeds": [3, "1-4"]}, "seeds: 3 would draw the same sample 2 times"),
        ({"truncation": 0}, "truncation: must be above 0"),
    ],
)
def test_requests_that_the_model_cannot_meet(keys, told):
    saved()
    with pytest.raises(ConfigError, match=told):
        sample(**keys)


def test_requests_that_a_conditional_model_cannot_meet():
    saved({"name": "echo", "conditioning": "embed"})
    with pytest.raises(ConfigError, match="unknown class 'on'; did you mean 'one'"):
        sample(label="on")
    with pytest.raises(ConfigError, match="unknown class '3'"):
        sample(label=3)
    with pytest.raises(ConfigError, match="stays within one class"):
        sample(interpolate=2)


def test_truncation_needs_tails():
    saved({"name": "echo", "prior": "uniform"})
    with pytest.raises(ConfigError, match="the uniform prior has no tails"):
        sample(truncation=0.5)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"run": None}, "type run=NAME or checkpoint=PATH"),
        ({"checkpoint": "c.pt"}, "leave one of them out"),
        ({"run": None, "checkpoint": "c.pt"}, "no file c.pt"),
        ({"sedes": 3}, "did you mean 'seeds'"),
        ({"weights": "ema"}, "weights: unknown value 'ema'"),
        ({"which": "bset"}, "did you mean 'best'"),
        ({"count": 5, "seeds": "0-3"}, "count: is 5, but seeds lists 4"),
        ({"count": 0}, "count: must be at least 1"),
        ({"seeds": "5-3"}, "type 3-5"),
        ({"seeds": "1,x"}, "cannot read 'x'"),
        ({"seeds": "-1"}, "cannot read '-1'"),
        ({"seeds": []}, "seeds: lists none"),
        ({"seeds": 2**64}, "too large"),
        ({"seeds": 3, "interpolate": 2}, "two or more"),
        ({"format": "jpeg"}, "unknown format 'jpeg'"),
        ({"format": ["grid", "gif"]}, "add interpolate=8"),
        ({"format": "grid", "interpolate": 2}, "to interpolate type format=gif"),
        ({"format": "png", "columns": 3}, "columns: is for format=grid"),
        ({"output": "a.png"}, "type output=a"),
        ({"device": {"workers": 8}}, "device.workers: is for training"),
    ],
)
def test_faults_are_found_before_a_checkpoint_is_opened(keys, told):
    with pytest.raises(ConfigError, match=told):
        checked_options({"run": "x", **keys})


def test_mp4_asks_for_its_extra(monkeypatch):
    module = sys.modules["gan_cli.sampling.exports.export"]  # the package has a function export
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'gan-cli\[video\]'"):
        checked_options({"run": "x", "interpolate": 2, "format": "mp4"})


def test_a_misspelt_run():
    saved()
    with pytest.raises(ConfigError, match="Known: x"):
        run_folder("y")
    assert run_folder("x") == run_folder("outputs/x") == Path("outputs/x")


def test_lists_on_the_command_line():
    assert as_list("seeds=3,7,10-12") == "seeds=[3,7,10-12]"
    assert as_list("seeds=[3,7]") == "seeds=[3,7]"
    assert as_list("run=a,b") == "run=a,b"
    assert ranges((3, 7, 10, 11, 12)) == ["3", "7", "10-12"]


def command(code, folder):
    return subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


RUN = """
sys.argv = ["gan-sample", *{words}]
from gan_cli.sample import main
try:
    main()
finally:
    assert "torch" not in sys.modules or {torch}
"""


def gan_sample(folder, *words, torch=True):
    return command(RUN.format(words=words, torch=torch), folder)


def test_help_and_faults_need_no_torch(tmp_path):
    done = gan_sample(tmp_path, "--help", torch=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("gan-sample run=NAME") == 3
    done = gan_sample(tmp_path, "run=nowhere", torch=False)
    assert done.returncode == 2
    assert done.stderr == "gan_cli: run: unknown run 'nowhere'; Known: none (in ./outputs)\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_train_then_sample_without_the_data(tmp_path):
    words = (
        *("run=x", "model=cgan_projection", "dataset=synthetic", "dataset.count=32"),
        *("dataset.size=16", "batch_size=4", "steps=2", "metrics=none", "device=cpu"),
        *("model.networks.generator.width=8", "model.networks.discriminator.width=8"),
    )
    train = f"sys.argv = ['gan-train', *{words}]\nfrom gan_cli.train import main\nmain()"
    done = command(train, tmp_path)
    assert done.returncode == 0, done.stderr
    alone = tmp_path / "elsewhere"
    alone.mkdir()
    (tmp_path / "outputs/x/checkpoints/step-0000002.pt").rename(alone / "model.pt")
    done = gan_sample(alone, "checkpoint=model.pt", "seeds=0,3-5", "label=1,2", "format=grid,npz")
    assert done.returncode == 0, done.stderr
    assert "seeds: 0, 3-5\nlabels: 1, 2, 1, 2\n" in done.stdout
    arrays = np.load(alone / "generated/step-0000002/samples.npz")
    assert arrays["images"].shape == (4, 16, 16, 3)
