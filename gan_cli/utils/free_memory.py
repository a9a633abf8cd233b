"""How much memory is free: that of the system, within the limit of a container, or of a GPU."""

import os
from collections.abc import Iterator
from pathlib import Path

import torch

MEMINFO = Path("/proc/meminfo")
GROUPS = Path("/sys/fs/cgroup")
LIMITS = (  # of a container, with what it uses: versions 2 and 1 of control groups
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)


def free_memory(device: torch.device) -> int | None:
    """Bytes that can be allocated on a device without displacing others; None if unknown."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + unused)
    found = [amount for amount in (system_memory(), container_memory()) if amount is not None]
    return min(found, default=None)


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
    """Bytes that are left of the limit of the container; None without a limit."""
    return min(container_limits(), default=None)


def container_limits() -> Iterator[int]:
    """What is left of each limit; pages of files that the system can drop count as free."""
    for limit, used, statistics in LIMITS:
        try:
            most, now = int((GROUPS / limit).read_text()), int((GROUPS / used).read_text())
            lines = (GROUPS / statistics).read_text().splitlines()
            cached = dict(line.split()[:2] for line in lines).get("inactive_file", "0")
            yield max(0, most - now + int(cached))
        except (OSError, ValueError):  # no such file, or "max"
            continue
