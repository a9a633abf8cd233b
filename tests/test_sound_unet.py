"""The U-Net of sounds: shapes, what it refuses, and a run on chirps."""

import pytest
import torch

from gan_cli.data.spec import Field, image_spec, sample_spec
from gan_cli.networks import networks
from gan_cli.utils.errors import ConfigError
from tests.helpers import built, small, trained

TINY = ("model=ddpm_sound", "dataset=chirps", "dataset.count=16", "batch_size=4")
SMALLEST = "model.networks.denoiser={frame: 32, width: 4, multipliers: [1, 2]}"


def build(channels=1, length=256, classes=0, **options):
    spec = sample_spec(Field("audio", (channels, length), sample_rate=8000), classes)
    node = {"name": "sound_unet", "frame": 4, "width": 4, "multipliers": (1, 2), **options}
    torch.manual_seed(0)
    return networks.build(node, spec, where="model.networks.denoiser")


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("copies", [1, 2])
def test_sounds_become_frames_and_sounds_again(channels, copies):
    network = build(channels, predicts_variance=copies == 2)
    sizes = []
    network.middle[0].register_forward_pre_hook(lambda _, x: sizes.append(x[0].shape[2:]))
    sound = torch.randn(3, channels, 256)
    outputs = network(sound, torch.tensor([0.0, 5.0, 999.0]))
    assert outputs.shape == (3, copies * channels, 256)
    assert sizes == [(32,)]
    assert outputs.abs().max() < 1e-3


def test_each_output_belongs_to_its_sample_of_sound():
    """With the last layer alone, output i of a channel depends on the frames around i."""
    network = build(2)
    torch.nn.init.zeros_(network.output.weight)
    bias = torch.arange(8.0)
    network.output.bias.data = bias
    outputs = network(torch.randn(1, 2, 256), torch.zeros(1))
    assert torch.equal(outputs[0, 0, :8], torch.tensor([0.0, 1, 2, 3, 0, 1, 2, 3]))
    assert torch.equal(outputs[0, 1, :8], torch.tensor([4.0, 5, 6, 7, 4, 5, 6, 7]))


def test_labels_change_outputs():
    network = build(classes=3, conditioning="embed")
    torch.nn.init.normal_(network.output.weight)
    sound, time = torch.randn(1, 1, 256), torch.zeros(1)
    first, none = (network(sound, time, torch.tensor([label])) for label in (0, 3))
    assert not torch.allclose(first, none)
    assert torch.equal(network(sound, time), none)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"length": 250}, r"250 is not divisible by 8; .*dataset\.length=248"),
        ({"multipliers": (1,) * 8}, "8 of them halve 256 samples 7 times"),
        ({"heads": 3}, "heads: 3 do not divide 4 channels"),
    ],
)
def test_sounds_that_do_not_fit_are_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        build(**options)


def test_images_are_refused():
    node = {"name": "sound_unet"}
    with pytest.raises(ConfigError, match="this network is for sound"):
        networks.build(node, image_spec((1, 32, 32)), where="model.networks.denoiser")


def test_a_run_on_chirps_shows_and_plays_sounds(tmp_path):
    words = (*TINY, SMALLEST, "model.game.sampler.steps=3")
    looking = "every={log: 1, preview: 2, evaluate: 0, checkpoint: 0}"
    run = trained(small(*words, "steps=2", looking), tmp_path)
    before = built(small(*words)).networks.state_dict()
    assert any(not torch.equal(before[k], v) for k, v in run.game.networks.state_dict().items())
    assert (tmp_path / "samples" / "samples-0000002.png").exists()
    assert (tmp_path / "samples" / "samples-0000002.wav").exists()
