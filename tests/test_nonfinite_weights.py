"""Weights that are not finite are neither saved as the best nor used."""

import pytest
import torch

from gan_cli.checkpoints.contents import Checkpoint
from gan_cli.checkpoints.files import load, save
from gan_cli.games.restore import build_network, restore_game
from gan_cli.utils.errors import NonFiniteError, StorageError
from tests.helpers import small, trained

SAVED = (
    *("model.networks.generator.width=8", "model.networks.discriminator.width=8"),
    *("every.checkpoint=2", "steps=2"),
)
# The first update of RMSprop is 10 lr: infinite in step 2.
EXPLODING = ("optimizer=rmsprop", "optimizer.lr={start: 1e-4, end: 3e38, over: 1}")


def test_the_best_checkpoint_is_sound(tmp_path):
    scored = ("metrics=fd_random", "metrics.count=16", "every.evaluate=1", "steps=4", *EXPLODING)
    with pytest.raises(NonFiniteError, match="is not finite"):
        trained(small(*SAVED, *scored), tmp_path)
    best = load(tmp_path / "checkpoints" / "best.pt")
    assert best["step"] == 1
    for part in ("networks", "averages"):
        weights = [w for net in best[part].values() for w in net.values()]
        assert all(torch.isfinite(w).all() for w in weights)


@pytest.fixture
def hurt(tmp_path):
    """The folder of a run and the path of its checkpoint, in which one weight is infinite."""

    def make(part, role, value=float("inf")):
        path = trained(small(*SAVED), tmp_path / "run").checkpoints.path(2)
        state = load(path)
        weights = state[part][role]
        name = next(name for name, weight in weights.items() if weight.ndim > 1)
        weights[name][(0,) * weights[name].ndim] = value
        save(path, state)
        return tmp_path / "run", path, name

    return make


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_game_with_such_weights_draws_nothing(value, hurt):
    _, path, name = hurt("averages", "generator", value)
    with pytest.raises(StorageError, match=f"{name} is not finite") as caught:
        restore_game(Checkpoint.load(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(StorageError, match="is not finite"):
        build_network(Checkpoint.load(path), "generator")
    restore_game(Checkpoint.load(path), averaged=False)  # these are sound


def test_a_run_with_such_weights_is_not_resumed(hurt):
    folder, _, name = hurt("networks", "discriminator")
    with pytest.raises(StorageError, match=f"networks.discriminator.{name}: is not finite"):
        trained(small(*SAVED, "steps=4"), folder)


def test_no_run_starts_from_such_weights(hurt, tmp_path):
    _, path, name = hurt("averages", "generator")
    with pytest.raises(StorageError, match=f"model.pretrained.generator.*{name} is not finite"):
        trained(small(*SAVED, f"model.pretrained.generator={path}"), tmp_path / "new")
