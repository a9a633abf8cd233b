"""The table of a sweep as Markdown, LaTeX and CSV."""

import csv
import re
from io import StringIO
from typing import Any

from gan_cli.report.jobs import SeedStatistics
from gan_cli.report.table import Row, Table

ARROWS = {True: "\u2193", False: "\u2191", None: ""}  # lower or higher is better
COMMANDS = {True: r"$\downarrow$", False: r"$\uparrow$", None: ""}
LATEX = {
    **{c: "\\" + c for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\n": " ",
}
NOTE = "mean \u00b1 standard deviation over n seeds"
DIFFER = "the values are not comparable, since the protocols differ"


def markdown(table: Table) -> str:
    """A table of GitHub's Markdown, and the protocol below it."""
    heads = [f"{column.name} {ARROWS[column.lower_is_better]}".strip() for column in table.columns]
    lines = [markdown_row([*(escaped(key) for key in table.keys), "n", *map(escaped, heads)])]
    lines.append("|" + " --- |" * len(table.keys) + " ---: |" * (1 + len(heads)))
    for row in table.rows:
        cells = [f"**{text}**" if best else text for text, best in cells_of(table, row)]
        settings = [escaped(row.settings[key]) for key in table.keys]
        lines.append(markdown_row([*settings, str(row.seeds), *cells]))
    notes = [f"{NOTE}.", *(f"- `{k}`: {escaped(text(v))}" for k, v in table.protocol.items())]
    if table.differences:
        notes.append(f"\n**{DIFFER}:**\n")
        notes += [f"- `{key}`: {escaped(shown(row))}" for key, row in table.differences.items()]
    return "\n".join([*lines, "", notes[0], "", *notes[1:]]).rstrip() + "\n"


def latex(table: Table) -> str:
    """A tabular for the package booktabs, and the protocol as comments above it."""
    heads = [f"{tex(c.name)} {COMMANDS[c.lower_is_better]}".strip() for c in table.columns]
    lines = [f"% {line}" for line in ("needs \\usepackage{booktabs}", NOTE, *protocol(table))]
    lines.append(rf"\begin{{tabular}}{{{'l' * len(table.keys)}r{'r' * len(heads)}}}")
    lines += [r"\toprule", latex_row([*map(tex, table.keys), "$n$", *heads]), r"\midrule"]
    for row in table.rows:
        settings = [tex(row.settings[key]) for key in table.keys]
        cells = [math(text, best) for text, best in cells_of(table, row)]
        lines.append(latex_row([*settings, str(row.seeds), *cells]))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def csv_text(table: Table) -> str:
    """One row per configuration: numbers in full, and the protocol in columns."""
    content = StringIO()
    writer = csv.writer(content)
    heads = [f"{c.name} {part}" for c in table.columns for part in ("mean", "deviation", "n")]
    writer.writerow([*table.keys, "n", *heads, *(f"protocol {key}" for key in table.protocol)])
    for row in table.rows:
        numbers = [number for c in table.columns for number in numbers_of(row.values[c.name])]
        settings = [row.settings[key] for key in table.keys]
        writer.writerow([*settings, row.seeds, *numbers, *map(text, table.protocol.values())])
    return content.getvalue()


FORMATS = {"markdown": markdown, "latex": latex, "csv": csv_text}
SUFFIXES = {"markdown": ".md", "latex": ".tex", "csv": ".csv"}


def cells_of(table: Table, row: Row) -> list[tuple[str, bool]]:
    """The text of each value, with n where it is not that of the row, and whether it is best."""
    return [
        (cell_text(row.values[c.name], row.seeds), table.is_best(row, c)) for c in table.columns
    ]


def cell_text(value: SeedStatistics, seeds: int) -> str:
    other = len(value.values) not in (0, seeds)
    return f"{value} (n = {len(value.values)})" if other else str(value)


def numbers_of(value: SeedStatistics) -> list[float | int | str]:
    """Mean, deviation and n; empty where there is none."""
    count = len(value.values)
    return [value.mean if count else "", value.deviation if count > 1 else "", count]


def protocol(table: Table) -> list[str]:
    """The protocol in lines, and what is not comparable."""
    lines = [f"{key}: {one_line(text(value))}" for key, value in table.protocol.items()]
    if table.differences:
        lines += [f"{DIFFER}:", *(f"{k}: {shown(v)}" for k, v in table.differences.items())]
    return lines


def text(value: Any) -> str:
    return "none" if value is None else str(value)


def shown(values: list[Any]) -> str:
    """The different values of an entry."""
    return one_line(", ".join(dict.fromkeys(map(text, values))))


def one_line(value: str) -> str:
    return " ".join(value.split())


def escaped(value: str) -> str:
    """A text that is no markup in Markdown."""
    return re.sub(r"([\\`*|<>\[\]])", r"\\\1", one_line(value))


def markdown_row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def tex(value: str) -> str:
    """A text that is no markup in LaTeX."""
    return "".join(LATEX.get(c, c) for c in value)


def math(value: str, best: bool) -> str:
    """Numbers in math mode, bold if they are the best."""
    if value == "-":
        return "--"
    inner = value.replace(",", "{,}").replace("\u00b1", r"\pm").replace(" (n = ", r"\ (n = ")
    return rf"$\mathbf{{{inner}}}$" if best else f"${inner}$"


def latex_row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
