"""Images of any size through convolutional networks: tiles that overlap agree with the whole."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gan_cli.sampling.tiles import MOST, Tiles, reach, translated
from tests.super_resolution import built

CPU = torch.device("cpu")
SMALL = {"srresnet": {"blocks": 2, "width": 4}, "rrdb": {"blocks": 1, "width": 4, "growth": 4}}


def photo(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


def differences(network: nn.Module, image: np.ndarray, tiles: Tiles) -> np.ndarray:
    """Which pixels of the output differ between the whole and the tiles, (H, W)."""
    with torch.no_grad():
        one = Tiles(10**6, 0, tiles.multiple, tiles.factor)
        whole, cut = (translated(network, image, how, CPU) for how in (one, tiles))
    assert tiles.count(*image.shape[:2]) > 1
    assert whole.shape == cut.shape
    return (np.abs(whole.astype(int) - cut) > 1).any(2)  # sums of another order may round apart


@pytest.mark.parametrize("name", sorted(SMALL))
@pytest.mark.parametrize("factor", [2, 3])
def test_tiles_equal_the_whole_if_they_overlap_as_far_as_the_network_sees(name, factor):
    network = built(name, factor=factor, **SMALL[name]).eval()
    with torch.no_grad():
        far = reach(network, 3, 1, factor)
    assert not differences(network, photo(50, 61), Tiles(2 * far + 9, far, 1, factor)).any()
    seams = differences(network, photo(50, 61), Tiles(9, 0, 1, factor))
    assert seams.any()  # so the overlap is what removes them


def test_without_overlap_only_pixels_near_the_seams_differ():
    network, side = built("srresnet", factor=2, **SMALL["srresnet"]).eval(), 40
    with torch.no_grad():
        far = reach(network, 3, 1, 2)
    wrong = differences(network, photo(40, 80), Tiles(side, 0, 1, 2))
    assert wrong[:, 2 * (side - far) : 2 * (side + far)].any()
    assert not wrong[:, : 2 * (side - far)].any()
    assert not wrong[:, 2 * (side + far) :].any()


def conv(size: int, **options) -> nn.Module:
    return nn.Conv2d(1, 1, size, padding=size // 2, **options)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (conv(1), 0),
        (nn.Sequential(conv(3), conv(5)), 3),
        (conv(5, dilation=1, padding_mode="reflect"), 2),
        (nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.PixelShuffle(2)), 1),
        (nn.Sequential(conv(3), nn.InstanceNorm2d(1)), None),
        (conv(2 * MOST + 3), MOST + 1),
        (conv(2 * MOST + 11), None),
    ],
    ids=["1", "3+5", "reflected", "shuffled", "instance_norm", "wide", "wider"],
)
def test_reach_is_the_radius_of_the_receptive_field(network, expected):
    factor = 2 if "PixelShuffle" in str(network) else 1
    with torch.no_grad():
        assert reach(network, 1, 1, factor) == expected


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 24), st.integers(0, 9),
    st.integers(1, 8), st.integers(1, 3),
)  # fmt: skip
def test_any_size_is_covered_once(height, width, side, overlap, multiple, factor):
    """A network that only enlarges shows whether each pixel is where it belongs."""
    asked: list[tuple[int, int]] = []

    def enlarge(x: torch.Tensor) -> torch.Tensor:
        asked.append(tuple(x.shape[2:]))
        return x.repeat_interleave(factor, 2).repeat_interleave(factor, 3)

    image = photo(height, width)
    tiles = Tiles(side, overlap, multiple, factor)
    made = translated(enlarge, image, tiles, CPU)
    assert np.array_equal(made, image.repeat(factor, 0).repeat(factor, 1))
    assert all(h % multiple == w % multiple == 0 for h, w in asked)
    assert len(asked) == tiles.count(height, width)


def test_padding_reflects_the_image():
    seen = []
    translated(lambda x: seen.append(x) or x, photo(3, 5, 1), Tiles(100, 0, 4), CPU)
    (given,) = seen
    assert given.shape == (1, 1, 4, 8)
    assert torch.equal(given[..., 3, :], given[..., 1, :])
    assert torch.equal(given[..., 5:], given[..., [3, 2, 1]])


def test_memory_is_that_of_tiles():
    sides = []
    tiles = Tiles(32, 4, 1, 1)
    translated(lambda x: sides.append(max(x.shape[2:])) or x, photo(200, 300), tiles, CPU)
    assert max(sides) <= 32
