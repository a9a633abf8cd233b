"""gan-fid compare: a table of metric cards with equal protocols."""

from collections.abc import Sequence
from pathlib import Path

from gan_cli.evaluation.card import Card, read_card
from gan_cli.report.protocol import unequal
from gan_cli.utils.errors import ConfigError


def compared(paths: Sequence[Path]) -> str:
    """Returns a table of the values that all cards have; ConfigError if their protocols differ."""
    cards = [read_card(path) for path in paths]
    names = [name for name in cards[0]["values"] if all(name in c["values"] for c in cards)]
    if not names:
        held = "; ".join(
            f"{p}: {', '.join(c['values'])}" for p, c in zip(paths, cards, strict=True)
        )
        raise ConfigError(f"compare: the cards share no value ({held})")
    faults = [
        f"compare: {key} differs: " + ", ".join(f"{p} {v}" for p, v in zip(paths, row, strict=True))
        for key, row in unequal(cards).items()
    ]
    if faults:
        raise ConfigError(*faults, "compare: measure again with equal settings")
    return table([label(path, card) for path, card in zip(paths, cards, strict=True)], cards, names)


def label(path: Path, card: Card) -> str:
    """Returns the name of a row: the run, the folder of samples or the card, with the step."""
    subject = card["subject"]
    step = f" step {subject['step']}" if "step" in subject else ""
    return f"{subject.get('run') or subject.get('fake') or path}{step}"


def table(labels: Sequence[str], cards: Sequence[Card], names: Sequence[str]) -> str:
    """Returns a plain-text table; * marks the best values of metrics with a direction."""
    rows = [["", *names]]
    for title, card in zip(labels, cards, strict=True):
        rows.append([title, *(entry(card, name, cards) for name in names)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = (
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def entry(card: Card, name: str, cards: Sequence[Card]) -> str:
    """Returns a cell: the value, its spread over seeds if known, and * if it is the best."""
    value, spread = card["values"][name], card.get("spread", {}).get(name)
    text = f"{value:.4g}" + ("" if spread is None else f" +- {spread:.2g}")
    lower = card["lower_is_better"].get(name)
    if lower is None:
        return text
    best = (min if lower else max)(c["values"][name] for c in cards)
    return text + (" *" if value == best else "  ")
