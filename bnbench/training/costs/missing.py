"""The entries of recorded workloads that have no cost on this machine yet: found, measured, written."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bnbench.config import Config
from bnbench.errors import UserError
from bnbench.norms import ChosenNorm
from bnbench.records import Costs, MeasuredCost, Record, canonical_json, load_costs, write_costs
from bnbench.training.costs.one_workload import USUAL_EFFORT, Contestant, Cost, Effort, measure
from bnbench.training.costs.stack import CPU
from bnbench.training.memory import is_gpu
from bnbench.training.outcome import environment, processor
from bnbench.training.recorded import Shape, config_of, cost_workload, norm_of, shape_of


@dataclass
class Outcome:
    """What became of a measurement: the files written, how many entries were measured, what could not be and why."""

    paths: list[Path] = field(default_factory=list)
    num_measured: int = 0
    num_workloads: int = 0
    hardware: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class _Entry:
    """An entry of one workload: its norm, and the cells that are it, which differ in what costs nothing."""

    norm: ChosenNorm
    config: Config
    identity: dict[str, Any]
    records: list[Record]


@dataclass
class _Workload:
    """What is measured together: the records of one folder that cost the same but for their norms."""

    name: str
    runs_dir: Path
    shape: Shape
    description: dict[str, Any]
    device: torch.device
    entries: dict[str, _Entry] = field(default_factory=dict)


def measure_missing(
    records: Sequence[Record],
    *,
    command: str = "",
    again: bool = False,
    effort: Effort = USUAL_EFFORT,
    say: Callable[[str], object] = lambda line: None,
) -> Outcome:
    """Measure what has no cost on this machine yet, or with `again` everything, and write it beside the runs.

    Where one entry of a workload has none, all are measured, so that their seconds come from the same minutes. One
    cost serves every workload that differs in nothing that costs (learning rate, schedule, steps, the data themselves):
    where it is known, it is written down for them and not measured. `say` is told of what is measured next. What cannot
    be measured is named in the outcome and costs nothing else; raises UserError where the costs cannot be written.
    """
    outcome, started = Outcome(), time.perf_counter()
    costs = {runs_dir: load_costs(runs_dir) for runs_dir in {record.path.parent.parent for record in records}}
    unknown = {
        (record.path.parent.parent, record.workload_id)
        for record in records
        if again or _is_unknown(record, costs[record.path.parent.parent])
    }
    beside = [record for record in records if (record.path.parent.parent, record.workload_id) in unknown]
    for workload in _workloads(beside, outcome):
        if not again and _carry_over(workload, costs[workload.runs_dir]):
            continue
        wanted = list(workload.entries.values())
        entries = ", ".join(entry.norm.entry for entry in wanted)
        say(f"Measuring the cost on {workload.name} of {entries} ({_hardware(workload.device)['text']})")
        try:
            _measure(wanted, workload, effort, outcome, command)
        except UserError:
            raise
        except (Exception, SystemExit) as error:  # a stranger's network may do anything
            outcome.failures.append(f"{workload.name}: {type(error).__name__}: {error}")
    outcome.seconds = time.perf_counter() - started
    return outcome


def measure_or_say(records: Sequence[Record], *, command: str, say: Callable[[str], object]) -> list[str]:
    """Measure what has no cost on this machine yet, and return what could not be and why; never raises for that."""
    try:
        return measure_missing(records, command=command, say=say).failures
    except (Exception, SystemExit) as error:  # what was trained counts, whatever it costs
        return [str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"]


def _is_unknown(record: Record, costs: Costs) -> bool:
    """Return whether the cell of a record has no cost on the hardware where it would be measured."""
    trainer = record.config.get("trainer")
    accelerator = trainer.get("accelerator") if isinstance(trainer, dict) else None
    hardware = _hardware(_device(str(accelerator)))["text"]
    return costs.of(record.workload_id, record.entry, record.cell_id, hardware=hardware) is None


def _workloads(records: Sequence[Record], outcome: Outcome) -> list[_Workload]:
    found: dict[str, _Workload] = {}
    shapes: dict[str, Shape] = {}
    for record in records:
        try:
            config = config_of(record)
            norm = norm_of(record, config)
            data = canonical_json(record.identity["workload"].get("dataset"))
            if data not in shapes:
                shapes[data] = shape_of(record, config)
        except (Exception, SystemExit) as error:  # a record of a stranger's, naming code and files of theirs
            said = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            outcome.failures.append(f"{record.workload}, {record.entry}: {said}")
            continue
        device = _device(config.trainer.accelerator)
        description = cost_workload(record, shapes[data])
        key = canonical_json([str(record.path.parent.parent), description, str(device)])
        own = found.setdefault(
            key, _Workload(record.workload, record.path.parent.parent, shapes[data], description, device)
        )
        identity = record.identity["entry"]
        own.entries.setdefault(canonical_json(identity), _Entry(norm, config, identity, [])).records.append(record)
    outcome.failures[:] = dict.fromkeys(outcome.failures)
    return list(found.values())


def _device(accelerator: str) -> torch.device:
    return torch.device("cuda") if is_gpu(accelerator) else CPU


def _hardware(device: torch.device) -> dict[str, Any]:
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        return {"text": name, "device": name, "processor": processor(), "threads": 1}
    return {"text": f"{processor() or 'unknown processor'}, 1 thread", "device": "cpu", "threads": 1}


def _carry_over(workload: _Workload, costs: Costs) -> bool:
    """Write costs known from other workloads down for this one too; return whether that leaves nothing to measure."""
    lacking = [
        entry for entry in workload.entries.values() if any(_is_unknown(record, costs) for record in entry.records)
    ]
    carried: dict[Path, list[dict[str, Any]]] = {}
    for entry in lacking:
        known = _known(entry, workload, costs)
        if known is None:
            return False
        carried.setdefault(known.path, []).append(_described(entry, known))
    workload_ids = {record.workload_id for entry in lacking for record in entry.records}
    for path, entries in carried.items():
        content = json.loads(path.read_text(encoding="utf-8"))
        write_costs(workload.runs_dir, content | {"workload_ids": sorted(workload_ids), "entries": entries})
    return True


def _known(entry: _Entry, workload: _Workload, costs: Costs) -> MeasuredCost | None:
    """Return the newest cost of an entry in another workload that costs the same, on this hardware."""
    on_this = [
        cost
        for by_hardware in costs.measured.values()
        for cost in by_hardware.get(_hardware(workload.device)["text"], ())
    ]
    same = [cost for cost in on_this if cost.identity == entry.identity and cost.workload == workload.description]
    return max(same, key=lambda cost: cost.measured_at, default=None)


def _measure(wanted: Sequence[_Entry], workload: _Workload, effort: Effort, outcome: Outcome, command: str) -> None:
    measured = measure(
        [Contestant(entry.norm, entry.config) for entry in wanted],
        workload.shape,
        reference=wanted[0].config,
        effort=effort,
        device=workload.device,
    )
    outcome.failures += [
        f"{workload.name}, {wanted[place].norm.entry}: {why}" for place, why in measured.failures.items()
    ]
    costs = [(entry, cost) for entry, cost in zip(wanted, measured.costs, strict=True) if cost is not None]
    if not costs:
        return
    hardware = _hardware(workload.device)
    content = {
        "hardware": hardware,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": environment(wanted[0].config, command),
        "effort": asdict(effort),
        "workload": workload.description,
        "workload_ids": sorted({record.workload_id for entry, _ in costs for record in entry.records}),
        "entries": [_described(entry, cost) for entry, cost in costs],
    }
    outcome.paths.append(write_costs(workload.runs_dir, content))
    outcome.num_measured += len(costs)
    outcome.num_workloads += 1
    outcome.hardware.add(hardware["text"])


def _described(entry: _Entry, cost: Cost | MeasuredCost) -> dict[str, Any]:
    return {
        "entry": entry.records[0].entry,
        "norm": entry.records[0].norm,
        "identity": entry.identity,
        "cell_ids": sorted({record.cell_id for record in entry.records}),
        "step_seconds": cost.step_seconds,
        "inference_seconds": cost.inference_seconds,
        "peak_memory_bytes": cost.peak_memory_bytes,
        "parameters": cost.parameters,
        "relative": {
            "step": cost.relative_step,
            "inference": cost.relative_inference,
            "memory": cost.relative_memory,
            "parameters": cost.relative_parameters,
        },
    }
