"""How much memory is free: that of the system, within the limit of a container, or of a GPU."""

import os
from collections.abc import Iterator
from pathlib import Path

import torch

from gan_cli.utils.errors import OutOfMemoryError
from gan_cli.utils.memory import as_size

CPU = torch.device("cpu")
MEMINFO = Path("/proc/meminfo")
GROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")
LIMITS = {  # of a control group, with what it uses: versions 2 and 1
    "": ("", "memory.max", "memory.current"),
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
}


def free_memory(device: torch.device) -> int | None:
    """Bytes that can be allocated on a device without displacing others; None if unknown."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + unused)
    found = [amount for amount in (system_memory(), container_memory()) if amount is not None]
    return min(found, default=None)


def check_free(size: float, device: torch.device, what: str, advice: str) -> None:
    """Raises OutOfMemoryError if `size` bytes, which `what` takes, are more than is free."""
    free = free_memory(device)
    if free is not None and size > free:
        raise OutOfMemoryError(
            f"{what} takes about {as_size(size)} of memory on {device.type}, and {as_size(free)} "
            f"are free; {advice}"
        )


def system_memory() -> int | None:
    """Bytes that the system can give; where it does not say, all that it has."""
    try:
        lines = MEMINFO.read_text().splitlines()
        sizes = {name: value.split()[0] for name, _, value in (li.partition(":") for li in lines)}
        return int(sizes["MemAvailable"]) * 1024
    except (OSError, LookupError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def container_memory() -> int | None:
    """Bytes that are left of the limit of the container, or of the groups of this process."""
    return min(limits_left(), default=None)


def limits_left() -> Iterator[int]:
    """What is left of each limit; pages of files that the system can drop count as free."""
    for folder, limit, used in groups():
        try:
            most, now = int((folder / limit).read_text()), int((folder / used).read_text())
            lines = (folder / "memory.stat").read_text().splitlines()
            cached = dict(line.split()[:2] for line in lines).get("inactive_file", "0")
            yield max(0, most - now + int(cached))
        except (OSError, ValueError):  # no such file, or "max"
            continue


def groups() -> Iterator[tuple[Path, str, str]]:
    """The control groups of this process and all above them, with the names of their files."""
    try:
        own = [line.split(":", 2)[1:] for line in OWN_GROUP.read_text().splitlines()]
    except OSError:
        own = []
    paths = {name: Path(path) for names, path in own for name in names.split(",")}
    for name, (folder, limit, used) in LIMITS.items():
        path = paths.get(name, Path("/"))
        for group in (path, *path.parents):
            yield GROUPS / folder / group.relative_to("/"), limit, used
