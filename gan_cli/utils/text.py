"""Texts of error messages."""

from collections.abc import Iterable
from difflib import get_close_matches


def unknown(what: str, given: object, known: Iterable[object]) -> str:
    """Says that `given` is not a known `what`, and which name was probably meant."""
    names = sorted(str(name) for name in known)
    close = get_close_matches(str(given), names, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"unknown {what} '{given}'; {hint}Known: {', '.join(names) or 'none'}"
