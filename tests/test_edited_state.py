"""Edited training states: a run continues from them, or refuses them in one line."""

import copy
import random
import traceback

import pytest

from gan_cli.checkpoints.files import load
from gan_cli.checkpoints.resume import restore
from gan_cli.training.logger import Logger
from gan_cli.training.progress import Display
from gan_cli.training.run import Run
from gan_cli.utils.errors import StorageError, UserError
from gan_cli.utils.stop_signals import StopSignal
from tests.fuzz.checkpoint_files import other_value
from tests.helpers import small, trained

WORDS = (
    *("model.networks.generator.width=2", "model.networks.discriminator.width=2"),
    *("batch_size=2", "dataset.count=8", "every={log: 1, checkpoint: 2, evaluate: 2}"),
    *("metrics=fd_random", "metrics.count=4", "health=true"),
)
PARTS = ("optimizers", "scores", "health", "meters", "game", "scalers", "networks", "averages")
COUNTERS = ("step", "drawn", "rollbacks", "images")
CASES = 30  # of each part


@pytest.fixture(scope="module")
def trained_state(tmp_path_factory):
    """A state of step 3, in the middle of an interval of evaluation, and a run to restore."""
    folder = tmp_path_factory.mktemp("edited")
    trained(small(*WORDS, "steps=2"), folder / "first")
    state = load(folder / "first" / "checkpoints" / "step-0000002.pt")
    return state, Run(small(*WORDS, "steps=4"), folder / "run")


def fault_of(state, run):
    """The traceback of a case that is neither played nor refused in one line; else None."""
    try:
        restore(run, state)
        logger = Logger(run.folder, run.step)
        with StopSignal() as stop:
            run.train(logger, Display(4, run.step, silent=True), stop)
        logger.close()
    except UserError as error:
        text = str(error)
        return text if len(text) > 1000 or text.count("\n") > 1 else None
    except Exception:
        return traceback.format_exc()
    return None


@pytest.mark.parametrize("part", [*PARTS, *COUNTERS])
def test_an_edited_part_is_refused_in_one_line_or_played(part, trained_state):
    whole, run = trained_state
    cases = CASES if part in PARTS else CASES // 3
    for seed in range(cases):
        rng, state = random.Random(f"{part} {seed}"), copy.deepcopy(whole)
        state[part] = other_value(state[part], rng)
        fault = fault_of(state, run)
        assert fault is None, f"{part} {seed}: {fault}"


@pytest.mark.parametrize("part", [*PARTS, *COUNTERS])
def test_a_part_that_is_missing_is_named(part, trained_state):
    whole, run = trained_state
    if part == "meters":
        pytest.skip("the first checkpoints of format 2 lack it")
    with pytest.raises(UserError, match=part):
        restore(run, {key: value for key, value in whole.items() if key != part})


INFINITE = [("health", "steps", [float("inf")]), ("meters", "sums", {"a": [1.0, float("nan")]})]


@pytest.mark.parametrize(("part", "key", "value"), INFINITE)
def test_infinite_numbers_of_steps_are_refused(part, key, value, trained_state):
    whole, run = trained_state
    with pytest.raises(StorageError, match="does not fit the run"):
        restore(run, {**whole, part: {**whole[part], key: value}})


def test_the_whole_state_is_played(trained_state):
    whole, run = trained_state
    assert fault_of(copy.deepcopy(whole), run) is None
    assert run.step == 4
