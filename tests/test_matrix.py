"""Every model with every kind of loss: two steps, or a refusal that says what to type instead."""

import itertools

import pytest
import torch

from gan_cli.networks import networks
from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import SMALL, built, composed, names, small, tensors_of, trained

# Games on pairs of domains or images, and without a critic: test_dann.py, test_inversion.py and
# test_pix2pix.py, test_cyclegan.py, test_cut.py have them; test_wavegan.py and test_sound_unet.py
# have sounds, test_seqgan.py texts, test_ddgan.py diffusions.
ENLARGING = (
    "esrgan",
    "msrgan",
    "msrresnet",
    "rrdb",
    "srgan",
    "srresnet",
)  # test_super_resolution.py
OTHERS = (
    "cut",
    "cyclegan",
    "ddgan",
    "ddgan_mlp",
    "ddpm",
    "ddpm_mlp",
    "ddpm_sound",
    "pix2pix",
    "dann",
    "dann_alternating",
    "f_anogan",
    "inversion",
    "seqgan",
    "specgan",
    "wavegan",
    *ENLARGING,
)
MODELS = [model for model in names("model") if model not in OTHERS]
# f-divergences differ in functions of the logits: one stands for all with most models.
ALIKE = {loss for loss in names("loss") if loss.startswith("f_")} - {"f_kl"}
PAIRS = [
    (model, loss)
    for model, loss in itertools.product(MODELS, names("loss"))
    if loss not in ALIKE or model in ("dcgan", "mlp")
]
IMAGES = ("dataset.size=16",)

TINY = {
    "affine": ("model.networks.discriminator.width=16",),
    "mlp": ("model.networks.generator.width=16", "model.networks.discriminator.width=16"),
    "default": ("model.networks.generator.width=8", "model.networks.discriminator.width=8"),
}
ENCODER = (*TINY["default"], "model.networks.encoder.width=8")
TINY |= dict.fromkeys(("bigan", "bigan_mlp", "bigan_resnet", "latent_regressor"), ENCODER)


def tiny(model: str) -> tuple[str, ...]:
    return TINY.get(model, TINY["default"])


@pytest.mark.parametrize(("model", "loss"), PAIRS)
def test_pair_plays(model, loss, tmp_path):
    config = small(*IMAGES, f"model={model}", f"loss={loss}", *tiny(model))
    run = trained(config, tmp_path)
    assert run.step == 2
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 2
    for key in ("discriminator/real_logits", "discriminator/fake_logits"):
        assert key in lines[0]
    for player in ("discriminator", "generator"):
        assert f"{player}/gradient_norm" in lines[0]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("loss", ["wgan_gp", "r3gan"])
def test_every_network_moves(model, loss, tmp_path):
    config = small(*IMAGES, f"model={model}", f"loss={loss}", *tiny(model), "steps=1")
    before, after = built(config), trained(config, tmp_path).game
    for role in ("generator", "discriminator"):
        pairs = zip(
            before.networks[role].parameters(), after.networks[role].parameters(), strict=True
        )
        assert any(not torch.equal(a, b) for a, b in pairs), role


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("loss", ["nonsaturating", "wgan_gp", "r1", "r3gan", "dragan"])
def test_reduced_precision_stays_finite(precision, loss, tmp_path):
    config = small(
        "model=dcgan",
        f"loss={loss}",
        *tiny("dcgan"),
        "steps=4",
        f"device.precision={precision}",
        "device.channels_last=true",
    )
    run = trained(config, tmp_path)
    assert all(torch.isfinite(value).all() for value in tensors_of(run).values())


def test_batch_norm_under_a_per_sample_penalty_is_refused():
    advice = r"discriminator\.norm: batch norm .*loss\.critic_norm=none"
    with pytest.raises(ConfigError, match=advice):
        validate(composed("run=x", "model=dcgan", "loss=wgan_gp", "loss.critic_norm=batch"))


class OwnCritic(torch.nn.Module):
    """A user's network, whose batch norm no option tells of."""

    auxiliary = False

    def __init__(self, spec) -> None:
        super().__init__()
        pixels = torch.Size(spec.shape).numel()
        self.body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.BatchNorm1d(pixels))


def test_batch_norm_in_a_users_critic_is_refused(monkeypatch):
    monkeypatch.setitem(networks.entries, "own_critic", OwnCritic)
    tree = composed(*SMALL, "loss=r1")
    tree.model.networks.discriminator = {"name": "own_critic"}
    config = validate(tree)
    with pytest.raises(ConfigError, match=r"discriminator: its layer body\.1 is batch norm"):
        built(config)


def test_wgan_gp_is_right_as_typed():
    config = small("model=dcgan", "loss=wgan_gp")
    assert config.model.networks["discriminator"]["norm"] != "batch"
    assert config.loss.critic_steps == 5
    assert [beta(0) for beta in config.optimizer["betas"]] == [0.0, 0.9]
