"""Where configs are looked for: the package's folder, flags and hydra.searchpath."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from hydra.errors import HydraException

from gan_cli.config.flags import FOLDERS, Words, flag_folder
from gan_cli.config.override_checks import parsed
from gan_cli.config.quoting import quoted, shown
from gan_cli.utils.paths import CONFIGS, user_path

KEY = "hydra.searchpath"


def config_folders(words: Words) -> list[Path]:
    """The package's config folder, or that of --config-path, and those that are added to it."""
    primary = [flag_folder(v) for v in words.values("--config-path") if not v.startswith("pkg://")]
    added = [flag_folder(value) for value in words.values("--config-dir")]
    found = (place_folder(place) for place in search_places(words))
    return [*(primary or [CONFIGS]), *added, *(folder for folder in found if folder)]


def search_places(words: Words) -> list[str]:
    """The places of hydra.searchpath, [] if it is not given or not a list of texts."""
    places: list[str] = []
    for word in words.others:
        if word.lstrip("+").startswith(f"{KEY}="):
            try:
                value = parsed(word).value()
            except HydraException:  # reported by check_syntax
                continue
            if isinstance(value, list):
                places += [place for place in value if isinstance(place, str)]
    return places


def place_folder(place: str) -> Path | None:
    """The folder of file://FOLDER, FOLDER or pkg://PACKAGE; None if there is none."""
    if place.startswith("pkg://"):
        try:
            spec = find_spec(place.removeprefix("pkg://").strip("/").replace("/", "."))
        except (ImportError, ValueError):
            return None
        return next(map(Path, (spec and spec.submodule_search_locations) or ()), None)
    try:
        folder = user_path(place.removeprefix("file://")).absolute()
        return folder if folder.is_dir() else None
    except (OSError, ValueError):  # too long, or a NUL
        return None


def search_errors(words: Words) -> Iterator[str]:
    """Yields the places of hydra.searchpath that do not exist."""
    for place in search_places(words):
        known = place.startswith(("pkg://", "file://")) or "://" not in place
        if known and place_folder(place) is None:
            yield f"{KEY}: no folder {shown(place)}; type '{KEY}=[file://FOLDER]'"


def group_choices(folders: list[Path]) -> dict[str, set[str]]:
    """The choices of each config group, by the group's name."""
    groups: dict[str, set[str]] = {}
    for folder in folders:
        for file in folder.glob("*/*.yaml"):
            groups.setdefault(file.parent.name, set()).add(file.stem)
    return groups


def home_expanded(word: str) -> str:
    """A word that Hydra reads as a path, with the home folder in place of ~.

    The paths of our own keys are expanded where they are used.
    """
    key, _, value = word.partition("=")
    name = key.lstrip("+")
    if name == "hydra.sweep.dir" and value.startswith("~"):
        return f"{key}={user_path(value)}"
    if name == KEY and "~" in value:
        places = search_places(Words((), (word,)))
        paths = ",".join(quoted(home_place(place)) for place in places)
        return f"{key}=[{paths}]" if places else word
    return word


def home_place(place: str) -> str:
    """A place of hydra.searchpath with the home folder in place of ~."""
    if place.startswith("pkg://"):
        return place
    return f"file://{user_path(place.removeprefix('file://'))}"


def search_path_override(words: Words) -> list[str]:
    """All folders besides the package's own, as one override; [] if there are none."""
    folders = [str(flag_folder(v)) for name in FOLDERS for v in words.values(name)]
    places = [*(f"file://{folder}" for folder in folders), *map(home_place, search_places(words))]
    return [f"{KEY}=[{','.join(map(quoted, places))}]"] if places else []
