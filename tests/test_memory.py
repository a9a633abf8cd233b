"""Too little memory is told in one line, with what to lower."""

import errno
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_cli.checkpoints.choice import newest
from gan_cli.training.session import run_training
from gan_cli.utils.errors import ConfigError, OutOfMemoryError
from gan_cli.utils.memory import memory_errors
from tests.helpers import small

HUGE = 2**42  # numbers, which are 16 TiB


def told(action) -> str:
    with pytest.raises(OutOfMemoryError) as caught, memory_errors("lower it"):
        action()
    return str(caught.value)


def raised(error: Exception) -> None:
    raise error


def test_what_torch_and_numpy_cannot_allocate():
    amount = "out of memory (it takes another 16 TiB): lower it"
    assert told(lambda: torch.empty(HUGE)) == amount
    assert told(lambda: np.empty(HUGE, np.float32)) in (amount, amount.replace("16 ", "16.0 "))


def test_sizes_that_no_address_can_reach():
    plain = "out of memory: lower it"
    assert told(lambda: torch.empty(2**40, 2**40)) == plain
    assert told(lambda: np.empty((2**40, 2**40))) == plain


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    ],
)
def test_the_errors_of_other_libraries(error):
    said = told(lambda: raised(error))
    assert said.startswith("out of memory")
    assert ("20.00 GiB" in said) == ("20.00 GiB" in str(error))


@pytest.mark.parametrize(
    "error",
    [RuntimeError("shapes differ"), ValueError("no"), OSError(errno.ENOENT, "gone")],
)
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as caught, memory_errors("lower it"):
        raised(error)
    assert caught.value is error


def test_errors_in_words_pass():
    with pytest.raises(ConfigError), memory_errors("lower it"):
        raise ConfigError("out of memory is no key")


def test_the_innermost_advice_counts():
    nested = (memory_errors("lower that"), memory_errors("lower this"))
    with pytest.raises(OutOfMemoryError, match="lower this"), nested[0], nested[1]:
        raise MemoryError


def test_a_network_that_does_not_fit(tmp_path):
    wide = [f"model.networks.generator.{key}={2**20}" for key in ("latent_dim", "width")]
    with pytest.raises(OutOfMemoryError, match=r"another 4 TiB.*lower batch_size.*accumulate"):
        run_training(small("model=mlp", *wide), tmp_path / "run", 0.0)
    assert not (tmp_path / "run").exists()


def test_a_step_that_does_not_fit_leaves_the_checkpoints(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    run_training(small("model=mlp", "steps=1", "every.checkpoint=1"), folder, 0.0)
    before = contents(folder)
    monkeypatch.setattr(
        "gan_cli.training.turns.Turns.play", lambda *_, **__: torch.empty(HUGE), raising=True
    )
    with pytest.raises(OutOfMemoryError, match="checkpoints are as they were"):
        run_training(small("model=mlp", "steps=2", "every.checkpoint=1"), folder, 0.0)
    assert contents(folder) == before
    assert newest(folder).step == 1
    assert '"status": "out of memory' in (folder / "run.json").read_text()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()}
