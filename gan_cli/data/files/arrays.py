"""Reads NumPy archives that may be damaged or hostile."""

import math
import zipfile
from pathlib import Path
from tokenize import TokenError

import numpy as np

from gan_cli.data.files.zip_members import DAMAGE, check_bomb, unreadable
from gan_cli.utils.errors import ConfigError
from gan_cli.utils.storage import binary_size
from gan_cli.utils.text import said

HEADERS = {  # versions of the npy format that hold numbers and text
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

BAD_HEADER = (SyntaxError, TokenError, TypeError, RecursionError)  # NumPy reads it as Python


def read_npz(path: Path, where: str) -> dict[str, np.ndarray]:
    """Returns all arrays of a file; ConfigError, with the key `where`, if it is damaged.

    Each array must have the size that its header declares, before memory is allocated for it.
    """
    name = ""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            if fault := unreadable(members):
                raise ValueError(fault)
            arrays: dict[str, np.ndarray] = {}
            for info in members:
                name = info.filename.removesuffix(".npy")
                if name in arrays:
                    raise ValueError("it is there twice")
                arrays[name] = read_array(archive, info)
            return arrays
    except (*DAMAGE, *BAD_HEADER) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or said(error)
        array = f"array {name}: " if name else ""
        raise ConfigError(f"{where}: {path} is not an intact npz file ({array}{reason})") from None


def read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """One array; ValueError if its header does not fit its size."""
    check_bomb(info)
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        if version not in HEADERS:
            raise ValueError(f"it has version {version[0]}.{version[1]} of the npy format")
        shape, _, dtype = HEADERS[version](file)
        if dtype.hasobject:
            raise ValueError("it holds Python objects, not numbers")
        declared, held = math.prod(shape) * dtype.itemsize, info.file_size - file.tell()
    if declared != held or min(shape, default=0) < 0:
        raise ValueError(
            f"its shape {shape} needs {binary_size(declared)}, and there are {binary_size(held)}"
        )
    with archive.open(info) as file:
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
        file.read(1)  # at the end, zipfile compares the checksum
    return array
