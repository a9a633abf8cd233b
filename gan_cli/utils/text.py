"""Texts of error messages."""

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from heapq import nlargest

MOST_NAMES = 40  # that a message lists, the most similar ones


def shown(word: str, length: int = 80) -> str:
    """Returns `word` for a message: on one line, with at most `length` characters."""
    printable = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in word[: length + 1])
    return printable if len(printable) <= length else printable[: length - 3] + "..."


LONGEST = 200  # characters of a library's message, which may quote the bytes of a file


def said(error: BaseException) -> str:
    """What an exception of a library says, on one line and cut; its type if it says nothing."""
    return shown(" ".join(str(error).split()), LONGEST) or type(error).__name__


def as_typed(value: object) -> str:
    """A value of a config in a message, cut if it is long: a text in quotes."""
    try:
        return shown(repr(value))
    except ValueError:  # a whole number of more digits than Python prints
        return "a number of thousands of digits"


def unknown(what: str, given: object, known: Iterable[object]) -> str:
    """Says that `given` is not a known `what`, and which name was probably meant."""
    names = sorted(str(name) for name in known)
    given = shown(str(given))
    close = get_close_matches(given, names, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    likely = sorted(nlargest(MOST_NAMES, names, lambda name: likeness(given, name)))
    more = f" and {len(names) - len(likely)} more" if len(names) > len(likely) else ""
    return f"unknown {what} '{given}'; {hint}Known: {', '.join(likely) or 'none'}{more}"


def likeness(a: str, b: str) -> float:
    """From 0 to 1, how alike two words are."""
    return SequenceMatcher(None, a, b).ratio()
