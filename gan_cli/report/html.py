"""Builds HTML by nested calls. Text is escaped unless it is Markup."""

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from typing import TypeAlias


class Markup(str):
    """A string of HTML, which is not escaped."""

    __slots__ = ()


Child: TypeAlias = "str | Iterable[Child] | None"

VOID = {"img", "input", "meta", "br"}
# A page may load nothing from elsewhere, even if markup was injected.
POLICY = (
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)


def tag(name: str, /, *children: Child, **attributes: object) -> Markup:
    """An element; `class_` is class, aria_label is aria-label, None and False omit an attribute."""
    words = [name]
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is True:
            words.append(key)
        elif value is not None and value is not False:
            words.append(f'{key}="{escape(str(value))}"')
    start = f"<{' '.join(words)}>"
    return Markup(start if name in VOID else f"{start}{join(children)}</{name}>")


def join(children: Iterable[Child]) -> Markup:
    """The children one after another, escaped where they are text."""
    return Markup("".join(text_of(child) for child in children))


def text_of(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, str):
        return child if isinstance(child, Markup) else escape(child)
    return join(child)


def section(title: str, *children: Child, note: str | None = None) -> Markup:
    """A section with a heading and, in small print, a note."""
    name = title.lower().replace(" ", "-")
    heading = tag("h2", title, tag("small", note) if note else None, id=name)
    return tag("section", heading, *children, aria_labelledby=name)


def page(title: str, *body: Child) -> str:
    """A complete document, with styles and script."""
    head = (
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(packaged("page.css"))),
    )
    script = tag("script", Markup(packaged("page.js")))
    whole = tag("html", tag("head", *head), tag("body", *body, script), lang="en")
    return f"<!doctype html>\n{whole}\n"


def packaged(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
