"""What run.json must hold: the shipped JSON Schema, and the rules between fields that a schema cannot say."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from bnbench.errors import UserError
from bnbench.records import identity
from bnbench.records.structure import Check, compile_schema, shown

SCHEMA_VERSION: int = 1

_OUTCOME_KEYS = ("diverged_at_step", "final", "spikes", "max_loss")


@cache
def load_schema() -> dict[str, Any]:
    """Return run.schema.json, the JSON Schema (draft 2020-12) of run.json."""
    text = files("bnbench.records").joinpath("run.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def validate(record: Any) -> list[str]:
    """Return every problem of a run.json that was parsed, each readable alone; none means it is a record.

    First the shape (run.schema.json), then, if that holds, the rules between fields: ids are the digests of
    ``identity``, seeds differ, each has an outcome that fits its status, and so have the rows and the error; what is
    said of diagnostics that were left out is fit to be shown.
    """
    return _shape()(record, "") or [
        *_id_problems(record),
        *_status_problems(record),
        *_seed_problems(record),
        *_diagnostics_problems(record),
    ]


@cache
def _shape() -> Check:
    return compile_schema(load_schema())


def _id_problems(record: dict[str, Any]) -> list[str]:
    try:
        cell_id, workload_id = identity.run_ids(record["identity"])
    except UserError as error:
        return [f"identity cannot be hashed: {error}"]
    return [
        f"{key} is {record[key]!r}, but its identity hashes to {value!r}"
        for key, value in (("cell_id", cell_id), ("workload_id", workload_id))
        if record[key] != value
    ]


def _status_problems(record: dict[str, Any]) -> list[str]:
    rows, status = record["rows"], record["status"]
    if status == "failed":
        return [
            *([] if record["error"] else ["error is null; a failed record says what failed"]),
            *([] if rows == 0 else [f"rows is {rows}; a failed record has none"]),
        ]
    least = len(record["seeds"])  # every seed is evaluated at step 0
    return [
        *([] if record["error"] is None else ["error is set, but status is 'finished'"]),
        *([] if rows >= least else [f"rows is {rows}; {least} seeds have at least one row each"]),
    ]


def _seed_problems(record: dict[str, Any]) -> list[str]:
    seeds = record["seeds"]
    metric = record["metric"]["name"]
    seen: set[int] = set()
    problems = []
    for index, entry in enumerate(seeds):
        if entry["seed"] in seen:
            problems.append(f"seeds[{index}].seed is {entry['seed']}, which stands in the list twice")
        seen.add(entry["seed"])
        problems += _outcome_problems(entry, f"seeds[{index}]", status=record["status"], metric=metric)
    return problems


@cache
def _label() -> Check:
    return compile_schema({**load_schema()["$defs"]["label"]})


def _diagnostics_problems(record: dict[str, Any]) -> list[str]:
    left_out = record.get("diagnostics", {}).get("left_out", {})
    return [
        problem
        for name, reason in left_out.items()
        for value in (name, reason)
        for problem in _label()(value, f"diagnostics.left_out[{shown(name)}]")
    ]


def _outcome_problems(entry: dict[str, Any], where: str, *, status: str, metric: str) -> list[str]:
    if (entry["status"] == "failed") != (status == "failed"):
        return [f"{where}.status is {entry['status']!r} in a record whose status is {status!r}"]
    if status == "failed":
        return []
    missing = [f"{where}.{key} is missing" for key in _OUTCOME_KEYS if key not in entry]
    if missing:
        return missing
    diverged = entry["status"] == "diverged"
    if diverged != (entry["diverged_at_step"] is not None):
        step = entry["diverged_at_step"]
        return [f"{where}.diverged_at_step is {step} for a seed whose status is {entry['status']!r}"]
    names = (f"val_{metric}", f"best_val_{metric}", "best_step", f"test_{metric}", "train_loss")
    return [problem for name in names for problem in _final_problem(entry["final"], name, where)]


def _final_problem(final: dict[str, Any], name: str, where: str) -> list[str]:
    if name not in final:
        return [f"{where}.final.{name} is missing"]
    value = final[name]
    # A diverged seed may have no finite value at all: then it is null, never NaN.
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return []
    return [f"{where}.final.{name} is {shown(value)}; expected number or null"]
