"""The config as YAML, in which overrides are marked."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from gan_cli.report.html import Markup, join, tag

SCHEDULE = {"start", "end", "over", "shape", "warmup"}


def settings_of(config: Mapping[str, Any], overrides: Mapping[str, str]) -> Markup:
    """The config as a block of YAML."""
    lines = (marked(path, line, overrides) for path, line in yaml_lines(config))
    return tag("pre", join(lines), class_="settings", tabindex=0)


def marked(path: str, line: str, overrides: Mapping[str, str]) -> Markup:
    """A line of YAML, marked if its key was overridden."""
    if path not in overrides:
        return tag("span", line + "\n")
    text = line.lstrip()
    chosen = tag("small", f"  # {path}={overrides[path]}") if line.endswith(":") else None
    return tag("span", line[: -len(text)], tag("mark", text), chosen, "\n")


def yaml_lines(
    tree: Mapping[str, Any], prefix: str = "", indent: str = ""
) -> Iterator[tuple[str, str]]:
    """Yields (key path, line of YAML) for all keys, depth first."""
    for key, value in tree.items():
        path, value = prefix + str(key), constant(value)
        if isinstance(value, Mapping) and value:
            yield path, f"{indent}{key}:"
            yield from yaml_lines(value, f"{path}.", indent + "  ")
        else:
            yield path, f"{indent}{key}: {scalar(value)}"


def scalar(value: Any) -> str:
    """A value, or a list of values, in YAML's flow style."""
    if isinstance(value, list):
        value = [constant(item) for item in value]
    text: str = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    return text.removesuffix("\n").removesuffix("\n...")  # the end that PyYAML marks


def constant(value: Any) -> Any:
    """The value of a constant schedule; other values are returned unchanged."""
    if not isinstance(value, Mapping) or set(value) != SCHEDULE:
        return value
    return value if value["end"] is not None or value["warmup"] else value["start"]


def nested(value: Any) -> Markup | str:
    """A JSON value as nested tables."""
    if isinstance(value, Mapping):
        rows = (tag("tr", tag("th", str(k)), tag("td", nested(v))) for k, v in value.items())
        return tag("table", *rows, class_="facts")
    if isinstance(value, list):
        return ", ".join(scalar(item) for item in value)
    return f"{value:.6g}" if isinstance(value, float) else "-" if value is None else str(value)
