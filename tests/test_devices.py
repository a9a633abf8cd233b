"""Every game plays on a pretended accelerator, which `device_cases.py` describes.

Its cases need a process of their own: autograd counts the devices of the process when it first runs
backward, and other tests have done that by then.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("games_of_samples", "losses_and_penalties", "models", "not (samples or losses or models)")


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_the_cases_of_devices(part):
    words = ["-q", "-p", "no:cacheprovider", "-k", part, "tests/device_cases.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert "[100%]" in done.stdout
