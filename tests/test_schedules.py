"""Schedules against their closed forms."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_cli.schedules import Schedule


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
    for shape in ("linear", "cosine"):
        value = Schedule(start, end, over, shape)(step)
        assert min(start, end) - 1e-12 <= value <= max(start, end) + 1e-12
