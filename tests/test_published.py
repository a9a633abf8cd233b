"""Published weights: which file is taken, that it is verified, and the way out if there is none."""

import hashlib
from pathlib import Path

import pytest
import torch

from gan_cli.checkpoints.published import Published, find_weights, published, read_weights
from gan_cli.metrics.features import inception_weights
from gan_cli.utils.errors import ConfigError


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Torch hub's cache, empty."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def origin(tmp_path):
    torch.save({"weight": torch.arange(3.0)}, tmp_path / "net-1.pth")
    return tmp_path / "net-1.pth"


def entry(origin: Path, **changes) -> Published:
    digest = hashlib.sha256(origin.read_bytes()).hexdigest()
    settings = {"url": origin.as_uri(), "sha256": digest[:8], "setting": "metrics.net_weights"}
    words = {"title": "the network", "instead": "use metrics.features=random"}
    return Published(**{**words, **settings, "aliases": ("alias.pth",), **changes})


def test_it_is_downloaded_once_and_verified(hub, origin):
    network = entry(origin)
    path = find_weights(network, None)
    assert path == hub / "net-1.pth"
    state, digest = read_weights(network, path)
    assert torch.equal(state["weight"], torch.arange(3.0))
    assert network.matches(digest)
    assert not network.matches("0" + digest)
    origin.unlink()
    assert find_weights(network, None) == path


def test_another_name_in_the_cache_counts(hub, origin):
    hub.mkdir(parents=True)
    network = entry(origin)
    origin.rename(hub / "alias.pth")
    assert find_weights(network, None) == hub / "alias.pth"


def test_a_given_file_comes_first_and_may_be_another(hub, origin, tmp_path):
    network = entry(origin)
    torch.save({"weight": torch.zeros(1)}, tmp_path / "own.pth")
    path = find_weights(network, str(tmp_path / "own.pth"))
    _, digest = read_weights(network, path)
    assert not network.matches(digest)
    with pytest.raises(ConfigError, match=r"^net_weights: there is no file none\.pth; put file:"):
        find_weights(network, "none.pth")


def test_what_is_not_the_published_file_is_refused(hub, origin):
    with pytest.raises(ConfigError, match=r"cannot be downloaded \(invalid hash value"):
        find_weights(entry(origin, sha256="00000000"), None)
    assert not list(hub.glob("*.pth"))
    (hub / "net-1.pth").write_bytes(b"half a file")
    with pytest.raises(ConfigError, match=r"net-1\.pth is not the published file .*; remove it"):
        find_weights(entry(origin), None)


def test_no_network(hub, origin):
    network = entry(origin)
    origin.unlink()
    with pytest.raises(ConfigError) as caught:
        find_weights(network, None)
    for way in (network.url, str(hub), "set metrics.net_weights=PATH", "metrics.features=random"):
        assert way in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_fid_network_is_an_entry():
    fid = published.entries["fid_inception"]
    assert fid.file == "weights-inception-2015-12-05-6726825d.pth"
    assert fid.sha256 == inception_weights.SHA256
    with pytest.raises(ConfigError, match="did you mean 'fid_inception'"):
        published.find({"name": "fid_incepton"}, "published")
