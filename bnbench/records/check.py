"""Reading one record folder without trusting it: a Record that is sound, or what is wrong with it."""

import json
import stat
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bnbench.records import schema
from bnbench.records.checkpoint import CheckpointHead, read_head
from bnbench.records.layout import DIAGNOSTICS_FILE, HISTORY_FILE, RUN_FILE
from bnbench.records.record import Record, Skipped
from bnbench.records.sums import SUMS_FILE, mismatch, read_sums, sha256

MAX_JSON_BYTES = 64 * 2**20
"""A longer run.json is refused unread: one of 1,024 seeds takes about half a megabyte."""

# A longer integer is larger than every float: no number of a record is, and reading one takes quadratic time.
_MAX_DIGITS = 309

# SHA-256 of every run.json that was found to be a record in this process, and beside it of the history that fits it:
# a sweep reads its records three times and more, and the same bytes give the same answer. Files are read each time.
_SOUND_RUNS: set[str] = set()
_SOUND_HISTORIES: set[tuple[str, str]] = set()


def read_record(folder: Path, *, check_history: bool = True) -> Record | Skipped:
    """Return the record in a folder, or why it does not count; never raises for what a file holds.

    With ``check_history`` the whole history is read: its page checksums, columns, row count, seeds and steps.
    """
    content = _content(folder / RUN_FILE)
    if content is None:
        return Skipped(folder, f"unfinished: {_how_left(folder)}", unfinished=True)
    if isinstance(content, str):
        return Skipped(folder, content)
    digest = sha256(content)
    raw = _run_of(content, digest)
    if isinstance(raw, str):
        return Skipped(folder, raw)
    sums = read_sums(folder)
    record = Record.from_raw(folder, raw, sums=sums if isinstance(sums, dict) else {})
    if check_history and record.status == "finished" and (problem := _history_problem(record, digest)):
        return Skipped(folder, f"unfinished: {problem}", unfinished=True)
    # last: what can be named more closely has been
    if problem := sums if isinstance(sums, str) else _sums_problem(record, sums, digest):
        return Skipped(folder, problem)
    return record


def _how_left(folder: Path) -> str:
    head = read_head(folder)
    return head.told if isinstance(head, CheckpointHead) else "no run.json (killed, or still training)"


def _run_of(content: bytes, digest: str) -> dict[str, Any] | str:
    """Return the content of run.json, or why it is no record."""
    if digest in _SOUND_RUNS:
        known: dict[str, Any] = json.loads(content.decode())
        return known
    raw = parse_json(content)
    if isinstance(raw, str):
        return f"{RUN_FILE} {raw}"
    version = raw.get("schema_version")
    if isinstance(version, int) and version > schema.SCHEMA_VERSION:
        return (
            f"run.json has schema_version {version}, this bnbench reads up to {schema.SCHEMA_VERSION}: written by a "
            "newer bnbench; upgrade to read it"
        )
    if problems := schema.validate(raw):
        more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
        return f"run.json is not a record: {problems[0]}{more}"
    _SOUND_RUNS.add(digest)
    return raw


def _history_problem(record: Record, digest: str) -> str:
    """Return what is wrong with the history of a finished record whose run.json has this SHA-256, "" if nothing is."""
    both = (digest, record.history_sha256 or "")
    if both in _SOUND_HISTORIES and record.has_history():
        return ""
    table = record.read_table()
    if table == mismatch(HISTORY_FILE):  # perhaps it can be said more closely
        unchecked = replace(record, history_sha256=None).read_table()
        return (unchecked if isinstance(unchecked, str) else rows_problem(record, unchecked)) or mismatch(HISTORY_FILE)
    problem = table if isinstance(table, str) else rows_problem(record, table)
    if record.history_sha256 and not problem:
        _SOUND_HISTORIES.add(both)
    return problem


def _sums_problem(record: Record, sums: dict[str, str] | None, digest: str) -> str:
    if sums is None:
        return ""
    finished = record.status == "finished"
    if (HISTORY_FILE in sums, DIAGNOSTICS_FILE in sums) != (finished, finished and record.diagnostics is not None):
        return f"{SUMS_FILE} lists {' and '.join(sorted(sums))}, which is not what a {record.status} record holds"
    return "" if sums[RUN_FILE] == digest else mismatch(RUN_FILE)


def read_json(path: Path) -> dict[str, Any] | str | None:
    """Return the object in a JSON file, what is wrong with the file, or None if there is none; see ``parse_json``."""
    content = _content(path)
    if content is None or isinstance(content, str):
        return content
    value = parse_json(content)
    return f"{path.name} {value}" if isinstance(value, str) else value


def _content(path: Path) -> bytes | str | None:
    """Return the bytes of a plain file of bearable size, what is wrong with it, or None if there is none."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a named pipe would wait for ever
            return f"{path.name} is not a plain file"
        if status.st_size > MAX_JSON_BYTES:
            return f"{path.name} has {status.st_size} bytes; at most {MAX_JSON_BYTES} are read"
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path.name} cannot be read ({error.strerror})"


def parse_json(content: bytes) -> dict[str, Any] | str:
    """Return the object that UTF-8 JSON holds, or what is wrong with it.

    Stricter than JSON, since a stranger may have written it: no NaN or infinity, no number that overflows a float, no
    text that could not be printed.
    """
    try:
        text = content.decode()
        value = json.loads(text, parse_float=_finite, parse_int=_bounded, parse_constant=_refused)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair would fail at the first print
    except RecursionError:
        return "is not valid JSON: nested too deep"
    except ValueError as error:  # JSONDecodeError and UnicodeError are ValueErrors
        return f"is not valid JSON: {error}"
    return value if isinstance(value, dict) else f"holds a {type(value).__name__}; expected an object"


def rows_problem(record: Record, table: pa.Table) -> str:
    """Return how the rows of a history disagree with a finished record's run.json, "" if they do not.

    Every seed has its row at step 0, each (seed, step) stands once, and no row lies at or beyond a divergence.
    """
    if any(table.column(name).null_count for name in ("seed", "step", "samples")):
        return f"{HISTORY_FILE} has rows without a seed, step or number of samples"
    seeds, steps = table.column("seed").to_numpy(), table.column("step").to_numpy()
    order = np.lexsort((steps, seeds))
    seeds, steps = seeds[order], steps[order]
    same_seed = seeds[1:] == seeds[:-1]
    first = np.concatenate([[True], ~same_seed])  # the earliest row of each seed
    found, listed = seeds[first].tolist(), sorted(entry["seed"] for entry in record.seeds)
    if found != listed:
        return f"{HISTORY_FILE} holds the seeds {_few(found)}, run.json {_few(listed)}"
    if steps[first].any():
        return f"{HISTORY_FILE} has no row at step 0 for seed {seeds[first][steps[first] != 0][0]}"
    if (same_seed & (steps[1:] == steps[:-1])).any():
        return f"{HISTORY_FILE} holds two rows of one seed and step"
    return _divergence_problem(record, seeds, steps)


def _divergence_problem(record: Record, seeds: npt.NDArray[np.int64], steps: npt.NDArray[np.int64]) -> str:
    for entry in record.seeds:
        died = entry["diverged_at_step"]
        # The row at step 0 stands whatever happens: it was evaluated before the first update.
        if died is not None and bool(np.any((seeds == entry["seed"]) & (steps >= max(died, 1)))):
            return f"{HISTORY_FILE} has rows of seed {entry['seed']} after its divergence at step {died}"
    return ""


def _few(values: list[int]) -> str:
    shown = ", ".join(str(value) for value in values[:8])
    return f"{shown}, ... ({len(values)} in all)" if len(values) > 8 else shown


def _finite(text: str) -> float:
    if not isfinite(value := float(text)):
        raise ValueError(f"{text[:20]} is larger than any float")
    return value


def _bounded(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"an integer of {len(text)} digits; at most {_MAX_DIGITS} are read")
    return int(text)


def _refused(text: str) -> None:
    raise ValueError(f"{text} is not JSON; a number that is not finite is written as null")
