"""Locks on files, which end with the process that holds them."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gan_cli.utils.storage import storage_errors

log = logging.getLogger("gan_cli")
held: set[int] = set()  # descriptors of locks that last, such as that of a run folder


def lock(handle: int, wait: bool = False) -> bool:
    """Locks an open file until it is closed; False if another process has it locked."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # also where a file system has no locks
        return False
    return True


@contextmanager
def locked_file(path: Path) -> Iterator[bool]:
    """Creates a file and locks it in this context; the value is False if another process has it.

    The content stays, since `path` may be a link to another file. Where the file system has no
    locks, a warning is logged and the value is True.
    """
    with storage_errors(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    held.add(handle)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except BlockingIOError:
            free = False
        except OSError as error:
            free = True
            log.warning(
                "%s cannot be locked (%s); make sure that no other process uses %s",
                *(path, error.strerror or error, path.parent),
            )
        yield free
    finally:
        held.discard(handle)
        os.close(handle)


@contextmanager
def waiting_lock(path: Path, message: str) -> Iterator[None]:
    """Creates a file and locks it in this context; logs `message` if it has to wait for it."""
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    held.add(handle)
    try:
        if not lock(handle):
            log.warning(message)
            lock(handle, wait=True)
        yield
    finally:
        held.discard(handle)
        os.close(handle)


def leave_locks_to_parent() -> None:
    """Closes inherited locks in a forked process, which would hold them after its parent's end."""
    for handle in held:
        os.close(handle)
    held.clear()


os.register_at_fork(after_in_child=leave_locks_to_parent)
