"""gan-export: each file computes what the network computes, and the card tells how to use it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import gan_cli
from gan_cli.data.spec import image_spec
from gan_cli.deployment import hub
from gan_cli.deployment.exportable import exportable
from gan_cli.deployment.formats import ModelFormat, model_formats
from gan_cli.deployment.options import ExportOptions, checked_options
from gan_cli.deployment.perform import ExportError, perform
from gan_cli.sampling.model import Model
from gan_cli.utils.errors import ConfigError, StorageError, UserError
from tests.checkpoint_files import state_of, write

GENERATOR = {"name": "dcgan_generator", "width": 4, "latent_dim": 8, "prior": "uniform"}
DISCRIMINATOR = {"name": "dcgan_discriminator", "width": 4, "spectral_norm": True}
CONDITIONAL = {"conditioning": "concat"}
NAMES = ("cat", "dog", "owl")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A conditional run in outputs/x, whose average differs from the live weights."""
    monkeypatch.chdir(tmp_path)
    nodes = {"generator": GENERATOR | CONDITIONAL, "discriminator": DISCRIMINATOR | CONDITIONAL}
    state = state_of(nodes, image_spec((3, 16, 16), 3, NAMES))
    state["networks"]["generator"] = {
        key: value + 0.1 if value.is_floating_point() else value
        for key, value in state["averages"]["generator"].items()
    }
    write(state, "x")
    return tmp_path / "outputs/x"


def exported(folder: Path, **options) -> Path:
    """The folder that gan-export writes."""
    options = {"run": "x", "output": "out", **options}
    perform(checked_options(options), folder)
    return Path(options["output"])


def own_output(run: Path, role: str, inputs: dict[str, torch.Tensor], which="average"):
    with torch.no_grad():
        return gan_cli.load(run, weights=which, device="cpu").network(role)(**inputs)


@pytest.mark.parametrize("weights", ["average", "live"])
def test_onnx_in_onnxruntime(run, weights):
    """The graph takes any batch size, by the names that the card lists."""
    onnxruntime = pytest.importorskip("onnxruntime")
    folder = exported(run, format="onnx", weights=weights)
    session = onnxruntime.InferenceSession(folder / "generator.onnx")
    assert [i.name for i in session.get_inputs()] == ["latent", "label"]
    for count in 1, 5:
        inputs = {"latent": torch.rand(count, 8) * 2 - 1, "label": torch.arange(count) % 3}
        found = session.run(None, {name: value.numpy() for name, value in inputs.items()})[0]
        wanted = own_output(run, "generator", inputs, weights)
        assert found == pytest.approx(wanted.numpy(), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "file", "load"),
    [
        ("torchscript", "discriminator.ts", torch.jit.load),
        ("torch_export", "discriminator.pt2", lambda path: torch.export.load(path).module()),
    ],
)
def test_programs_of_torch(run, name, file, load):
    """Spectral norm is in the weights; a discriminator takes images with labels."""
    folder = exported(run, format=name, role="discriminator")
    inputs = {"image": torch.rand(5, 3, 16, 16), "label": torch.arange(5) % 3}
    with torch.no_grad():
        found = load(str(folder / file))(*inputs.values())
    assert torch.allclose(found, own_output(run, "discriminator", inputs), atol=1e-6)


def test_safetensors_are_a_checkpoint(run):
    """The whole model: gan_cli.load and every command draw the same samples from it."""
    folder = exported(run)
    wanted = gan_cli.load(run, device="cpu").sample(6)
    for place in folder, folder / "model.safetensors":
        loaded = gan_cli.load(place, device="cpu")
        assert torch.equal(loaded.sample(6), wanted)
    assert loaded.spec.class_names == NAMES
    assert loaded.step == 7
    assert not torch.equal(gan_cli.load(run, weights="live", device="cpu").sample(6), wanted)


def test_damaged_safetensors_are_refused(run):
    path = exported(run) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StorageError, match="damaged"):
        gan_cli.load(path)


def test_safetensors_of_others_are_refused(run):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, "foreign.safetensors")
    with pytest.raises(StorageError, match="no model of gan_cli"):
        gan_cli.load("foreign.safetensors")


def test_the_snippets_of_the_card_run(run, monkeypatch):
    """Every block of Python in the card, as typed, in the folder of the card."""
    names = [name for name, known in model_formats.entries.items() if not known.missing]
    folder = exported(run, format=names)
    card = (folder / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(blocks) == len(names)
    monkeypatch.chdir(folder)
    for block in blocks:
        scope: dict = {}
        exec(block, scope)
        result = scope["samples"] if "samples" in scope else scope["output"]
        assert np.asarray(result.detach() if torch.is_tensor(result) else result).shape[1:] == (
            *(3, 16, 16),
        )


def test_the_card_tells_what_the_model_is(run):
    (run / "cards").mkdir()
    parts = {"lower_is_better": {}, "metrics": {}, "protocol": {"real": {"count": 9}}}
    values = {"fid": 12.5, "kid": "Infinity"}  # as strict JSON has it
    card = {"card": 1, "subject": {"step": 7}, "values": values, **parts}
    (run / "cards/a.json").write_text(json.dumps(card))
    (run / "cards/other.json").write_text(json.dumps({**card, "subject": {"step": 6}}))
    (run / "cards/broken.json").write_text("{")
    folder = exported(run, license="cc-by-4.0")
    text = (folder / "README.md").read_text()
    for words in (
        *("license: cc-by-4.0", "`latent` | (batch, 8) | float32 | uniform on [-1, 1]"),
        *("0 to 2 (cat, dog, owl)", "| fid | 12.5 |", "| kid | inf |", '"count": 9', "samples.png"),
    ):
        assert words in text
    assert (folder / "samples.png").stat().st_size > 500


def test_absolute_paths_of_the_author_are_not_published(run):
    path = next(run.glob("checkpoints/*.pt"))
    state = torch.load(path, weights_only=True)
    state["config"]["dataset"] = {"name": "folder", "path": "/home/anna/photos", "other": "~/x"}
    torch.save(state, path)
    folder = exported(run)
    written = (folder / "config.json").read_bytes() + (folder / "model.safetensors").read_bytes()
    assert b"anna" not in written
    assert b'"path": "photos"' in written


def test_inputs_that_change_nothing_are_left_out(tmp_path, monkeypatch):
    """A plain discriminator is passed labels, and does not need them."""
    monkeypatch.chdir(tmp_path)
    nodes = {"generator": GENERATOR, "discriminator": DISCRIMINATOR}
    path = write(state_of(nodes, image_spec((3, 16, 16), 3)))
    model = Model(gan_cli.load(path, device="cpu")._model.checkpoint)
    assert list(exportable(model, "discriminator").examples) == ["image"]
    assert list(exportable(model, "generator").examples) == ["latent"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x * 1.01, "computes something else"),
        (lambda x: x * float("nan"), "computes something else"),
        (lambda x: x[:, :1], "computes something else"),
        (lambda x: 1 / 0, "cannot be exported as wrong"),
    ],
)
def test_a_file_that_differs_is_not_left_behind(run, monkeypatch, change, message):
    wrong = ModelFormat(
        "wrong.bin",
        lambda network, path: path.write_bytes(b"x"),
        lambda path, network, inputs: tuple(change(x) for x in network(inputs)),
        lambda network, file: [],
    )
    monkeypatch.setitem(model_formats.entries, "wrong", wrong)
    with pytest.raises(ExportError, match=message):
        exported(run, format=["safetensors", "wrong"])
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "onx"}, "format: unknown format 'onx'; did you mean 'onnx'"),
        ({"format": []}, "format: lists none"),
        ({"format": {"name": "onnx"}}, "format: unknown format"),
        ({"format": [["onnx"]]}, "format: unknown format"),
        ({"run": None}, "run: has no value; type run=NAME"),
        ({"run": None, "checkpoint": "no.pt"}, "checkpoint: no file no.pt"),
        ({"output": "a.onnx"}, "output: is a folder; type output=a"),
        ({"output": "outputs"}, "output: outputs exists and is not empty"),
        ({"push": "name"}, "push: names a repository, as in push=user/name"),
        ({"rol": "generator"}, "rol: unknown key 'rol'; did you mean 'role'"),
        ({"role": "encoder"}, "role: the model has no network 'encoder'; it has generator, disc"),
    ],
)
def test_refusals(run, options, message):
    with pytest.raises(ConfigError) as caught:
        exported(run, **options)
    assert message in str(caught.value)


def test_a_missing_package_is_named(monkeypatch):
    entry = ModelFormat("x.y", None, None, None, ("no_such_module",))
    monkeypatch.setitem(model_formats.entries, "other", entry)
    with pytest.raises(ConfigError, match=r"'other' needs no_such_module; pip install 'gan-cli\[e"):
        checked_options({"run": "x", "format": "other"})


class Hub:
    """Stands for huggingface_hub.HfApi: records uploads, or has no network."""

    endpoint = "https://hub"
    uploads: list = []
    reachable = True

    def create_repo(self, name, private, exist_ok):
        if not self.reachable:
            raise OSError("no route to host\nmore")
        self.uploads.append((name, private))

    def upload_folder(self, repo_id, folder_path):
        self.uploads.append(sorted(path.name for path in Path(folder_path).iterdir()))


def test_push_uploads_the_folder(run, monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    exported(run, push="me/x", private=False)
    assert Hub.uploads == [
        ("me/x", False),
        ["README.md", "config.json", "model.safetensors", "samples.png"],
    ]


def test_without_network_the_files_stay(run, monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    monkeypatch.setattr(Hub, "reachable", False)
    with pytest.raises(UserError, match=r"push: me/x was not uploaded \(no route to host\)") as e:
        exported(run, push="me/x")
    assert "hf upload me/x" in str(e.value)
    assert Path("out/model.safetensors").exists()


def test_nobody_logged_in(monkeypatch, tmp_path):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(ConfigError, match="nobody is logged in"):
        hub.check_login()


def test_options_have_the_defaults_of_the_yaml_file():
    from omegaconf import OmegaConf

    from gan_cli.utils.paths import CONFIGS

    tree = OmegaConf.load(CONFIGS / "export.yaml")
    for key, value in vars(ExportOptions()).items():
        if key not in ("device", "imports"):
            assert tree[key] == value, key
