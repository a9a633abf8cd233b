"""Tests share two cores: one torch thread each."""

import logging
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the commands that tests start

import pytest
import torch

torch.set_num_threads(1)


def pytest_addoption(parser):
    parser.addoption(
        "--fuzz", type=int, metavar="N", help="tries N mutated inputs of each kind (test_fuzz.py)"
    )


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """No test reads what an earlier program has computed."""
    os.environ["GAN_CLI_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def keep_global_state():
    """A command that a test runs configures torch and logging for its process; the next test
    starts from defaults."""
    level = logging.root.level
    yield
    logging.root.setLevel(level)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(False)
