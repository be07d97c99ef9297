"""What entries cost, as measured: RUNS_DIR/costs/<hash>.json, written whole and read without trust."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from bnbench.records import atomic
from bnbench.records.check import read_json
from bnbench.records.identity import digest
from bnbench.records.layout import COSTS_FOLDER
from bnbench.records.record import Skipped
from bnbench.records.structure import Check, compile_schema

COSTS_VERSION: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredCost:
    """What one entry costs in one workload, alone on one machine.

    `step_seconds`: one training step of one replica; `inference_seconds`: one batch in evaluation mode;
    `peak_memory_bytes`: the most memory at any moment of a step. `relative_…`: beside `none` in the same measurement.
    `measured_at` is ISO 8601 in UTC. `identity` is that of the entry in its records, with the version of the norm.
    """

    entry: str
    norm: str
    cell_ids: frozenset[str]
    step_seconds: float
    inference_seconds: float
    peak_memory_bytes: int | None
    parameters: int
    relative_step: float | None
    relative_inference: float | None
    relative_memory: float | None
    relative_parameters: float | None
    hardware: str
    measured_at: str
    identity: Mapping[str, Any] | None
    workload: Mapping[str, Any]
    path: Path


@dataclass(frozen=True)
class Costs:
    """The measurements found under some folders, and the files that do not count.

    Of several measurements of one entry in one workload on one hardware the newest counts; hardware is never mixed.
    """

    skipped: tuple[Skipped, ...] = ()
    # workload_id → hardware → measurements, the newest first
    measured: Mapping[str, Mapping[str, Sequence[MeasuredCost]]] = field(default_factory=dict)

    def of(
        self, workload_id: str, entry: str, cell_id: str | None = None, *, hardware: str | None = None
    ) -> MeasuredCost | None:
        """Return what an entry costs in a workload, or None where that was not measured.

        With `cell_id` only a measurement of that very cell counts: a norm may have changed and kept its name. Without
        `hardware` it is the first of `hardware_of`, so that all entries of a workload are told on the same.
        """
        chosen = next(iter(self.hardware_of(workload_id)), None) if hardware is None else hardware
        found = self.measured.get(workload_id, {}).get(chosen or "", ())
        return next((cost for cost in found if _is_of(cost, entry, cell_id)), None)

    def hardware_of(self, workload_id: str) -> tuple[str, ...]:
        """Return on what a workload was measured: the one with most entries first, among equals the last used."""
        held = self.measured.get(workload_id, {})

        def coverage(text: str) -> tuple[int, str, str]:
            return len({cost.entry for cost in held[text]}), held[text][0].measured_at, text

        return tuple(sorted(held, key=coverage, reverse=True))


def _is_of(cost: MeasuredCost, entry: str, cell_id: str | None) -> bool:
    return cost.entry == entry and (cell_id is None or cell_id in cost.cell_ids)


def load_costs(*runs_dirs: Path | str) -> Costs:
    """Return the costs measured under these folders; a file that is damaged is named, and costs no other.

    A folder without costs, or one that is not there, holds none.
    """
    skipped: list[Skipped] = []
    found: dict[str, dict[str, list[MeasuredCost]]] = {}
    for path in dict.fromkeys(path for folder in runs_dirs for path in _cost_files(Path(folder) / COSTS_FOLDER)):
        content = read_costs(path)
        if isinstance(content, str):
            skipped.append(Skipped(path, content))
            continue
        for workload_id in content["workload_ids"]:
            by_hardware = found.setdefault(workload_id, {})
            by_hardware.setdefault(content["hardware"]["text"], []).extend(_entries(content, path))
    for by_hardware in found.values():
        for costs in by_hardware.values():
            costs.sort(key=lambda cost: (cost.measured_at, cost.path.name), reverse=True)
    return Costs(tuple(skipped), found)


def read_costs(path: Path) -> dict[str, Any] | str:
    """Return what a cost file holds, or why it does not count."""
    content = read_json(path)
    if content is None:
        return f"{path.name} is gone"
    if isinstance(content, str):
        return content
    version = content.get("schema_version")
    if isinstance(version, int) and version > COSTS_VERSION:
        return (
            f"schema_version {version}, this bnbench reads up to {COSTS_VERSION}: written by a newer bnbench; upgrade "
            "to read it"
        )
    problems = _shape()(content, "")
    more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
    return f"not a file of costs: {problems[0]}{more}" if problems else content


def write_costs(runs_dir: Path | str, content: Mapping[str, Any]) -> Path:
    """Write what was measured together to RUNS_DIR/costs and return its path; the same again is the same file.

    Raises UserError where it cannot be written, and ValueError for what `read_costs` would not read.
    """
    complete = {"schema_version": COSTS_VERSION, **content}
    if problems := _shape()(complete, ""):
        raise ValueError(f"not a file of costs: {problems[0]}")
    path = Path(runs_dir) / COSTS_FOLDER / f"{digest(complete)}.json"
    atomic.make_folder(path.parent)
    text = json.dumps(complete, indent=1, ensure_ascii=False, allow_nan=False)
    atomic.write_atomically(path, text.encode())
    return path


@cache
def load_costs_schema() -> dict[str, Any]:
    """Return costs.schema.json, the JSON Schema (draft 2020-12) of a cost file."""
    text = files("bnbench.records").joinpath("costs.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@cache
def _shape() -> Check:
    return compile_schema(load_costs_schema())


def _cost_files(folder: Path) -> list[Path]:
    """Return the files of a folder of costs; the folder itself where it cannot be listed, for the reader to say so."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".json" and path.name[0] != ".")
    except FileNotFoundError:
        return []
    except OSError:
        return [folder]


def _entries(content: Mapping[str, Any], path: Path) -> Iterator[MeasuredCost]:
    for entry in content["entries"]:
        yield MeasuredCost(
            entry=entry["entry"],
            norm=entry["norm"],
            cell_ids=frozenset(entry["cell_ids"]),
            step_seconds=entry["step_seconds"],
            inference_seconds=entry["inference_seconds"],
            peak_memory_bytes=entry["peak_memory_bytes"],
            parameters=entry["parameters"],
            relative_step=entry["relative"]["step"],
            relative_inference=entry["relative"]["inference"],
            relative_memory=entry["relative"]["memory"],
            relative_parameters=entry["relative"]["parameters"],
            hardware=content["hardware"]["text"],
            measured_at=content["measured_at"],
            identity=entry.get("identity"),
            workload=content["workload"],
            path=path,
        )
