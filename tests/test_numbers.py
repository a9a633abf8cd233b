"""Numbers outside their range are refused with it, before anything is built."""

import numpy as np
import pytest

from gan_cli.data.kinds import kinds
from gan_cli.utils.errors import ConfigError
from tests.helpers import small


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("clip_norm=-1", "clip_norm: must be above 0"),
        ("clip_norm=0", "clip_norm: must be above 0"),
        ("clip_norm=inf", "clip_norm: must be above 0"),
        ("clip_norm=nan", "clip_norm: must be above 0"),
        ("loss.weight_clip=-0.1", "loss.weight_clip: must be above 0"),
        ("device.threads=0", "device.threads: must be at least 1"),
        ("device.workers=-1", "device.workers: must be 0"),
        ("seed=9999999999999999999", "seed: must be 0 or more and at most 2^63 - 1"),
    ],
)
def test_out_of_range(word, said):
    with pytest.raises(ConfigError) as caught:
        small(word)
    assert said in str(caught.value)


def test_channels_first_arrays_are_refused():
    image = kinds.entries["image"]
    with pytest.raises(ValueError, match="looks like"):
        image.from_array(np.zeros((5, 3, 16, 16), np.uint8))
    assert image.from_array(np.zeros((5, 16, 16, 3), np.uint8)).shape == (5, 3, 16, 16)
