"""The loggers that a run has chosen: checked before it, opened, and turned off if they fail."""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gan_cli.config.registry import Component, conform_keys, keys_of
from gan_cli.training.loggers.backend import Backend, LoggedRun, loggers, missing
from gan_cli.utils.text import as_typed, shown, unknown

log = logging.getLogger("gan_cli")


def parse_loggers(value: Any, faults: list[str]) -> dict[str, Component]:
    """The options of loggers by name, converted and with defaults; appends what is wrong."""
    if value is None:  # logger=[]
        return {}
    if not isinstance(value, Mapping):
        faults.append(f"logger: expected a name or a list of names, got {as_typed(value)}")
        return {}
    found: dict[str, Component] = {}
    for name, options in value.items():
        given = {} if options is None else options
        if name not in loggers.entries:
            faults.append(f"logger.{name}: {unknown('logger', name, loggers.entries)}")
        elif not isinstance(given, Mapping):
            faults.append(
                f"logger.{name}: expected keys and values, got {as_typed(given)}; type "
                f"logger={name}"
            )
        else:
            keys = keys_of(loggers.entries[name])
            found[name] = conform_keys(keys, given, f"logger.{name}", faults)
    return found


def logger_errors(chosen: Mapping[str, Component]) -> Iterator[str]:
    """Yields packages that are missing, and options that cannot work."""
    for name, options in chosen.items():
        backend = loggers.entries[name]
        if lacking := missing(backend):
            install = f"; pip install '{backend.install}'" if backend.install else ""
            yield f"logger.{name}: needs {', '.join(lacking)}{install}, or leave it out of logger="
        else:
            yield from (f"logger.{name}.{fault}" for fault in backend.option_errors(options))


class ActiveLoggers:
    """Passes entries on to all loggers; one that fails is reported once, and is then off."""

    def __init__(self) -> None:
        self.backends: dict[str, Backend] = {}

    def open(self, run: LoggedRun, chosen: Mapping[str, Component]) -> "ActiveLoggers":
        """Opens the loggers `chosen`, and returns itself."""
        for name, options in chosen.items():
            try:
                self.backends[name] = loggers.entries[name](run, **options)
            except (Exception, SystemExit) as error:  # of whatever library it uses
                warn(name, error)
        return self

    def send(self, entry: Callable[[Backend], None]) -> None:
        """Calls `entry` with each logger that still works."""
        for name, backend in list(self.backends.items()):
            try:
                entry(backend)
            except (Exception, SystemExit) as error:
                del self.backends[name]
                warn(name, error)


def warn(name: str, error: BaseException) -> None:
    """Says in one line that a logger is off, and why."""
    reason = next(iter(str(error).strip().splitlines()), "") or "no reason given"
    log.warning(
        "logger.%s: is off from here on (%s: %s); the run continues, and its folder has all logs",
        *(name, type(error).__name__, shown(reason, 200)),
    )
