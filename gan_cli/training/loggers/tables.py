"""Tables in CSV files, whose rows are added one by one."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_cli.utils.files import atomic_file, make_folder, replace_tail

Row = dict[str, Any]


class Table:
    """A CSV file with a column `step`; rows after the step `until` are dropped at the start.

    New columns are added at the right. With `merged`, all entries of a step are one row.
    """

    def __init__(self, path: Path, until: int, merged: bool = False) -> None:
        self.path, self.merged = path, merged
        self.columns, rows = read_table(path)
        self.last: Row = {}
        self.end = 0  # position of the last row in the file
        make_folder(path.parent)
        kept = [row for row in rows if 0 <= step_of(row) <= until]
        if self.columns:
            self.rewrite(kept)

    def add(self, row: Row) -> None:
        """Adds a row, or merges it with the last one."""
        if self.merged and self.last and step_of(row) < step_of(self.last):  # after a rollback
            self.rewrite([r for r in read_table(self.path)[1] if step_of(r) < step_of(row)])
        again = self.merged and bool(self.last) and step_of(self.last) == step_of(row)
        self.last = {**self.last, **row} if again else row
        new = [name for name in row if name not in self.columns]
        if new:
            rows = read_table(self.path)[1]
            self.columns += new
            self.rewrite([*(rows[:-1] if again else rows), self.last])
            return
        start = self.end if again else None
        self.end = replace_tail(self.path, start, self.text([self.last]))

    def rewrite(self, rows: list[Row]) -> None:
        """Writes the whole file."""
        head = self.text([dict(zip(self.columns, self.columns, strict=True)), *rows[:-1]])
        self.last = rows[-1] if rows else {}
        self.end = len(head)
        with atomic_file(self.path, durable=False) as file:
            file.write(head + self.text(rows[-1:]))

    def text(self, rows: list[Row]) -> bytes:
        content = io.StringIO()
        csv.DictWriter(content, self.columns, restval="").writerows(rows)
        return content.getvalue().encode()


def read_table(path: Path) -> tuple[list[str], list[Row]]:
    """The columns and rows of a CSV file, whose end may be torn; none if there is no file."""
    try:
        content = path.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return [], []
    reader = csv.DictReader(io.StringIO(content[: content.rfind("\n") + 1], newline=""))
    rows = [dict(row) for row in reader if None not in row and None not in row.values()]
    return list(reader.fieldnames or []), rows


def step_of(row: Mapping[str, Any]) -> int:
    """The step of a row, -1 if it has none."""
    text = str(row.get("step", ""))
    return int(text) if text.isdecimal() else -1
