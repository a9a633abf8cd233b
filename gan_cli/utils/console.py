"""The terminal that commands print to, and the forms in which gan-train prints (the key log)."""

import logging
import sys
import time
from typing import Any, Literal

from rich.console import Console

from gan_cli.utils.strict_json import dumps

Mode = Literal["text", "json", "quiet"]


class Terminal(Console):
    """A console whose closed pipe is an error, as for print()."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would end the program


console = Terminal(highlight=False)


def stamped(text: str) -> str:
    """The text behind the local time, to the second."""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}"


def json_line(event: str, facts: dict[str, Any]) -> str:
    """One object of strict JSON, with the time in seconds since 1970."""
    return dumps({"time": time.time(), "event": event, **facts})


def announce(text: str, mode: str, event: str, **facts: Any) -> None:
    """Prints a line that is no part of a run's output, unless `mode` is quiet."""
    if mode != "quiet":
        print(json_line(event, {"text": text, **facts}) if mode == "json" else text, flush=True)


def reserve_stdout(mode: str) -> None:
    """Keeps log records off stdout, where JSON is printed; quiet leaves out all but warnings."""
    for handler in logging.getLogger().handlers:
        if not isinstance(handler, logging.StreamHandler) or mode == "text":
            continue
        if handler.stream in (sys.stdout, sys.__stdout__):
            handler.setStream(sys.stderr)
        if mode == "quiet":
            handler.setLevel(logging.WARNING)
