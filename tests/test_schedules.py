"""Schedules against their closed forms."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_cli.config.schedules import Schedule, shapes


def test_constant():
    assert {Schedule(0.3)(step) for step in (0, 1, 10**6)} == {0.3}


def test_linear_with_warmup():
    schedule = Schedule(1.0, 0.0, over=100, warmup=4)
    assert [schedule(step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert schedule(54) == pytest.approx(0.5)
    assert schedule(104) == schedule(10_000) == 0.0


def test_cosine_of_r3gan():
    """base + (1 - (1 + cos(pi n / N)) / 2) (final - base), their training code."""
    schedule = Schedule(2e-4, 5e-5, over=1000, shape="cosine")
    for step in (0, 1, 250, 777, 1000):
        expected = 2e-4 + (1 - (1 + math.cos(math.pi * step / 1000)) / 2) * (5e-5 - 2e-4)
        assert schedule(step) == pytest.approx(expected)


@given(st.floats(-1, 1), st.floats(-1, 1), st.integers(1, 50), st.integers(0, 200))
def test_stays_between_its_ends(start, end, over, step):
    for shape in ("linear", "linear_after_half", "cosine"):
        value = Schedule(start, end, over, shape)(step)
        assert min(start, end) - 1e-12 <= value <= max(start, end) + 1e-12


def test_adaptation_of_dann():
    """2 / (1 + exp(-10 p)) - 1: Ganin et al. 2016, figures worked out by hand."""
    schedule = Schedule(0.0, 1.0, over=1000, shape="sigmoid")
    figures = {0: 0.0, 250: 0.84828, 500: 0.98661, 1000: 0.99991, 5000: 0.99991}
    for step, value in figures.items():
        assert schedule(step) == pytest.approx(value, abs=1e-5)


def test_annealing_of_dann():
    """0.01 / (1 + 10 p)^0.75: Ganin et al. 2016."""
    schedule = Schedule(0.01, 0.01 / 11**0.75, over=1000, shape="inverse")
    for step, value in {0: 0.01, 500: 0.0026085, 1000: 0.0016556, 5000: 0.0016556}.items():
        assert schedule(step) == pytest.approx(value, abs=1e-7)


def test_annealing_of_pix2pix():
    """Constant over 100 epochs, then 1 - (n - 100) / 100 of it: Isola et al. 2017."""
    schedule = Schedule(2e-4, 0.0, over=200, shape="linear_after_half")
    for epoch in (0, 50, 100, 101, 150, 199, 200, 300):
        expected = 2e-4 * (1 - max(0, min(epoch, 200) - 100) / 100)
        assert schedule(epoch) == pytest.approx(expected, abs=1e-12)


def test_an_exponential_schedule_has_a_constant_factor():
    schedule = Schedule(8.0, 0.5, over=4, shape="exponential")
    assert [schedule(step) for step in range(6)] == pytest.approx([8, 4, 2, 1, 0.5, 0.5])
    (fault,) = errors_of(start=1.0, end=0.0, over=10, shape="exponential")
    assert "needs start > 0 and end > 0" in fault


@pytest.mark.parametrize("end", [None, 0.0, -1.0, 2.0])
def test_an_inverse_schedule_falls_but_not_to_zero(end):
    faults = []
    node = {"start": 1.0, "end": end, "over": 10, "shape": "inverse"}
    Schedule.from_config(node, "optimizer.lr", faults)
    assert len(faults) == 1
    assert "needs 0 < end < start" in faults[0]


def errors_of(**node):
    faults = []
    Schedule.from_config(node, "optimizer.lr", faults)
    return faults


def test_an_unknown_shape_is_answered_with_the_nearest_name():
    (fault,) = errors_of(start=1.0, end=0.5, shape="cosin")
    assert fault.startswith("optimizer.lr.shape: unknown shape 'cosin'; did you mean 'cosine'?")


@pytest.fixture
def register(monkeypatch):
    """The decorator of the registry, which is as before after the test."""
    monkeypatch.setattr(shapes, "entries", dict(shapes.entries))
    return shapes.register


def test_a_shape_can_be_registered(register):
    @register("geometric")
    def geometric(done, start, end):
        return start ** (1 - done) * end**done

    faults = []
    node = {"start": 1.0, "end": 0.01, "over": 100, "shape": "geometric", "warmup": 2}
    schedule = Schedule.from_config(node, "optimizer.lr", faults)
    assert faults == []
    assert [schedule(s) for s in (1, 2, 52, 102, 500)] == pytest.approx([2 / 3, 1, 0.1, 0.01, 0.01])


@pytest.mark.parametrize("error", [ValueError("needs start < end"), ZeroDivisionError("1 / 0")])
def test_what_a_shape_cannot_connect_is_a_fault_of_the_config(register, error):
    @register("broken")
    def broken(done, start, end):
        raise error

    assert errors_of(start=1.0, shape="broken") == [f"optimizer.lr: shape=broken: {error}"]
