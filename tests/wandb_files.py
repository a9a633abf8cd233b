"""Reads the file that Weights & Biases writes offline: records in the log format of LevelDB."""

import json
import struct
from pathlib import Path
from typing import Any

BLOCK = 32768


def payloads(content: bytes) -> list[bytes]:
    """The records; the end may be torn, as by a kill."""
    found, part, at = [], b"", 7  # behind the identification of the file
    while at + 7 <= len(content):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        part += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or its last part
            found.append(part)
            part = b""
    return found


def records(folder: Path) -> list[Any]:
    """The records of all sessions of a run, in the order of time."""
    from wandb.proto.wandb_internal_pb2 import Record

    files = sorted(folder.glob("offline-run-*/*.wandb"))
    return [Record.FromString(p) for file in files for p in payloads(file.read_bytes())]


def history(folder: Path) -> list[dict[str, Any]]:
    """The logged steps, as dictionaries of values."""
    rows = (r.history for r in records(folder) if r.WhichOneof("record_type") == "history")
    return [
        {i.key or ".".join(i.nested_key): json.loads(i.value_json) for i in row.item}
        for row in rows
    ]


def run_ids(folder: Path) -> set[str]:
    return {r.run.run_id for r in records(folder) if r.WhichOneof("record_type") == "run"}


def settings(folder: Path) -> dict[str, Any]:
    """The config of the first session."""
    run = next(r.run for r in records(folder) if r.WhichOneof("record_type") == "run")
    return {i.key: json.loads(i.value_json) for i in run.config.update}


def summary(folder: Path) -> dict[str, Any]:
    """The values that stand for the whole run."""
    found = {}
    for record in records(folder):
        if record.WhichOneof("record_type") == "summary":
            for item in record.summary.update:
                found[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
    return found
