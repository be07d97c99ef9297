"""Read an offline run of Weights & Biases back: a LevelDB log of protocol buffers."""

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

HEADER = b":W&B"
HEADER_BYTES = 7  # LevelDB's: file identifier, magic number, version
BLOCK_BYTES = 32 * 1024
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


@dataclass
class WandbFile:
    """What one offline run holds."""

    name: str = ""
    group: str = ""
    project: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    axes: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None


def read_wandb_file(path: Path) -> WandbFile:
    """Return the run in a .wandb file."""
    found = WandbFile()
    for content in _records(path.read_bytes()):
        record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
        record.ParseFromString(content)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
            found.name, found.group, found.project = run.display_name, run.run_group, run.project
            found.tags = list(run.tags)
            found.config |= _values(run.config.update)
        elif kind == "config":
            found.config |= _values(record.config.update)
        elif kind == "metric":
            found.axes[record.metric.name or record.metric.glob_name] = record.metric.step_metric
        elif kind == "history":
            found.rows.append(_values(record.history.item))
        elif kind == "summary":
            found.summary |= _values(record.summary.update)
        elif kind == "exit":
            found.exit_code = record.exit.exit_code
    return found


def _values(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def _records(content: bytes) -> Iterator[bytes]:
    """Yield the records of a LevelDB log, checking every checksum."""
    assert content[: len(HEADER)] == HEADER
    position, parts = HEADER_BYTES, b""
    while position + HEADER_BYTES <= len(content):
        left_in_block = BLOCK_BYTES - position % BLOCK_BYTES
        if left_in_block < HEADER_BYTES:
            position += left_in_block
            continue
        checksum, length, kind = struct.unpack_from("<IHB", content, position)
        body = content[position + HEADER_BYTES : position + HEADER_BYTES + length]
        assert checksum == _checksum(kind, body)
        position += HEADER_BYTES + length
        parts = body if kind in (FULL, FIRST) else parts + body
        if kind in (FULL, LAST):
            yield parts


def _checksum(kind: int, body: bytes) -> int:
    return zlib.crc32(bytes([kind]) + body) & 0xFFFFFFFF
