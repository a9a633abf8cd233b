"""Standard output that is closed, full or not read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gan_cli.utils.errors import StorageError
from gan_cli.utils.streams import stream

FULL = Path("/dev/full")
CODE = """
import os, sys
from gan_cli.utils.streams import prepare_streams
prepare_streams(output_matters=False)
print("to nobody", flush=True)
print("to nobody", file=sys.stderr)
handle = os.open("file.txt", os.O_CREAT | os.O_WRONLY)
print(handle, file=open("number.txt", "w"))
"""


@pytest.fixture
def full():
    if not FULL.exists():
        pytest.skip("needs /dev/full")
    handle = os.open(FULL, os.O_WRONLY)
    yield handle
    os.close(handle)


def test_what_matters_is_an_error_once(full):
    output = stream(full, None, True)
    print("a", file=output)
    with pytest.raises(StorageError, match=r"standard output \(No space left on device\)"):
        output.flush()
    print("b", file=output, flush=True)  # the end of the process prints no second error


def test_what_does_not_matter_is_thrown_away(full):
    output = stream(full, None, False)
    for _ in range(3):
        print("a" * 100_000, file=output, flush=True)


def test_a_pipe_that_nobody_reads():
    for matters in (False, True):
        reader, writer = os.pipe()
        os.close(reader)
        output = stream(writer, None, matters)
        print("a", file=output)
        if matters:
            with pytest.raises(BrokenPipeError):
                output.flush()
        print("b", file=output, flush=True)
        os.close(writer)


@pytest.mark.parametrize("shell", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_closed_streams_do_not_print_into_the_next_file(shell, tmp_path):
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    line = f"\"{sys.executable}\" -c '{CODE}' {shell}"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=env, check=False)
    assert done.returncode == 0
    assert int((tmp_path / "number.txt").read_text()) > 2
    assert (tmp_path / "file.txt").read_text() == ""
