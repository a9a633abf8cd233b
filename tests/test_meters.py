"""Values of turns are kept on the device for a while, and read as means."""

import pytest
import torch

from gan_cli.losses.terms import Values
from gan_cli.training import meters
from gan_cli.training.meters import Meters
from gan_cli.utils.errors import NonFiniteError


def values(loss: float, observed: float = 0.0) -> Values:
    return Values(("adversarial", "norm"), 1, torch.tensor([loss, observed]))


def test_a_run_that_never_logs_keeps_a_bounded_number_of_rows(monkeypatch):
    monkeypatch.setattr(meters, "MOST_ROWS", 10)
    never, often = Meters(), Meters()
    kept = []
    for step in range(1, 36):
        never.add(step, "critic", values(step, 2 * step))
        kept.append(len(never.rows))
    assert max(kept) < 10
    monkeypatch.setattr(meters, "MOST_ROWS", 1000)
    for step in range(1, 36):
        often.add(step, "critic", values(step, 2 * step))
    assert len(often.rows) == 35
    expected = {"critic/adversarial": 18.0, "critic/norm": 36.0}
    assert never.read() == often.read() == expected
    assert never.first == often.first == {"critic/adversarial": 1.0, "critic/norm": 2.0}


def test_a_loss_that_is_not_finite_is_found_before_the_next_log(monkeypatch):
    monkeypatch.setattr(meters, "MOST_ROWS", 4)
    found = Meters()
    found.add(0, "critic", values(1.0))
    found.add(1, "critic", values(float("nan")))
    found.add(2, "critic", values(1.0))
    with pytest.raises(NonFiniteError, match="step 1: critic/adversarial is nan"):
        found.add(3, "critic", values(1.0))
