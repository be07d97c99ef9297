"""Ways in which a record on the disk may be damaged or hostile, each drawing what it needs from one generator."""

import json
import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Generator = np.random.Generator
Mutation = Callable[[Path, Generator], None]
HOSTILE_NAMES = (
    "../../../etc/passwd",
    "/etc/passwd",
    "..",
    "a/b",
    "\x1b[2J\x1b]0;title\x07",
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "x" * 100_000,
    "",
    "batch\nnone",
    "[bold red]none[/]",
    "| a | b |",
    "=cmd|' /C calc'!A0",
)
NUMBERS = (
    "1e400",
    "-1e400",
    str(2**70),
    str(-(2**70)),
    "9" * 400,
    "1e308",
    "-1",
    "0.5",
    "NaN",
    "Infinity",
    "-Infinity",
)
WRONG = (None, True, -1, 0, 10**30, "text", [], {}, [[1]], {"a": 1}, 1e308, 0.5)


def truncate(name: str) -> Mutation:
    def mutate(folder: Path, stream: Generator) -> None:
        path = folder / name
        os.truncate(path, int(stream.integers(0, path.stat().st_size)))

    return mutate


def truncate_behind(character: bytes) -> Mutation:
    def mutate(folder: Path, stream: Generator) -> None:
        path = folder / "run.json"
        places = [place for place, byte in enumerate(path.read_bytes()) if byte == character[0]]
        os.truncate(path, int(stream.choice(places)) + 1)

    return mutate


def flip_bit(name: str) -> Mutation:
    def mutate(folder: Path, stream: Generator) -> None:
        content = bytearray((folder / name).read_bytes())
        content[int(stream.integers(len(content)))] ^= 1 << int(stream.integers(8))
        (folder / name).write_bytes(bytes(content))

    return mutate


def flip_digit(folder: Path, stream: Generator) -> None:
    """Another digit for one digit: valid JSON, and usually a valid record, with another number."""
    content = bytearray((folder / "run.json").read_bytes())
    place = int(stream.choice([place for place, byte in enumerate(content) if 48 <= byte < 58]))
    content[place] = 48 + (content[place] - 48 + int(stream.integers(1, 10))) % 10
    (folder / "run.json").write_bytes(bytes(content))


def replace(name: str, content: bytes) -> Mutation:
    return lambda folder, _: (folder / name).write_bytes(content) and None


def recode(prefix: bytes, encoding: str) -> Mutation:
    def mutate(folder: Path, stream: Generator) -> None:
        path = folder / "run.json"
        path.write_bytes(prefix + path.read_text().encode(encoding))

    return mutate


def edit(change: Callable[[dict[str, Any], Generator], None]) -> Mutation:
    """Change the parsed run.json."""

    def mutate(folder: Path, stream: Generator) -> None:
        record = json.loads((folder / "run.json").read_text())
        change(record, stream)
        (folder / "run.json").write_text(json.dumps(record))

    return mutate


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) within a value of JSON."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in inside for found in ((value, key), *places(item))]


def wrong_type(record: dict[str, Any], stream: Generator) -> None:
    found = places(record)
    container, key = found[int(stream.integers(len(found)))]
    container[key] = WRONG[int(stream.integers(len(WRONG)))]


def remove_key(record: dict[str, Any], stream: Generator) -> None:
    found = [(container, key) for container, key in places(record) if isinstance(container, dict)]
    container, key = found[int(stream.integers(len(found)))]
    del container[key]


def hostile_name(record: dict[str, Any], stream: Generator) -> None:
    key = str(stream.choice(["entry", "norm", "dataset", "workload", "experiments", "metric"]))
    name = HOSTILE_NAMES[int(stream.integers(len(HOSTILE_NAMES)))]
    record[key] = [name] if key == "experiments" else record[key] | {"name": name} if key == "metric" else name


def other_seeds(record: dict[str, Any], stream: Generator) -> None:
    entry = record["seeds"][int(stream.integers(len(record["seeds"])))]
    entry["seed"] = int(stream.choice([entry["seed"] + 100, 2**63 - 1, record["seeds"][0]["seed"]]))


def rewrite_number(folder: Path, stream: Generator) -> None:
    """One number of run.json as text that JSON, or a float, does not have."""
    lines = (folder / "run.json").read_text().splitlines()
    numbered = [place for place, line in enumerate(lines) if line.rstrip(",")[-1:].isdigit() and '": ' in line]
    place = int(stream.choice(numbered))
    comma = "," if lines[place].endswith(",") else ""
    key = lines[place].partition(": ")[0]
    lines[place] = f"{key}: {NUMBERS[int(stream.integers(len(NUMBERS)))]}{comma}"
    (folder / "run.json").write_text("\n".join(lines))


def double_key(folder: Path, stream: Generator) -> None:
    """One of the keys twice, with another value: which of the two counts?"""
    record = json.loads((folder / "run.json").read_text())
    key = str(stream.choice(sorted(record)))
    first = json.dumps({key: WRONG[int(stream.integers(len(WRONG)))]})[:-1]
    (folder / "run.json").write_text(f"{first}, {json.dumps(record)[1:]}")


def nest(folder: Path, stream: Generator) -> None:
    text = (folder / "run.json").read_text()
    depth = 10 ** int(stream.integers(3, 6))
    (folder / "run.json").write_text(
        text.replace('"environment": {', f'"environment": {{"x": {"[" * depth}{"]" * depth},')
    )


def rows(change: Callable[[pa.Table, Generator], pa.Table]) -> Mutation:
    """Change the table of history.parquet."""

    def mutate(folder: Path, stream: Generator) -> None:
        path = folder / "history.parquet"
        pq.write_table(change(pq.read_table(path), stream), path, write_page_checksum=True)

    return mutate


def shuffled(table: pa.Table, stream: Generator) -> pa.Table:
    return table.take(stream.permutation(table.num_rows))


def one_value(table: pa.Table, stream: Generator) -> pa.Table:
    """One value of one column becomes another."""
    column = int(stream.integers(table.num_columns))
    values = table.column(column).to_pylist()
    kind = table.schema.field(column).type
    other = [None, -1, 10**12, 7] if pa.types.is_integer(kind) else [None, float("inf"), float("nan"), -1e308, 0.5]
    values[int(stream.integers(len(values)))] = other[int(stream.integers(len(other)))]
    return table.set_column(column, table.schema.field(column), pa.array(values, type=kind))


def other_columns(table: pa.Table, stream: Generator) -> pa.Table:
    column = int(stream.integers(table.num_columns))
    name = table.column_names[column]
    changes: list[Callable[[], pa.Table]] = [
        lambda: table.drop_columns([name]),
        lambda: table.rename_columns([f"{each}x" if each == name else each for each in table.column_names]),
        lambda: table.set_column(column, name, table.column(name).cast(pa.string())),
        lambda: table.append_column("more", table.column(name)),
        lambda: table.select(table.column_names[::-1]),
    ]
    return changes[int(stream.integers(len(changes)))]()


def in_place_of(name: str, what: str) -> Mutation:
    """A folder, a link or a pipe where a file should lie; a link leads to a file outside or to another record's."""

    def mutate(folder: Path, stream: Generator) -> None:
        path = folder / name
        path.unlink()
        if what == "folder":
            path.mkdir()
        elif what == "pipe":
            os.mkfifo(path)
        elif what == "itself":
            path.symlink_to(path)
        elif what == "device":
            path.symlink_to("/dev/zero")
        elif what == "outside":
            path.symlink_to("/etc/passwd")
        else:
            others = [other for other in folder.parent.parent.glob(f"*/*/{name}") if other.parent != folder]
            path.symlink_to(sorted(others)[int(stream.integers(len(others)))])

    return mutate


def another_record(folder: Path, stream: Generator) -> None:
    """The whole folder becomes a link to that of another record."""
    others = sorted(other for other in folder.parent.parent.glob("*/seeds-*") if other != folder)
    shutil.rmtree(folder)
    folder.symlink_to(others[int(stream.integers(len(others)))])


def renamed(name: str) -> Mutation:
    return lambda folder, _: folder.rename(folder.with_name(name)) and None


def _compressed() -> bytes:
    return zlib.compress(b"0" * 10**7)


# How often each is drawn: 200 in all.
DAMAGES: tuple[tuple[str, Mutation, int], ...] = (
    ("run.json truncated", truncate("run.json"), 14),
    *((f"run.json ends behind {mark!r}", truncate_behind(mark.encode()), 2) for mark in '{[:,"}]'),
    ("run.json bit flipped", flip_bit("run.json"), 30),
    ("run.json another digit", flip_digit, 20),
    ("run.json another number", rewrite_number, 14),
    ("run.json wrong type", edit(wrong_type), 16),
    ("run.json key removed", edit(remove_key), 6),
    ("run.json key twice", double_key, 5),
    ("run.json hostile name", edit(hostile_name), 12),
    ("run.json other seeds", edit(other_seeds), 3),
    ("run.json nested", nest, 2),
    ("run.json empty", replace("run.json", b""), 1),
    ("run.json zeros", replace("run.json", b"\0" * 4096), 1),
    ("run.json null", replace("run.json", b"null"), 1),
    ("run.json compressed", replace("run.json", _compressed()), 1),
    ("run.json with a byte order mark", recode(b"\xef\xbb\xbf", "utf-8"), 1),
    ("run.json in UTF-16", recode(b"", "utf-16"), 1),
    ("history truncated", truncate("history.parquet"), 10),
    ("history bit flipped", flip_bit("history.parquet"), 24),
    ("history shuffled", rows(shuffled), 1),
    ("history doubled", rows(lambda table, _: pa.concat_tables([table, table])), 1),
    ("history without its last row", rows(lambda table, _: table.slice(0, table.num_rows - 1)), 1),
    ("history without rows", rows(lambda table, _: table.slice(0, 0)), 1),
    ("history another value", rows(one_value), 4),
    ("history other columns", rows(other_columns), 3),
    ("history empty", replace("history.parquet", b""), 1),
    ("checksums bit flipped", flip_bit("SHA256SUMS"), 6),
    ("checksums truncated", truncate("SHA256SUMS"), 2),
    *(
        (f"{name}: {what} in its place", in_place_of(name, what), 1)
        for name in ("run.json", "history.parquet", "SHA256SUMS")
        for what in ("folder", "pipe", "itself", "device", "outside", "another record's")
    ),
    ("a link to another record", another_record, 1),
    ("folder renamed", renamed("seeds-..-x"), 1),
)
# With checksums that fit, as a stranger would write them: nothing can tell such a record from one that was trained.
CONSISTENT: tuple[tuple[str, Mutation, int], ...] = (
    ("run.json another digit", flip_digit, 10),
    ("run.json another number", rewrite_number, 12),
    ("run.json wrong type", edit(wrong_type), 16),
    ("run.json key removed", edit(remove_key), 5),
    ("run.json hostile name", edit(hostile_name), 16),
    ("run.json other seeds", edit(other_seeds), 3),
    ("history shuffled", rows(shuffled), 1),
    ("history doubled", rows(lambda table, _: pa.concat_tables([table, table])), 1),
    ("history another value", rows(one_value), 12),
    ("history other columns", rows(other_columns), 4),
)
