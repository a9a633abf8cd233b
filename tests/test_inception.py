"""The FID network against torch-fidelity's, and what happens where its weights are not to be had.

Random weights in the published layout stand in for the published ones: nothing is downloaded.
"""

import logging
import math
import pickle
import sys
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gan_cli.checkpoints.published import published
from gan_cli.config.registry import keys_of
from gan_cli.data.sets.in_memory import InMemory
from gan_cli.metrics.features import inception, inception_weights
from gan_cli.metrics.features.inception import Inception
from gan_cli.metrics.features.inception_input import resize_clean, to_rgb
from gan_cli.metrics.metric import value_name
from gan_cli.utils.errors import ConfigError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
from random_inception import write_random_weights

CPU = torch.device("cpu")


def textures(count: int, *shape: int, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, shape[0], 5, 5, generator=rng) * 255
    return torch.nn.functional.interpolate(coarse, shape[1:], mode="bilinear").to(torch.uint8)


def build(weights: Path | None, channels: int = 3, **options: object) -> Inception:
    dataset = InMemory({"real": torch.zeros(1, channels, 8, 8, dtype=torch.uint8)})
    given = None if weights is None else str(weights)
    return Inception(dataset, CPU, inception_weights=given, **options)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    return write_random_weights(path, textures(8, 3, 32, 32))


@pytest.fixture(scope="module")
def features(weights: Path) -> Inception:
    return build(weights)


@pytest.fixture(scope="module")
def reference(weights: Path) -> torch.nn.Module:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    return FeatureExtractorInceptionV3("reference", ["2048", "logits_unbiased"], str(weights))


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 45, 70), (1, 28, 28)])
def test_agrees_with_torch_fidelity(
    features: Inception, reference: torch.nn.Module, shape: tuple[int, ...]
) -> None:
    """Folded batch norm and channels_last change nothing but rounding, 1e-6 relative."""
    images = textures(2, *shape)
    expected, logits = reference(images.expand(-1, 3, -1, -1))
    found = features(images)
    assert found.features.shape == (2, 2048)
    assert found.logits is not None
    for ours, theirs in ((found.features, expected), (found.logits, logits)):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() < 1e-5 * theirs.norm()
    between = (expected[0] - expected[1]).norm()
    assert between > 1e-2 * expected.norm()  # or there would be nothing to compare


def test_clean_resize_is_pils_bicubic_unrounded() -> None:
    images = textures(2, 3, 40, 20)
    images[0, 0, :20] = 255  # an edge: bicubic overshoots there
    images[0, 0, 20:] = 0
    clean = resize_clean(images)
    assert clean.shape == (2, 3, 299, 299)
    assert (clean.min(), clean.max()) == (0, 255)
    quantised = Image.fromarray(images[1].permute(1, 2, 0).numpy()).resize((299, 299), 3)
    error = clean[1] - torch.tensor(np.array(quantised)).permute(2, 0, 1)
    assert 0.2 < error.abs().max() < 1.5  # PIL rounds uint8 after each of two passes


def test_clean_resize_leaves_full_size_alone(features: Inception) -> None:
    images = textures(1, 3, 299, 299)
    clean = copy(features)
    clean.resize = "clean"
    assert clean.describe() == {**features.describe(), "resize": "clean"}
    torch.testing.assert_close(clean(images).features, features(images).features)


def test_transparency_is_white() -> None:
    image = torch.tensor([200, 100, 0, 0]).to(torch.uint8).view(1, 4, 1, 1).repeat(1, 1, 1, 3)
    image[0, 3, 0] = torch.tensor([0, 255, 51])  # clear, opaque, a fifth
    expected = [[255, 255, 255], [200, 100, 0], [244, 224, 204]]
    assert to_rgb(image)[0, :, 0].T.tolist() == expected


def test_other_weights_are_not_fid(
    weights: Path, features: Inception, caplog: pytest.LogCaptureFixture
) -> None:
    before = torch.get_rng_state()
    with caplog.at_level(logging.WARNING):
        build(weights)
    assert torch.equal(before, torch.get_rng_state())  # nor has training noticed
    assert "not the published FID network" in caplog.text
    checksum = features.describe()["weights"]
    assert features.name == f"inception_{checksum[:8]}"
    assert value_name("fd", features.name) == f"fd_inception_{checksum[:8]}"


def test_published_weights_are_fid(
    weights: Path, features: Inception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their checksum, and found in torch.hub's folder under either library's name."""
    folder = weights.parent / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "pt_inception-2015-12-05-6726825d.pth").symlink_to(weights)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(folder.parent))
    monkeypatch.setattr(inception, "SHA256", features.sha256)
    entry = replace(published.entries[inception_weights.NAME], sha256=features.sha256)
    monkeypatch.setitem(published.entries, inception_weights.NAME, entry)
    found = build(None)
    assert (found.name, value_name("fd", found.name)) == ("inception", "fid")


def test_no_weights_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route\nto host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(ConfigError) as error:
        build(None)
    (fault,) = error.value.faults
    assert "\n" not in fault
    ways = (str(tmp_path), "no route to host", inception_weights.URL, "metrics.inception_weights=")
    for way in (*ways, "metrics.features=random"):
        assert way in fault


class Code:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("ran"),))


@pytest.mark.parametrize("kind", ["missing", "truncated", "text", "code", "layout", "list"])
def test_unfit_files(
    kind: str, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pth"
    if kind == "truncated":
        path.write_bytes(weights.read_bytes()[:50_000_000])
    elif kind == "text":
        path.write_text("version https://git-lfs.github.com/spec/v1")
    elif kind == "code":
        path.write_bytes(pickle.dumps({"fc.weight": Code()}, protocol=2))
    elif kind == "layout":
        torch.save({"fc.weight": torch.zeros(3)}, path)
    elif kind == "list":
        torch.save([torch.zeros(3)], path)
    with pytest.raises(ConfigError) as error:
        build(path)
    (fault,) = error.value.faults
    assert "\n" not in fault
    assert fault.startswith("inception_weights: ")
    assert str(path) in fault
    assert not Path("ran").exists()


def test_files_of_old_pytorch(weights: Path, tmp_path: Path) -> None:
    """The published file may be older than torch 1.6's zip format."""
    state = torch.load(weights, weights_only=True)
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    read, _ = inception_weights.read_weights(tmp_path / "old.pth")
    assert all(torch.equal(read[name], value) for name, value in state.items())


def test_channels_are_checked_before_the_weights() -> None:
    with pytest.raises(ConfigError, match="not 2"):
        build(None, channels=2)


def test_config_keys() -> None:
    assert list(keys_of(Inception)) == ["inception_weights", "resize", "fast"]


def test_fast_is_half_precision(
    features: Inception, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = (textures(3, 3, 32, 32), textures(3, 3, 16, 16))
    monkeypatch.setattr(inception, "probe_images", lambda _: probe)  # fewer images, which is faster
    monkeypatch.setattr(inception, "TOLERANCE", 0.05)
    fast = build(weights, fast=True)
    assert fast.describe() == {**features.describe(), "precision": "bfloat16"}
    images = textures(2, 3, 32, 32)
    exact, half = features(images).features, fast(images).features
    assert 0 < (half - exact).norm() < 0.1 * exact.norm()


@pytest.mark.parametrize(
    ("distance", "refused"), [(10.009, False), (10.011, True), (9.98, True), (math.inf, True)]
)
def test_fast_is_refused_where_it_moves_the_distance(
    distance: float, refused: bool, features: Inception, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = copy(features)
    distances = {torch.float32: 10.0, torch.bfloat16: distance}
    monkeypatch.setattr(Inception, "distance", lambda self, *_: distances[self.dtype])
    if refused:
        with pytest.raises(ConfigError, match=r"fast: .* use metrics.fast=false"):
            exact.use_half_precision()
    else:
        exact.use_half_precision()
