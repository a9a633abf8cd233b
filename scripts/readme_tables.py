"""Rewrite the tables of README.md from the first comment of each YAML: name, paper, when to use it.

python scripts/readme_tables.py          rewrites README.md
python scripts/readme_tables.py --check  only says whether it is up to date (exit status 1: no)
"""

import re
import sys
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def description(file: Path) -> str:
    """The leading comment lines, joined."""
    lines = takewhile(lambda line: line.startswith("#"), file.read_text().splitlines())
    return " ".join(line.lstrip("# ").strip() for line in lines)


def table(group: str) -> str:
    rows = [f"| `{group}=` | what it is, and when to use it |", "|---|---|"]
    for file in sorted((ROOT / "configs" / group).glob("*.yaml")):
        rows.append(f"| `{file.stem}` | {description(file)} |")
    return "\n".join(rows) + "\n"


def rewritten(text: str) -> str:
    return TABLE.sub(lambda match: match[1] + table(match[2]) + match[3], text)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    text = readme.read_text()
    if "--check" in sys.argv:
        sys.exit(rewritten(text) != text)
    readme.write_text(rewritten(text))
