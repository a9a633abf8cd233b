"""Which checkpoint is meant by the name of a run, a folder or a file.

Imports torch only to open one: a misspelt name is reported before that.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from gan_cli.utils.errors import ConfigError, StorageError
from gan_cli.utils.paths import user_path
from gan_cli.utils.text import unknown

if TYPE_CHECKING:
    from gan_cli.checkpoints.contents import Checkpoint

OUTPUTS = Path("outputs")


class Source(Protocol):
    """The keys of a command that choose a checkpoint."""

    @property
    def checkpoint(self) -> str | None: ...  # a file
    @property
    def which(self) -> Any: ...  # "latest", "best" or a step of a run


def known_runs() -> list[str]:
    """Names of the runs in ./outputs, the newest first."""
    folders = {file.parent.parent for file in OUTPUTS.glob("**/checkpoints/*.pt")}
    newest = sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)
    return [str(folder.relative_to(OUTPUTS)) for folder in newest]


def newest_runs(count: int = 5) -> str:
    """Names of the newest runs, for messages."""
    return ", ".join(known_runs()[:count]) or "none in ./outputs"


def run_folder(run: str, where: str = "run") -> Path:
    """The folder outputs/`run`, or `run` itself if that is a run's folder.

    Raises ConfigError, with the nearest name, if neither has checkpoints; `where` is the key at
    fault.
    """
    for folder in (OUTPUTS / run, expanded(run)):
        if entry_exists(folder / "checkpoints"):
            return folder
    raise ConfigError(f"{where}: {unknown('run', run, known_runs())} (in ./outputs)")


def expanded(name: str) -> Path:
    """The path `name`, with a leading ~ replaced if there is such a user."""
    try:
        return user_path(name)
    except RuntimeError:  # no such user
        return Path(name)


def entry_exists(path: Path) -> bool:
    """Whether there is such a file or folder; StorageError if its folder may not be read."""
    try:
        return path.exists()
    except PermissionError as error:
        raise StorageError(f"{path.parent} cannot be read ({error.strerror})") from error
    except OSError:  # no path, such as a name that is too long
        return False


def find(reference: str, where: str = "checkpoint") -> "Checkpoint":
    """The checkpoint file `reference`, or the newest checkpoint of the run of that name or folder.

    Raises ConfigError, with the key `where`, if there is none, and StorageError if it cannot be
    read.
    """
    from gan_cli.checkpoints.contents import Checkpoint

    file = expanded(reference)
    if entry_exists(file) and file.is_file():
        return Checkpoint.load(file)
    try:
        folder = run_folder(reference, where)
    except ConfigError as error:
        raise ConfigError(f"{error}; there is no such file either") from None
    return latest(folder, where)


def latest(folder: Path, where: str = "run") -> "Checkpoint":
    """The newest sound checkpoint of the run in `folder`; ConfigError if it has none yet."""
    found = newest(folder)
    if found is None:
        raise ConfigError(
            f"{where}: {folder} has no checkpoint yet; every.checkpoint sets when one is written"
        )
    return found


def newest(folder: Path) -> "Checkpoint | None":
    """The newest sound checkpoint of the run in `folder`, None if it has none yet."""
    from gan_cli.checkpoints.contents import Checkpoint
    from gan_cli.checkpoints.files import Checkpoints

    found = Checkpoints(folder / "checkpoints").newest()
    return None if found is None else Checkpoint.from_state(found[1], found[0])


def opened(source: Source, run: Path | None) -> "Checkpoint":
    """The checkpoint that a command asks for: of the run in the folder `run`, or else a file."""
    from gan_cli.checkpoints.contents import Checkpoint
    from gan_cli.checkpoints.files import Checkpoints

    if run is None:
        return Checkpoint.load(expanded(str(source.checkpoint)))
    if source.which == "latest":
        return latest(run)
    checkpoints = Checkpoints(run / "checkpoints")
    path = checkpoints.best if source.which == "best" else checkpoints.path(source.which)
    if not path.exists():
        steps = ", ".join(map(str, checkpoints.steps()))
        raise ConfigError(f"which: there is no {path}; type which=latest, or a step of: {steps}")
    return Checkpoint.load(path)
