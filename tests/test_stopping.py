"""Runs that a signal stops: nothing is lost, and what follows is what would have followed."""

import json
import os
import signal
import subprocess
import sys

import pytest

from gan_cli.training.logger import Logger
from gan_cli.training.progress import Display
from gan_cli.training.run import Run
from gan_cli.utils import stop_signals
from gan_cli.utils.errors import SignalError
from gan_cli.utils.stop_signals import HANDLED, StopSignal
from tests.helpers import small, trained
from tests.test_commands import environment

WIDTHS = ("model.networks.generator.width=8", "model.networks.discriminator.width=8")


class StopAt:
    """Stands for a signal that arrives in step `step` of a run."""

    def __init__(self, run, step):
        self.run, self.step = run, step

    @property
    def received(self):
        return signal.SIGTERM if self.run.step >= self.step else None


def stopped(config, folder, step):
    run = Run(config, folder)
    run.resume()
    logger = Logger(folder, run.step)
    with pytest.raises(SignalError, match=f"step {step} is saved"):
        run.train(logger, Display(config.steps, run.step, silent=True), StopAt(run, step))
    logger.close()
    run.feed.close()


def journal(folder):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in r.items() if k not in ("time", "images_per_second")} for r in rows]


@pytest.mark.parametrize("stops", [(1,), (5,), (4, 6, 7)])
def test_the_log_of_a_stopped_and_resumed_run_is_that_of_a_whole_one(stops, tmp_path):
    config = small(
        *WIDTHS,
        "steps=10",
        "every={log: 4, checkpoint: 3, evaluate: 5}",
        "metrics=fd_random",
        "metrics.count=16",
        "health=true",
    )
    trained(config, tmp_path / "whole")
    for step in stops:
        stopped(config, tmp_path / "parts", step)
    trained(config, tmp_path / "parts")
    assert journal(tmp_path / "parts") == journal(tmp_path / "whole")


@pytest.mark.parametrize("name", HANDLED)
def test_every_signal_is_recorded_and_its_handler_is_put_back(name):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with StopSignal() as stop:
        signal.raise_signal(number)
        signal.raise_signal(number)  # one event may be delivered twice
        assert stop.received == number
    assert signal.getsignal(number) is before


def test_a_second_signal_after_a_while_ends_the_process(monkeypatch):
    raised = []
    with StopSignal() as stop:
        monkeypatch.setattr(stop_signals, "ONE_EVENT", 0.0)
        signal.raise_signal(signal.SIGTERM)
        monkeypatch.setattr(signal, "raise_signal", raised.append)
        stop.record(signal.SIGTERM, None)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert raised == [signal.SIGTERM]


def test_a_run_under_nohup_outlives_its_terminal():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignal() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.received is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_handler_of_another_program_gets_its_signal_after_the_run():
    calls = []
    before = signal.signal(signal.SIGUSR2, lambda number, _: calls.append(number))
    try:
        with StopSignal():
            signal.raise_signal(signal.SIGUSR2)
            assert not calls
        assert calls == [signal.SIGUSR2]
    finally:
        signal.signal(signal.SIGUSR2, before)


ENTRIES = {
    "module": ["-m", "gan_cli.train"],
    "command": ["-c", "from gan_cli.commands import train; train()"],
    "sample": ["-m", "gan_cli.sample"],
    "fid": ["-c", "from gan_cli.commands import fid; fid()"],
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_during_imports_is_one_line(entry, name, tmp_path):
    (tmp_path / "hydra.py").write_text(
        f"import os, time\nos.kill(os.getpid(), {int(getattr(signal, name))})\ntime.sleep(30)\n"
    )
    done = subprocess.run(
        [sys.executable, *ENTRIES[entry]],
        cwd=tmp_path,
        env={**environment(), "PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 128 + getattr(signal, name)
    assert done.stderr == f"gan_cli: stopped by {name} before the command had finished\n"
