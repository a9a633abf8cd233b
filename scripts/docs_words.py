"""Types, values and comments in the words of the documentation, and its introductions."""

import inspect
import re
import types
from collections.abc import Sequence
from dataclasses import MISSING, is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from gan_cli.config.named import Named
from gan_cli.config.ranges import Range
from gan_cli.config.schedules import Schedule

NOUNS = {
    int: "whole number",
    float: "number",
    bool: "true or false",
    str: "text",
    Any: "text, number or list",
}
INTRODUCTION = """\
<!-- Written by scripts/docs_reference.py; edit the comments in configs/ or in the source. -->

# Configuration

This page lists every key of the three commands. A group is chosen by name (`model=dcgan`), any
other key is set by its path (`model.networks.generator.width=64`). Lists are typed in brackets and
mappings in braces, quoted for the shell: `'loss.betas=[0, 0.9]'`, `'ema={half_life: 0}'`.
`gan-train ... --cfg job` prints all keys of a run with their values, and `check=true` checks them.

The defaults of top-level keys and groups are those of `gan-train` without arguments; the defaults
of components (games, networks, losses...) are those of the component, and the files of a group may
set other values. `required` keys have none.

The range of a number is in parentheses behind its type, and a number outside of it is refused. All
numbers are finite, and no larger than a float32 (3.4e38) or a 64-bit integer. Sizes have limits
that no computer reaches, such as 2^20 units of a layer.
"""
SCHEDULES = """\
## schedules

Where the type is *number or schedule*, the value is a number or a mapping with these keys. All
values of a schedule are within the range of its key; a learning rate, which is above 0, may start
or end at 0.

```sh
gan-train 'optimizer.lr={start: 2e-4, end: 0, over: 50000, shape: cosine, warmup: 500}'
```
"""

LONGEST = 60  # characters of a default that is printed


def type_name(kind: Any) -> str:
    """A type and its range in words: "number (above 0)", "one of: a, b", "list of text"."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        bounds = next(str(a) for a in arguments if isinstance(a, Range))
        return type_name(arguments[0]) + (f" ({bounds})" if bounds else "")
    if kind in NOUNS:
        return NOUNS[kind]
    if origin in (Union, types.UnionType):
        names = [type_name(argument) for argument in arguments if argument is not types.NoneType]
        return " or ".join([*names, "null"] if types.NoneType in arguments else names)
    if origin is Literal:
        return f"one of: {', '.join(map(str, arguments))}"
    if origin in (list, tuple):
        many = origin is list or arguments[-1] is Ellipsis
        return f"list of {'' if many else f'{len(arguments)}: '}{type_name(arguments[0])}"
    if kind is Schedule:
        return "number or schedule"
    if kind is Named:
        return "name, or name and options"
    if origin is dict or is_dataclass(kind) or issubclass(kind, dict):
        return "mapping"
    return str(kind.__name__).lower()


def value_text(value: Any) -> str:
    """A value as code, the way it is typed."""
    if value is MISSING or value == "???":
        return "required"
    if isinstance(value, str) and "${" in value:
        return "computed"
    text = typed(value)
    return f"`{text}`" if len(text) <= LONGEST else "`{...}`"


def typed(value: Any) -> str:
    if isinstance(value, Schedule):
        return typed(value.start if value.end is None and not value.warmup else vars(value))
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(typed, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {typed(item)}' for key, item in value.items())}}}"
    return str(value)


CODE = re.compile(
    r"(`[^`]+`)"  # code already
    r"|(?<![\w.])([+~]?[a-z_][\w.@/]*=(?:\[[^\]]*\]|\{[^}]*\}|[\w./@+-]*[\w/]))"  # key=value
    r"|('[^']*=[^']*'|'~[\w.]+'|\{[a-z_]+: [^}]*\})"  # quoted for the shell; a mapping
)


def prose(text: str) -> str:
    """A comment as Markdown in a table: settings as code, papers as links, no column breaks."""
    text = CODE.sub(lambda m: m[1] or f"`{m[2] or m[3]}`", text.replace("``", "`"))
    text = re.sub(r"(`[^`]+`)|<(?=\w)", lambda m: m[1] or "&lt;", text)  # no HTML
    text = re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)
    return text.replace("|", r"\|")


def summary(component: Any) -> str:
    """The first paragraph of a docstring, on one line; of a record that of its function."""
    if not callable(component):
        function = next(filter(callable, vars(component).values()), None)
        text = summary(function) if function else str(getattr(component, "title", ""))
        keys = ", ".join(f"`{key}`" for key in sorted(getattr(component, "keys", ())))
        return f"{text} Keys: {keys}." if keys else text
    return " ".join(inspect.cleandoc(component.__doc__ or "").split("\n\n")[0].split())


def rows(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
