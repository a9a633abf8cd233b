"""gan-export of StyleGAN2, whose generator takes noise beside latents."""

from pathlib import Path

import pytest
import torch

from gan_cli.data.spec import image_spec
from gan_cli.deployment.options import checked_options
from gan_cli.deployment.perform import perform
from gan_cli.utils.noise import Noise
from tests.checkpoint_files import state_of, write

SHORT = {"latent_dim": 6, "style_dim": 8, "mapping_depth": 2, "width": 4, "max_width": 8}
GENERATOR = {"name": "stylegan2_generator", **SHORT}
DISCRIMINATOR = {"name": "stylegan2_discriminator", "width": 4, "max_width": 8}


@pytest.fixture(params=[0, 3], ids=["plain", "conditional"])
def labels(request, tmp_path, monkeypatch) -> int:
    """The classes of a run in outputs/x, whose noise has an effect."""
    monkeypatch.chdir(tmp_path)
    own = {"conditioning": "concat"} if request.param else {}
    nodes = {"generator": GENERATOR | own, "discriminator": DISCRIMINATOR}
    state = state_of(nodes, image_spec((3, 16, 16), request.param))
    for key, value in state["averages"]["generator"].items():
        if key.endswith("strength"):
            value.fill_(0.5)
    write(state, "x")
    return request.param


@pytest.mark.parametrize(
    ("format", "file"), [("torchscript", "generator.ts"), ("torch_export", "generator.pt2")]
)
def test_latents_labels_and_noise_are_inputs_for_any_batch(labels, format, file, tmp_path):
    perform(
        checked_options({"run": "x", "output": "out", "format": format}), tmp_path / "outputs/x"
    )
    path = Path("out", file)
    network = torch.export.load(path).module() if "pt2" in file else torch.jit.load(path)
    seeds = Noise(range(5))
    inputs = [seeds.normal(6), *([torch.arange(5) % labels] if labels else [])]
    noise = seeds.normal(4**2 + 2 * 8**2 + 2 * 16**2)
    images = network(*inputs, noise)
    assert images.shape == (5, 3, 16, 16)
    assert not torch.allclose(images, network(*inputs, noise.flip(0)))


def test_the_graph_in_onnxruntime(labels, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    perform(
        checked_options({"run": "x", "output": "out", "format": "onnx"}), tmp_path / "outputs/x"
    )
    session = onnxruntime.InferenceSession("out/generator.onnx")
    names = ["latent", *(["label"] if labels else []), "noise"]
    assert [i.name for i in session.get_inputs()] == names
    assert "| `noise` | (batch, 656) | float32 | standard normal |" in Path(
        "out/README.md"
    ).read_text(encoding="utf-8")
