"""Checks of single overrides before Hydra sees them: each yields what is wrong with a word."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, RangeSweep
from hydra.errors import HydraException

from gan_cli.config.quoting import SPECIAL, is_text_key, shown, typed_word
from gan_cli.utils.text import unknown

NAME_BYTES, PATH_BYTES = 255, 4095  # what file systems and the kernel accept
CURLY_QUOTES = set("\u2018\u2019\u201c\u201d\u201e\u201a\u00ab\u00bb")
UNSUPPORTED = {
    "hydra.run.dir": "is not read; use run=NAME (gan-train) or output=FOLDER (the others)",
    "hydra.job.chdir": "is not supported: relative paths are those of the folder in which you type",
}
SEVERAL = {"logger"}  # groups of which several may be chosen
PARTS = {"degradation": "dataset.degradation"}  # groups that are chosen for a key alone
BRACE_PART = re.compile(r"[A-Za-z_]\w*:[^/\\\s]")
Groups = dict[str, set[str]]


def parsed(word: str) -> Override:
    """The override of a word; HydraException if it cannot be read."""
    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        raise
    except Exception as error:  # Hydra's parser fails on numbers of thousands of digits, for one
        raise HydraException(str(error)) from error


def split_braces(words: list[str]) -> tuple[list[str], list[str]]:
    """Parts the words of a mapping whose braces the shell has expanded from the others.

    A shell types ``every={log:1,preview:2}`` as ``every=log:1 every=preview:2``. Returns an error
    for each such key, and the remaining words.
    """
    parts: dict[str, list[str]] = {}
    for word in words:
        key, _, value = word.partition("=")
        if BRACE_PART.match(value) and not is_text_key(key):
            parts.setdefault(key, []).append(value)
    parts = {key: values for key, values in parts.items() if len(values) > 1}
    faults = [
        f"{key}: the shell has split its value at the commas in braces; type "
        + shown(f"'{key}={{{', '.join(value.replace(':', ': ', 1) for value in values)}}}'")
        for key, values in parts.items()
    ]
    return faults, [word for word in words if word.partition("=")[0] not in parts]


def override_errors(word: str, groups: Groups, sweeps: bool) -> Iterator[str]:
    """Yields what is wrong with the first check that an override fails."""
    for check in (check_characters, check_key, check_syntax, check_support, check_length):
        if faults := list(check(word)):
            yield from faults
            return
    yield from check_choice(word, groups)
    yield from check_sweep(word, groups, sweeps)


def check_characters(word: str) -> Iterator[str]:
    """Refuses words with line breaks, control characters or bytes that are no text."""
    key = shown(word.partition("=")[0])
    for character in word:
        if unicodedata.category(character) == "Cs":
            yield f"{key}: holds bytes that are not UTF-8: {shown(word)}"
            return
        if unicodedata.category(character) == "Cc" and character != "\t":
            yield f"{key}: holds a line break or control character: {shown(word)}"
            return


def check_key(word: str) -> Iterator[str]:
    """Refuses ``=value`` and spaces around the equals sign."""
    key = word.lstrip("+~").partition("=")[0]
    if not key.strip():
        yield f"'{shown(word)}' names no key; type key=value"
    elif key != key.strip():
        value = word.partition("=")[2].strip()
        yield f"'{shown(word)}': no spaces before '='; type {shown(typed_word(key.strip(), value))}"
    elif len(key.encode()) > NAME_BYTES:
        yield f"{shown(key)}: is too long for a key"


def check_syntax(word: str) -> Iterator[str]:
    """Refuses an override that Hydra cannot parse."""
    key, _, value = word.partition("=")
    inner = value.strip("'\"")
    if inner and {inner[0], inner[-1]} <= CURLY_QUOTES:
        yield f"{shown(key)}: has typographic quotes, {shown(inner)}; type ' or \""
        return
    try:
        parsed(word)
    except HydraException:
        yield (
            f"cannot read '{shown(word)}'{syntax_reason(value)}; quote it, as in "
            "'loss.betas=[0, 0.9]' or 'run=\"a b\"'"
        )


def syntax_reason(value: str) -> str:
    """Why a value probably cannot be parsed."""
    if CURLY_QUOTES & set(value):
        return ", which has typographic quotes"
    for opening, closing in ("[]", "{}", "()"):
        if value.count(opening) != value.count(closing):
            return f", where '{opening}' and '{closing}' do not match"
    if any(value.count(quote) % 2 for quote in "'\""):
        return ", where a quote is not closed"
    return ""


def check_support(word: str) -> Iterator[str]:
    """Refuses keys of Hydra that no command can honour."""
    key = word.lstrip("+~").partition("=")[0]
    if key in UNSUPPORTED:
        yield f"{key}: {UNSUPPORTED[key]}"


def check_length(word: str) -> Iterator[str]:
    """Refuses names of files that no file system accepts."""
    key, _, value = word.partition("=")
    if not is_text_key(key) or SPECIAL & set(value.strip("'\"")):
        return
    longest = max(len(part.encode()) for part in value.strip("'\"").split("/"))
    if longest > NAME_BYTES or len(value.encode()) > PATH_BYTES:
        yield f"{key}: is too long for a file name: {shown(value)}"


def check_choice(word: str, groups: Groups) -> Iterator[str]:
    """Refuses an unknown choice of a config group."""
    group, _, value = word.partition("=")
    group = group.lstrip("+")
    chosen, at, key = group.partition("@")
    if at and chosen in groups and not set(value) & set("${}()[]*/\"'"):
        for choice in map(str.strip, value.split(",")):
            if choice == "null":
                yield f"{group}: null chooses nothing; type {key}=null"
            elif choice not in groups[chosen]:
                yield f"{group}: {unknown(chosen, shown(choice), groups[chosen])}"
    elif group in PARTS and group in groups:
        yield f"{group}: is chosen for a key; type {group}@{PARTS[group]}={shown(value)}"
    elif group in groups and not set(value) & set("${}()[]*/\"'"):
        yield from check_names(group, value.split(","), groups)
    elif group in groups and value[:1] == "[" not in value[1:] and group in SEVERAL:
        yield from check_names(group, re.findall(r"[^\[\],\s'\"]+", value), groups)
    elif group in groups and value[:1] == "[":  # {key: value} sets keys of the group
        some = f" or '{group}=[NAME,NAME]'" if group in SEVERAL else ""
        yield f"{group}: is one choice, got {shown(value)}; type {group}=NAME{some}"
    elif value == "None" and not is_text_key(word.partition("=")[0]):
        yield f"{group}: None is text here; type {group}=null for no value"


def check_names(group: str, names: Iterable[str], groups: Groups) -> Iterator[str]:
    """Refuses names that are no choice of a config group."""
    for choice in map(str.strip, names):
        if choice == "null":
            yield f"{group}: null chooses nothing; leave it out, or type ~{group} for none"
        elif choice not in groups[group]:
            yield f"{group}: {unknown(group, shown(choice), groups[group])}"


def check_sweep(word: str, groups: Groups, sweeps: bool) -> Iterator[str]:
    """Refuses several values without -m, and sweeps over no value."""
    override = parsed(word)
    if not override.is_sweep_override():
        return
    key, _, value = word.partition("=")
    if not sweeps:
        in_list = f" or, for a list, {typed_list(key, value)}" if "(" not in value else ""
        several = f"{key.lstrip('+')}: has several values, {shown(value)}"
        yield f"{several}; add -m (--multirun) for a sweep{in_list}"
        return
    names = sorted(groups.get(override.key_or_group, ()))
    found = override.value()
    if isinstance(found, Glob) and not found.filter(names):
        yield f"{key}: {shown(value)} matches no choice; known: {', '.join(names) or 'none'}"
    elif isinstance(found, RangeSweep) and not list(found.range()):
        yield f"{key}: {shown(value)} has no values"


def typed_list(key: str, value: str) -> str:
    """key=[value] as typed in a shell."""
    return shown(f"'{key.lstrip('+')}=[{value}]'")
