"""What the README says of the groups is what the YAML files say."""

import subprocess
import sys
from pathlib import Path

from tests.helpers import names

ROOT = Path(__file__).resolve().parent.parent


def test_tables_are_up_to_date():
    script = ROOT / "scripts" / "readme_tables.py"
    done = subprocess.run([sys.executable, str(script), "--check"], check=False)
    assert done.returncode == 0, "run python scripts/readme_tables.py"


def test_every_choice_is_in_the_readme():
    text = (ROOT / "README.md").read_text()
    for group in ("model", "loss", "dataset", "optimizer", "device", "metrics"):
        for name in names(group):
            assert f"| `{name}` |" in text, f"{group}={name}"
