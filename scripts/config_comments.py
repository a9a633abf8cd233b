"""Reads what comments say about config keys: in YAML files and behind the options in the source."""

import ast
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from functools import cache
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any

import yaml

Comments = dict[str, str]  # key, or path of a key -> what it means
KEY = re.compile(r"( *)([\w@/]+):(?=\s|$)[^#]*(#.*)?$")
NAMED_BY_KEY = ("penalties", "compute")  # mappings whose keys are names of components


def leading_comment(file: Path) -> str:
    """The first paragraph of the comment at the top of a YAML file, on one line."""
    lines = takewhile(lambda line: line.startswith("#"), file.read_text().splitlines())
    comment = [line.removeprefix("#").strip() for line in lines if "@package" not in line]
    return " ".join(takewhile(bool, comment))


@cache
def yaml_comments(file: Path) -> Comments:
    """Path of a key -> the comment behind it, with its continuation below, or else above it."""
    found: Comments = {}
    parents: list[tuple[int, str]] = []  # (indentation, key) of the current line
    path, column, above = "", -1, ""
    lines = file.read_text().splitlines()
    for line in dropwhile(lambda line: line.startswith("#"), lines):
        text = line[line.find("#") :].lstrip("# ").rstrip() if "#" in line else ""
        if key := KEY.match(line):
            indent = len(key[1])
            parents = [parent for parent in parents if parent[0] < indent] + [(indent, key[2])]
            path, column = ".".join(name for _, name in parents), line.find("#")
            if comment := text if key[3] else above:
                found[path] = comment
        elif line.strip().startswith("#") and line.index("#") == column:
            found[path] += " " + text
            continue
        above = text if line.strip().startswith("#") else ""
        column = column if key else -1
    return found


@cache
def yaml_keys(file: Path) -> list[str]:
    """Paths of the keys of a YAML file, in its order."""
    return list(paths(yaml.safe_load(file.read_text()) or {}, ""))


def paths(node: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in node.items():
        yield prefix + key
        if isinstance(value, Mapping):
            yield from paths(value, f"{prefix}{key}.")


@cache
def component_comments(file: Path) -> dict[str, Comments]:
    """Component -> comments of its options, wherever the file configures it."""
    found: dict[str, Comments] = {}
    tree, comments = yaml.safe_load(file.read_text()) or {}, yaml_comments(file)
    for name, prefix in components(tree, ""):
        for path, comment in comments.items():
            parent, _, key = path.rpartition(".")
            if parent == prefix:
                found.setdefault(name, {}).setdefault(key, comment)
    return found


def components(node: Any, prefix: str, name: str = "") -> Iterator[tuple[str, str]]:
    """(component, path of the mapping of its options)."""
    if not isinstance(node, Mapping):
        return
    yield str(node.get("name", name)), prefix
    if isinstance(node.get("features"), str):  # options of the features are beside their name
        yield node["features"], prefix
    for key, value in node.items():
        own = key if prefix.rpartition(".")[2] in NAMED_BY_KEY else ""
        yield from components(value, f"{prefix}.{key}".lstrip("."), own)


def option_comments(component: Any) -> Comments:
    """The comments behind a component's options; a base class explains what it does not."""
    if not inspect.isclass(component):
        return source_comments(component)
    found: Comments = {}
    for cls in reversed(component.__mro__[:-1]):
        declared: Any = cls if is_dataclass(cls) else vars(cls).get("__init__")
        if declared is cls or inspect.isfunction(declared):
            found |= source_comments(declared)
    return found


@cache
def source_comments(declared: Any) -> Comments:
    """Option -> the comment behind it, in the signature of a function or a dataclass."""
    source = textwrap.dedent(inspect.getsource(declared))
    comments = {
        token.start[0]: token
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and not token.string.startswith("# noqa")
    }
    alone = {row for row, token in comments.items() if token.line.lstrip().startswith("#")}
    found: Comments = {}
    for name, row in declarations(ast.parse(source).body[0]):
        texts, below = [comments[row].string.lstrip("# ")] if row in comments else [], row + 1
        while texts and below in alone and comments[below].start[1] == comments[row].start[1]:
            texts.append(comments[below].string.lstrip("# "))
            below += 1
        if texts:
            found[name] = re.sub(r"\bNone\b", "null", " ".join(texts))
    return found


def declarations(node: ast.AST) -> Iterator[tuple[str, int]]:
    """(name, last row) of each option that a function or a dataclass declares."""
    if isinstance(node, ast.FunctionDef):
        for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
            yield argument.arg, (default or argument).end_lineno or 0
    elif isinstance(node, ast.ClassDef):
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                yield item.target.id, item.end_lineno or 0


def first_of(*sources: Comments) -> Comments:
    """All comments; where several sources explain a key, the first does."""
    merged: Comments = {}
    for source in reversed(sources):
        merged |= source
    return merged
