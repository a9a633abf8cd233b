"""What a logger remembers in the run folder, so that a resumed run continues its run there."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gan_cli.training.loggers.backend import LoggedRun
from gan_cli.utils.files import write_text
from gan_cli.utils.side_files import read_object, set_aside
from gan_cli.utils.strict_json import dumps


class Memory:
    """The id of a run at a service and what was logged there last, in loggers.json.

    A run that starts from its first step remembers nothing of an earlier one in the same folder.
    """

    def __init__(self, run: LoggedRun, name: str) -> None:
        self.path, self.name = run.folder / "loggers.json", name
        known = read_all(self.path).get(name) if run.resumed_at else None
        known = known if isinstance(known, dict) and isinstance(known.get("id"), str) else {}
        step, names = known.get("step"), known.get("names")
        self.id: str | None = known.get("id")
        self.before = step if type(step) is int else -1  # last step of earlier sessions
        self.names = set(names) if isinstance(names, list) else None  # in it; None: all
        self.latest = self.before

    def is_new(self, step: int, name: str) -> bool:
        """Whether a value was not logged before: neither by an earlier session nor before a
        rollback.
        """
        if step < self.latest or (step == self.before and (not self.names or name in self.names)):
            return False
        self.latest = step
        return True

    def skip(self, step: int) -> None:
        """Says that the steps up to `step` were logged before."""
        self.before = self.latest = max(self.before, step)

    def save(self, step: int, names: Iterable[str] | None = None) -> None:
        """Writes the id, the last step and the names of the values that were logged in it."""
        listed = None if names is None else sorted(names)
        entry: dict[str, Any] = {"id": self.id, "step": step, "names": listed}
        entries = {**read_all(self.path, aside=True), self.name: entry}
        write_text(self.path, dumps(entries, indent=2) + "\n", durable=False)


def read_all(path: Path, aside: bool = False) -> dict[str, Any]:
    """The content of loggers.json, {} if it is damaged; then it may be set aside."""
    found = read_object(path)
    if found is None and aside:
        set_aside(path)
    return found or {}
