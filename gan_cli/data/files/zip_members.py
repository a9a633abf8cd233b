"""Reads files of zip archives that may be damaged or hostile, within bounds.

What an archive says of itself is checked before anything is unpacked, and no more is unpacked than
it says: a bomb of a few MB would otherwise fill the memory.
"""

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterable
from typing import IO

from gan_cli.utils.storage import binary_size

READABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA}
SMALL_READS = 4096  # bytes at a time for LZMA, of which zipfile unpacks all that it has read
LARGEST = 256 * 2**20  # bytes of an image or a list of labels
RATIO = 500  # of sizes, from which a large file is a bomb; deflate ends at 1032
ENCRYPTED = 0x1

# What zipfile and its decompressors raise for damaged archives.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError, LookupError, OverflowError, MemoryError),
)


def unreadable(members: Iterable[zipfile.ZipInfo]) -> str | None:
    """Why the members of an archive cannot be read, None if nothing in its index says so."""
    for info in members:
        if info.flag_bits & ENCRYPTED:
            return f"{info.filename} is encrypted"
        if info.compress_type not in READABLE:
            return f"{info.filename} is compressed by method {info.compress_type}, not by deflate"
    return None


def check_bomb(info: zipfile.ZipInfo) -> None:
    """ValueError if a member claims to become far larger than files of data do."""
    if info.file_size > max(LARGEST, RATIO * info.compress_size):
        raise ValueError(
            f"it would unpack from {binary_size(info.compress_size)} to "
            f"{binary_size(info.file_size)}, as only damaged or malicious archives do"
        )


def check_size(size: int) -> None:
    """ValueError if a file is larger than images and lists of labels are."""
    if size > LARGEST:
        raise ValueError(f"it has {binary_size(size)}, and at most {binary_size(LARGEST)} are read")


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """The content of an image or a list; raises one of DAMAGE."""
    info = archive.getinfo(name)
    check_size(info.file_size)
    with archive.open(info) as file:
        content = read_exactly(file, info)
    if len(content) != info.file_size:
        raise EOFError(f"it ends after {len(content)} of {info.file_size} bytes")
    return content


def read_exactly(file: IO[bytes], info: zipfile.ZipInfo) -> bytes:
    """At most as many bytes as the index says; zipfile compares their checksum."""
    if info.compress_type != zipfile.ZIP_LZMA:
        return file.read(info.file_size)
    parts = []
    while part := file.read(SMALL_READS):
        parts.append(part)
    return b"".join(parts)
