"""Mutated input is valid or refused in plain words: never a traceback, never a silent end.

``--fuzz N`` tries N command lines, N data files and N checkpoints instead of the default number.
A failure names its case; its seed repeats it.
"""

import pytest

from tests.fuzz import checkpoint_files, command_lines, data_files, world

DEFAULT = {command_lines: 120, data_files: 40, checkpoint_files: 20}
CHUNK = 20


def pytest_generate_tests(metafunc):
    count = metafunc.config.getoption("fuzz")
    pairs = [
        pytest.param(module, first, id=f"{module.__name__.rpartition('.')[2]}-{first}")
        for module, usual in DEFAULT.items()
        for first in range(0, count or usual, CHUNK)
    ]
    metafunc.parametrize(("module", "first"), pairs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        world.build(place)
    return place


def test_valid_or_refused_in_words(module, first, folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    faults = [module.fault_of(seed) for seed in range(first, first + CHUNK)]
    assert not any(faults), "\n\n".join(filter(None, faults))
