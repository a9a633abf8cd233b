"""Names of files in folders, archives and lists: which are data, and what is the same name."""

import posixpath

# Folders of thumbnails, deleted files and the like, which systems add; in lower case.
SYSTEM_FOLDERS = frozenset(
    {"__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"}
)


def plain_name(name: str) -> str:
    """A name without "./", "//" and "..", with forward slashes.

    Some programs write backslashes into archives and lists.
    """
    return posixpath.normpath("/" + name.replace("\\", "/")).lstrip("/")


def hidden(name: str) -> bool:
    """Whether a file or folder of this name is no data."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS
