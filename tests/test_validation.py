"""Everything wrong with a config is told at once, before anything is built."""

import pytest

from gan_cli.utils.errors import ConfigError
from gan_cli.validation.validate import validate
from tests.helpers import composed, names, small


def faults_of(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        validate(composed("run=x", *overrides))
    return str(caught.value)


def test_all_faults_in_one_go():
    told = faults_of(
        "stepz=5",
        "steps=1e3",
        "batch_size=many",
        "modl.x=1",
        "loss.critic_stpes=2",
        "model.networks.generator.widht=8",
        "dataset.hflipp=true",
        "optimizer.lrr=1",
    )
    assert len(told.splitlines()) == 8
    for part in (
        "stepz: unknown key 'stepz'; did you mean 'steps'?",
        "steps: expected a whole number, got 1000.0",
        "batch_size: expected a whole number, got 'many'",
        "modl: unknown key 'modl'; did you mean 'model'?",
        "loss.critic_stpes: unknown key 'critic_stpes'; did you mean 'critic_steps'?",
        "model.networks.generator.widht: unknown key 'widht'; did you mean 'width'?",
        "dataset.hflipp: unknown key 'hflipp'; did you mean 'hflip'?",
        "optimizer.lrr: unknown key 'lrr'; did you mean 'lr'?",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("optimizer.players.discriminatr.lr=1e-3", "did you mean 'discriminator'"),
        ("optimizer.players.generator.lrr=1e-3", "optimizer.players.generator.lrr: unknown key"),
        ("loss.penalties.r11.weight=1", "loss.penalties.r11.name: unknown penalty 'r11'"),
        ("model.networks.critic.name=mlp_discriminator", "model.networks.critic: unknown network"),
        ("loss.adversarial.name=hing", "did you mean 'hinge'"),
        ("batch_size=10 accumulate=3", "batch_size: 10 is not divisible"),
        ("every.log=-1", "every.log: must be 0 or more, got -1"),
        ("optimizer.lr=-1", "optimizer.lr: must be above 0, got -1.0"),
        ("optimizer.players.generator.lr=-1", "optimizer.players.generator.lr: must be above 0"),
        ("steps=0", "steps: must be at least 1"),
        ("loss=f_alpha loss.adversarial.alpha=1", "alpha"),
        ("imports=[no_such_module]", "imports: cannot import 'no_such_module'"),
        ("model.networks.generator.width=${losss.x}", "losss"),
        ("loss.penalties.r1={every: 0}", "loss.penalties.r1.every: must be at least 1"),
    ],
)
def test_one_fault(override, told):
    extra = ["loss.critic_norm=none"] if "r1=" in override else []
    parts = override.split(" ") if override.startswith(("batch", "loss=")) else [override]
    assert told in faults_of(*parts, *extra)


def test_conditioning_needs_labels():
    told = faults_of("model=cgan", "dataset=folder", "dataset.path=/nowhere", "dataset.labels=none")
    assert "model.networks.generator.conditioning" in told
    assert "dataset.labels=folders" in told


def test_ttur_reaches_the_optimizers():
    config = small("optimizer.players.discriminator.lr=4e-4")
    from gan_cli.optim.optimizers import options_of

    assert options_of(config.optimizer, "discriminator")["lr"] == 4e-4
    assert options_of(config.optimizer, "generator")["lr"](0) == 2e-4


def test_a_penalty_can_be_added_to_any_loss():
    config = small("loss=hinge", "loss.penalties.r1.weight=5", "loss.critic_norm=none")
    assert config.loss.penalties["r1"]["weight"](0) == 5.0


COMPANY = {  # what a choice cannot do without
    "audio": ["dataset.path=x"],
    "chirps": ["dataset=chirps", "model=wavegan"],  # the data set, and the metrics
    "folder": ["dataset.path=x"],
    "classes": ["model=cgan"],
    "sc09_wavegan": ["dataset.path=x"],
    "sound": ["dataset=chirps", "model=wavegan"],
    "fd_spectrum": ["dataset=chirps", "model=wavegan"],
    "likelihood": ["dataset=ring", "model=ddpm_mlp"],
    "modes": ["dataset=ring", "model=mlp"],
    "gaussian_fit": ["dataset=mixture1d", "model=affine", "loss=f_kl"],
    "mnist_m": ["dataset.photos=x"],
    "mnist_to_mnist_m": ["model=dann", "dataset.target.photos=x"],
    "mnist_5k_to_digits": ["model=dann"],
    "digits_to_mnist_5k": ["model=dann"],
    "pair": ["model=dann"],
    "paired": ["model=pix2pix"],  # the data set, and the metrics
    "edges_to_mnist_5k": ["model=pix2pix"],
    "known_map": ["model=cyclegan"],
    "tinted_mnist_5k": ["model=cut"],
    "unpaired": ["model=cyclegan", "dataset.source=x", "dataset.target=y"],
    "folder_biggan": ["dataset.path=x"],
    "imagenet128_biggan": ["dataset.path=x"],
    "folder_cyclegan": ["dataset.source=x", "dataset.target=y"],
    "horse2zebra_cyclegan": ["dataset.source=x", "dataset.target=y"],
    "horse2zebra_cut": ["dataset.source=x", "dataset.target=y"],
    "monet2photo_cyclegan": ["dataset.source=x", "dataset.target=y"],
    "small_mnist_5k": ["model=srresnet"],
    "super_resolution": ["model=srresnet"],
    "patches": ["dataset.path=x"],
    "photos_srresnet": ["dataset.images.path=x"],
    "photos_srgan": ["dataset.images.path=x"],
    "div2k_srresnet": ["dataset.images.path=x"],
    "div2k_srgan": ["dataset.images.path=x"],
    "div2k_rrdb": ["dataset.images.path=x"],
    "div2k_esrgan": ["dataset.images.path=x"],
    "dataset=text": ["dataset.path=x", "model=seqgan"],
    "words_seqgan": ["dataset.path=x"],
    "dann_mnist_m": ["dataset.target.photos=x"],
    "ffhq256_r3gan": ["dataset.path=x"],
    "ffhq256_stylegan2": ["dataset.path=x"],
    "ffhq64_r3gan": ["dataset.path=x"],
    "folder_r3gan": ["dataset.path=x"],
    "folder_pix2pix": ["dataset.path=x"],
    "facades_pix2pix": ["dataset.path=x"],
    "maps_pix2pix": ["dataset.path=x"],
    "cityscapes_pix2pix": ["dataset.path=x"],
    "edges2shoes_pix2pix": ["dataset.path=x"],
    "folder_stylegan2": ["dataset.path=x"],
    "imagenet32_r3gan": ["dataset.path=x"],
    "imagenet64_r3gan": ["dataset.path=x"],
}


@pytest.mark.parametrize(
    "group", ["dataset", "optimizer", "device", "metrics", "experiment", "augment"]
)
def test_every_choice_of_a_group_is_sound(group):
    for name in names(group):
        extra = COMPANY.get(name, COMPANY.get(f"{group}={name}", []))
        validate(composed("run=x", f"{group}={name}", *extra))


def test_what_is_filled_in_reads_back_the_same():
    """A checkpoint's config is a config again."""
    from gan_cli.checkpoints.contents import plain

    config = small("model=cgan", "loss=r3gan")
    assert validate(plain(config)) == config


def test_every_component_is_reachable_from_a_yaml():
    from gan_cli.augment import augments
    from gan_cli.games import games
    from gan_cli.losses import losses, penalties
    from gan_cli.metrics import extractors, metrics
    from gan_cli.networks import networks
    from gan_cli.optim.optimizers import optimizers
    from gan_cli.utils.paths import CONFIGS

    # Added to any loss: loss.penalties.mode_seeking.weight=1.
    used = {"mode_seeking", "cr", "zcr", "zcr_generator"}
    for file in CONFIGS.glob("**/*.yaml"):
        words = file.read_text().replace(",", " ").replace("{", " ").replace("}", " ").split()
        used |= {word.rstrip(":") for word in words}
    registries = (games, losses, penalties, extractors, metrics, networks, optimizers, augments)
    for registry in registries:
        entries = registry.entries.items()  # other tests may have registered components of theirs
        ours = {name for name, entry in entries if entry.__module__.startswith("gan_cli.")}
        assert ours <= used, registry.kind
