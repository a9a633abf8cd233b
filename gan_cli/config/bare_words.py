"""What a word of the command line that is not key=value was probably meant to be."""

import os
import shlex
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from gan_cli.config.flags import BY_NAME, Words, close_flag
from gan_cli.config.key_names import close_key, key_paths
from gan_cli.config.meant import (
    PATH_KEYS,
    Groups,
    data_setting,
    is_known,
    meant_setting,
    of_other_command,
    printing_flag,
)
from gan_cli.config.quoting import TEXT_LEAVES, shown, typed_word
from gan_cli.utils.paths import user_path

SUBCOMMANDS = ("compare", "table")  # of gan-fid, as its first word


def unknown_flag_errors(words: Words, config_name: str, groups: Groups) -> Iterator[str]:
    """Yields an error for each unknown flag, with the flag or the key that was probably meant."""
    following = dict(words.following)
    for name, value in words.flags:
        if name == "--run" and (run := value or following.get(name)):
            yield f"--run {shown(run)}: did you mean {shown(typed_word('run', run))}?"
        if name in BY_NAME:
            continue
        if name == "--experimental-rerun":
            yield f"{name}: is not supported, since it reads a pickle, which can run code"
            continue
        value = following.get(name, "VALUE") if value is None else value
        typed = " ".join([name, *filter(None, [following.get(name)])])
        if flag := printing_flag(name) or close_flag(name):
            yield f"{shown(name)}: unknown flag; did you mean {flag}?"
        elif other := of_other_command(name, config_name):
            yield f"{shown(typed)}: {other}"
        elif setting := meant_setting(name, value, config_name, groups):
            yield f"{shown(typed)}: unknown flag; did you mean {shown(setting)}?"
        else:
            yield f"{shown(name)}: unknown flag; settings are typed key=value, without a dash"


def is_bare(word: str) -> bool:
    """Whether a word is neither key=value nor ~key."""
    return "=" not in word and not word.startswith("~")


def bare_word_errors(bare: Sequence[str], config_name: str, groups: Groups) -> Iterator[str]:
    """Yields an error for each word that is not key=value, with what was probably meant."""
    paths = [word for word in bare if place(word) == "samples"]
    subcommand = (
        get_close_matches(bare[0], SUBCOMMANDS, 1, 0.75) if bare and config_name == "fid" else []
    )
    if subcommand:
        words = shlex.join([subcommand[0], *bare[1:]])
        yield f"{shown(' '.join(bare))}: did you mean gan-fid {shown(words)}?"
        return
    if config_name == "fid" and len(bare) == len(paths) == 2:
        real, fake = typed_word("real", paths[0]), typed_word("fake", paths[1])
        yield f"{shown(' '.join(bare))}: did you mean gan-fid {real} {fake}?"
        return
    if config_name == "fid" and len(bare) > 1 and all(place(word) == "run" for word in bare):
        names = shlex.join(map(run_name, bare))
        yield f"{shown(' '.join(bare))}: did you mean gan-fid compare {names}?"
        return
    pairs, left = paired(bare, config_name, groups)
    for name, value in pairs:
        setting = meant_setting(name, value, config_name, groups)
        other = of_other_command(name, config_name)
        meant = f"{name} {other}" if other else f"did you mean {shown(setting or '')}?"
        yield f"'{shown(f'{name} {value}')}' is not key=value; {meant}"
    for word in dict.fromkeys(left):
        yield f"'{shown(word)}' is not key=value; {advice(word, config_name, groups)}"


def paired(
    bare: Sequence[str], config_name: str, groups: Groups
) -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs of a key and the word behind it, as in ``model dcgan``, and the words that are left."""
    pairs, left, i = [], [], 0
    while i < len(bare):
        word, value = bare[i], next(iter(bare[i + 1 : i + 2]), "")
        chosen = any(word in choices for choices in groups.values())
        known = is_known(word, config_name) or of_other_command(word, config_name)
        is_key = known and not chosen and place(word) == "nothing"
        if is_key and value.strip() and value not in key_paths(config_name):
            pairs.append((word, value))
            i += 1
        else:
            left.append(word)
        i += 1
    return pairs, left


def advice(word: str, config_name: str, groups: Groups) -> str:
    """What to type instead of a word."""
    if not word.strip() or word in (config_name, f"gan-{config_name}"):
        return "leave it out"
    if flag := printing_flag(word):
        return f"did you mean {flag}?"
    kind = place(word)
    if kind == "run":
        return f"did you mean {typed_word('run', run_name(word))}?"
    if kind == "checkpoint" and config_name != "train":
        return f"did you mean {typed_word('checkpoint', word)}?"
    if kind == "samples" and config_name in PATH_KEYS:
        return f"did you mean {data_setting(word, config_name, {})}?"
    name = word.lstrip("+")
    if name in key_paths(config_name):
        return f"type {name}=VALUE"
    if group := next((group for group, choices in groups.items() if word in choices), None):
        other = of_other_command(group, config_name)
        return f"{group}={word} {other}" if other else f"did you mean {group}={word}?"
    if other := of_other_command(name, config_name):
        return f"{name} {other}"
    key = close_key(name, config_name)
    if key and key.split(".")[-1] not in TEXT_LEAVES:
        return f"did you mean {key}=VALUE?"
    if config_name == "train" and word.isprintable() and word.strip("-"):
        path = shown(typed_word("dataset.path", word))
        return f"type key=value, or for a folder of images dataset=folder {path}"
    return f"type key=value; gan-{config_name} --help shows which"


def place(word: str) -> str:
    """What exists under this name: a run, a checkpoint, samples or nothing."""
    try:
        path = user_path(word)
        if any((folder / "checkpoints").is_dir() for folder in (Path("outputs") / word, path)):
            return "run"
        if path.suffix in (".pt", ".safetensors") and path.is_file():
            return "checkpoint"
        return "samples" if word and path.exists() else "nothing"
    except (OSError, ValueError):  # too long, or a NUL
        return "nothing"


def run_name(word: str) -> str:
    """The name of the run in a folder: its path below outputs/."""
    path = os.path.relpath(user_path(word))
    below = Path(path).relative_to("outputs") if path.startswith("outputs" + os.sep) else None
    if below is not None:
        return below.as_posix()
    return word


def spaced_errors(others: Sequence[str]) -> tuple[list[str], list[str]]:
    """Errors of settings that spaces cut into several words, and the words that are left.

    ``model= dcgan``, ``steps = 5`` and ``optimizer.lr={start: 1e-4, end: 0}`` without quotes.
    """
    faults, left, i = [], [], 0
    while i < len(others):
        end = end_of_spaced(others, i)
        if end > i + 1:
            words, typed = others[i:end], " ".join(others[i:end])
            key, _, value = typed.partition("=")
            whole = f"{key.strip()}={value.strip()}"
            advised = shown(shlex.quote(whole), 300)
            faults.append(f"{shown(' '.join(words))}: is cut by spaces; type {advised}")
        else:
            left.append(others[i])
        i = max(end, i + 1)
    return faults, left


def end_of_spaced(others: Sequence[str], start: int) -> int:
    """Where the setting that begins at the word `start` ends; start + 1 if it is one word."""
    word, following = others[start], [*others[start + 1 : start + 3], "", ""]
    if is_bare(word) and following[0] == "=":
        return start + 2 + is_bare(following[1]) * (start + 2 < len(others))
    if is_bare(word) and following[0].startswith("=") and len(following[0]) > 1:
        return start + 2
    if word.endswith("=") and len(word) > 1 and following[0] and is_bare(following[0]):
        return start + 2
    if "=" in word and unclosed(word):
        for end in range(start + 2, len(others) + 1):
            if "=" in others[end - 1]:
                break
            if not unclosed(" ".join(others[start:end])):
                return end
    return start + 1


def unclosed(text: str) -> bool:
    """Whether more brackets are opened than closed."""
    return any(text.count(a) > text.count(b) for a, b in ("[]", "{}", "()"))
