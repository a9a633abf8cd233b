"""A step that cannot fit is refused before the first one, with what would fit."""

import re

import pytest
import torch

from gan_cli.training import demand as demands
from gan_cli.training.demand import Demand, measured, refuse_what_cannot_fit, turn_peaks
from gan_cli.training.run import Run
from gan_cli.training.session import run_training
from gan_cli.utils.errors import OutOfMemoryError
from gan_cli.utils.peak_memory import peak_of
from tests.helpers import small

CPU = torch.device("cpu")
MIB = 2**20


def run_of(tmp_path, *words: str) -> Run:
    return Run(small("device.threads=1", *words), tmp_path / "run")


@pytest.fixture
def free(monkeypatch):
    """Sets the free memory."""

    def set_free(amount: float) -> None:
        monkeypatch.setattr(demands, "free_memory", lambda _: amount)

    return set_free


def test_the_peak_counts_what_is_held_at_a_time():
    with peak_of(CPU) as peak:
        held = [torch.ones(1000) for _ in range(3)]
        views = [tensor.view(10, 100) for tensor in held]
        del held, views
        for _ in range(10):
            torch.ones(1000)
    assert peak() == 3 * 4000


@pytest.mark.parametrize(
    "words",
    [
        ("model=dcgan",),
        ("model=mlp",),
        ("model=dcgan", "loss=wgan_gp"),
        ("model=mlp", "dataset=ring", "loss=r3gan"),
        ("model=dcgan", "model.game.packing=2", "batch_size=8"),
        ("model=bigan",),
    ],
    ids=lambda words: "-".join(words),
)
def test_the_extrapolation_is_what_larger_steps_take(words, tmp_path):
    run = run_of(tmp_path, *words)
    demand = measured(run, 10_000)
    assert demand is not None
    for size in (256, 512):
        taken = max(turn_peaks(run, size))
        assert demand.of(size) - size * demand.sample == pytest.approx(taken, rel=0.2)


def test_measuring_leaves_the_run_as_it_was(tmp_path):
    run = run_of(tmp_path, "model=dcgan", "model.networks.discriminator.spectral_norm=true")
    before = {key: value.clone() for key, value in run.game.networks.state_dict().items()}
    noise = torch.get_rng_state()
    measured(run, 64)
    assert all(torch.equal(before[k], v) for k, v in run.game.networks.state_dict().items())
    assert torch.equal(noise, torch.get_rng_state())
    parameters = list(run.game.networks.parameters())
    assert not any(p.requires_grad or p.grad is not None for p in parameters)


def test_a_batch_of_a_million_is_refused_in_one_line(tmp_path, free):
    free(16 * 2**30)
    with pytest.raises(OutOfMemoryError) as caught:
        run_training(small("batch_size=400000"), tmp_path / "run", 0.0)
    line = str(caught.value)
    assert re.fullmatch(
        r"batch_size: a step of 400000 samples needs about \d+ GiB of memory on cpu, and 16 GiB "
        r"are free; type batch_size=\d+ or accumulate=\d+ \(parts of a batch, one after the "
        r"other\)",
        line,
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("words", [(), ("model.game.packing=3", "batch_size=999999")])
def test_what_is_advised_fits(words, tmp_path, free):
    free(4 * 2**30)
    words = ("batch_size=1000000", *words)
    with pytest.raises(OutOfMemoryError) as caught:
        refuse_what_cannot_fit(run_of(tmp_path, *words))
    advice = str(caught.value).partition("type ")[2]
    for word in re.findall(r"\w+=\d+", advice):
        refuse_what_cannot_fit(run_of(tmp_path, *words, word))


def test_what_fits_is_not_measured_at_all(tmp_path, free, monkeypatch):
    free(4 * 2**30)
    monkeypatch.setattr(demands, "measured", lambda *_: pytest.fail("measured"))
    refuse_what_cannot_fit(run_of(tmp_path, "batch_size=64"))


@pytest.mark.parametrize("error", [RuntimeError("cannot copy"), TypeError("no deepcopy")])
def test_games_that_cannot_be_measured_train_as_before(error, tmp_path, free, monkeypatch):
    free(1.0)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(demands, "turn_peaks", fail)
    refuse_what_cannot_fit(run_of(tmp_path))


def test_nothing_is_advised_that_would_not_fit():
    demand = Demand(sample=1.0, turns=((10 * MIB, 100.0), (0.0, 50.0)))
    assert demand.largest(5 * MIB) == 0
    advice = demands.advised(demand, 64, 5 * MIB, world=1, packing=1)
    assert advice == "lower the width of the networks or the size of the images"
    assert demand.largest(10 * MIB + 101 * 100) == 64
