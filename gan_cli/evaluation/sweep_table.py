"""gan-fid table: the results of a sweep as a table for a paper. Imports no torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from gan_cli.config.registry import conform
from gan_cli.report.jobs import When
from gan_cli.report.table import Table, sweep_table
from gan_cli.report.table_formats import FORMATS, SUFFIXES
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.files import write_text
from gan_cli.utils.paths import user_path
from gan_cli.utils.text import shown, unknown

USAGE = (
    "table: type gan-fid table SWEEP, the folder of a sweep; format=markdown, latex or csv, "
    "output=FILE and when=best or last are optional"
)


@dataclass(frozen=True)
class TableOptions:
    """The keys of gan-fid table."""

    format: Literal["markdown", "latex", "csv"] | None = None  # None: that of the file, markdown
    output: str | None = None  # a new file; None: stdout
    when: Literal["best", "last"] | None = None  # None: best, where a metric has a best value


def print_table(words: Sequence[str]) -> None:
    """Prints or writes the table that the words of a command line ask for."""
    if {"-h", "--help"} & set(words):
        print(USAGE)
        return
    names = [word for word in words if "=" not in word]
    options = options_of([word for word in words if "=" in word])
    if len(names) != 1 or not names[0].strip():
        given = f"; got {shown(' '.join(names))}" if len(names) > 1 else ""
        raise ConfigError(USAGE + given)
    text = FORMATS[format_of(options)](checked_table(sweep_folder(names[0]), options.when))
    if options.output is None:
        print(text, end="")
    else:
        print(f"table: {write_text(user_path(options.output), text)}")


def options_of(words: Sequence[str]) -> TableOptions:
    """The options in words key=value; ConfigError for those that are wrong."""
    given = dict(word.lstrip("+").split("=", 1) for word in words)
    known = [field.name for field in fields(TableOptions)]
    faults = [f"{shown(key)}: {unknown('key', key, known)}" for key in given if key not in known]
    tree = {key: value for key, value in given.items() if key in known}
    options: TableOptions = conform(TableOptions, tree, "", faults)
    faults += output_errors(options)
    if faults:
        raise ConfigError(*faults)
    return options


def output_errors(options: TableOptions) -> Iterator[str]:
    """Yields an error for a file that exists, or whose format is not known."""
    if options.output is None:
        return
    path = user_path(options.output)
    if path.exists():
        yield f"output: {options.output} already exists; type another, or remove it"
    if options.format is None and path.suffix not in SUFFIXES.values():
        known = ", ".join(SUFFIXES.values())
        yield f"output: the name of a table ends with one of {known}; or type format=NAME"


def format_of(options: TableOptions) -> str:
    """The format that is asked for, else that of the file, else Markdown."""
    suffix = Path(options.output or "table.md").suffix
    return options.format or next(name for name in SUFFIXES if SUFFIXES[name] == suffix)


def sweep_folder(word: str) -> Path:
    """The folder of a sweep: a path, or a name below outputs/sweeps or outputs."""
    places = (user_path(word), Path("outputs/sweeps") / word, Path("outputs") / word)
    for folder in places:
        if any(folder.glob("*/job.json")):
            return folder
    exists = any(place.exists() for place in places)
    what = "holds no jobs of gan-train -m" if exists else "is no folder"
    raise ConfigError(f"table: {shown(word)} {what}; type the folder of a sweep, which has them")


def checked_table(sweep: Path, when: When | None) -> Table:
    """The table; ConfigError if there are no values or the protocols differ."""
    table = sweep_table(sweep, when)
    if not table.has_values:
        raise ConfigError(f"table: no finished job in {sweep} has values of a metric")
    faults = [
        f"table: {key} differs: {', '.join(dict.fromkeys(map(str, row)))}"
        for key, row in table.differences.items()
    ]
    if faults:
        raise ConfigError(*faults, "table: measure again with equal settings, or split the sweep")
    return table
