"""Records the health readings of a run as tests/data/health/NAME.json, with a verdict by eye.

    python scripts/record_health.py outputs/NAME good "all ten digits, most of them readable"

Look at the sample grids of the run first: the verdict is what they show, not what health said. A
recording holds the command of the run, the verdict and every reading; tests/test_recordings.py
replays the readings through the rules and compares the outcome with the verdict.
"""

import argparse
import json
import re
import shlex
from pathlib import Path
from typing import Any

VERDICTS = (
    *("good", "collapsed", "diverged", "won", "memorising"),
    *("not_learning", "too_early"),
)
TARGET = Path(__file__).parents[1] / "tests" / "data" / "health"
PREFIX = "health/"


def recording(run: Path, verdict: str, seen: str) -> dict[str, Any]:
    """Returns the content of a recording; a signal that a reading lacks is null."""
    card = json.loads((run / "run.json").read_text())
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    rows = [line for line in lines if any(key.startswith(PREFIX) for key in line)]
    names = sorted({key for row in rows for key in row if key.startswith(PREFIX)})
    words = [plain(word) for word in card["command"][1:] if not word.startswith("run=")]
    return {
        "command": shlex.join(["gan-train", *words]),
        "verdict": verdict,
        "seen": seen,
        "steps": [row["step"] for row in rows],
        "signals": {
            name.removeprefix(PREFIX): [rounded(row.get(name)) for row in rows] for name in names
        },
    }


def plain(word: str) -> str:
    """Returns an override without the quotes of Hydra around a simple value."""
    return re.sub(r"='([\w./-]+)'$", r"=\1", word)


def rounded(value: float | None) -> float | None:
    """Returns three significant digits, which keep a recording at a few kilobytes."""
    return None if value is None else float(f"{value:.3g}")


def text(content: dict[str, Any]) -> str:
    """Returns JSON with one line for each signal."""
    signals = content.pop("signals")
    head = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in content.items()]
    body = [f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in signals.items()]
    return "\n".join(["{", *head, '  "signals": {', ",\n".join(body), "  }", "}"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the run, outputs/NAME")
    parser.add_argument("verdict", choices=VERDICTS)
    parser.add_argument("seen", help="what its sample grids show, in a sentence")
    parser.add_argument("--folder", type=Path, default=TARGET, help="where the recording goes")
    words = parser.parse_args()
    path = words.folder / f"{words.run.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(recording(words.run, words.verdict, words.seen)))
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
