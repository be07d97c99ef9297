"""What a sweep costs beside training: `python -m benchmarks.sweep [--json] [--rounds N] [--cells N] [--steps N]`.

The digits quickstart from the start of its process to its end with each launcher that is installed, in turn over
several rounds: cells per minute. What a cell costs beyond its training, in one process: cells of 16 seeds that train
for one step. Resuming finished cells, a job each, after imports: the jobs of one learning rate are trained, those of
the others written by the writer that runs use. Then what one cell is on a disk.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from types import MappingProxyType

from rich.console import Console
from rich.table import Table

from benchmarks.command import Report, measure_and_print
from benchmarks.ray_cluster import Cluster
from benchmarks.report import environment
from bnbench.config import as_dict, config_as_noted
from bnbench.datasets import load
from bnbench.finished_jobs import job_key
from bnbench.norms import choose_norm
from bnbench.records import load_records, record_folder, write_record
from bnbench.runs_commands.sweep_notes import SIZE_FILE
from bnbench.training.cells import plan_cells

REPOSITORY = Path(__file__).parent.parent
QUICKSTART = ("+experiment=quickstart", "logger=none", "measure_cost=false")
NORMS = ("none", "batch", "layer", "group", "instance", "weight", "rms")
# records of the quickstart's size, 51 rows for each of 16 seeds, of fewer steps
SHORT = ("budget.max_steps=50", "budget.eval_every_steps=1")
CLOCKS = ("seconds", "processor_seconds")
NOTHING: Mapping[str, str] = MappingProxyType({})
OVERHEAD_WITHIN_SECONDS = 0.5
RESUME_WITHIN_SECONDS = 5.0


RAY = "ray, 2 nodes"


@dataclass(frozen=True)
class Engine:
    """A launcher: what it is called, the module it needs, and what it is asked for by."""

    name: str
    module: str
    overrides: tuple[str, ...]


ENGINES = (
    Engine("basic", "hydra", ()),
    Engine(
        "joblib, 2 workers", "hydra_plugins.hydra_joblib_launcher", ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    ),
    Engine(RAY, "hydra_plugins.hydra_ray_launcher", ("hydra/launcher=ray",)),
)


def installed(engine: Engine) -> bool:
    """Return whether the engine can be started here."""
    try:
        return find_spec(engine.module) is not None
    except ModuleNotFoundError:  # of the package it would lie in
        return False


@contextmanager
def joined(engine: Engine) -> Iterator[Mapping[str, str]]:
    """Start the nodes an engine needs; yield what a sweep needs to join them."""
    if engine.name != RAY:
        yield NOTHING
        return
    cluster = Cluster()
    try:
        yield cluster.environment
    finally:
        cluster.stop()


def sweep_once(folder: Path, *arguments: str, environment: Mapping[str, str] = NOTHING) -> dict[str, float]:
    """Return what a sweep in a process of its own, with this beside its environment, took, from its imports on."""
    output = folder / "times.json"
    words = [sys.executable, "-W", "ignore", "-m", "benchmarks.sweep_worker", str(output), "-m", *arguments]
    run = subprocess.run(
        words, cwd=REPOSITORY, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    found: dict[str, float] = json.loads(output.read_text()) if output.exists() else {"code": run.returncode}
    if run.returncode or found["code"]:
        raise RuntimeError(f"the sweep ended with exit code {found['code']}:\n{run.stdout}\n{run.stderr}")
    return found


def measure_engines(folder: Path, *, rounds: int, steps: int) -> list[Report]:
    """Return cells per minute of the quickstart for every engine, in turn; Ray's nodes run already."""
    minutes: dict[str, list[float]] = {engine.name: [] for engine in ENGINES}
    for turn in range(rounds):
        for number, engine in enumerate(ENGINES):
            if not installed(engine):
                continue
            runs_dir = folder / f"engine-{number}-{turn}"  # a comma of a name would be two folders to Hydra
            asked = (*QUICKSTART, *engine.overrides, f"budget.max_steps={steps}", f"runs_dir={runs_dir}")
            with joined(engine) as environment:
                found = sweep_once(folder, *asked, environment=environment)
            minutes[engine.name].append((found["import_seconds"] + found["seconds"]) / 60)
    return [
        {
            "engine": engine.name,
            "cells": len(NORMS),
            "cells_per_minute": [len(NORMS) / each for each in minutes[engine.name]],
        }
        for engine in ENGINES
    ]


def measure_overhead(folder: Path, *, rounds: int, cells: int) -> Report:
    """Return the seconds of a cell that trains for one step, in one process; the end of the sweep is among them."""
    rates = [f"{0.01 * (1 + index):g}" for index in range(max(1, cells // len(NORMS)))]
    asked = (*QUICKSTART, "budget.max_steps=1", "budget.eval_every_steps=1", f"optimizer.lr={','.join(rates)}")
    found = [sweep_once(folder, *asked, f"runs_dir={folder / f'overhead-{turn}'}") for turn in range(rounds)]
    count = len(NORMS) * len(rates)
    return {"cells": count, **{clock: [each[clock] / count for each in found] for clock in CLOCKS}}


def measure_resume(folder: Path, *, rounds: int, cells: int) -> Report:
    """Return the seconds after imports of a sweep of one job per cell, all of them finished."""
    rates = [0.001 * (1 + index) for index in range(max(1, cells // len(NORMS)))]
    runs_dir = folder / "finished"
    asked = (*QUICKSTART, f"norm={','.join(NORMS)}", f"runs_dir={runs_dir}")
    sweep_once(folder, *asked, *SHORT, f"optimizer.lr={rates[0]:g}")
    write_finished(runs_dir, rates)
    every_rate = f"optimizer.lr={','.join(f'{rate:g}' for rate in rates)}"
    again = [sweep_once(folder, *asked, *SHORT, every_rate) for _ in range(rounds)]
    return {"cells": len(NORMS) * len(rates), **{clock: [each[clock] for each in again] for clock in CLOCKS}}


def write_finished(runs_dir: Path, rates: Sequence[float]) -> None:
    """Write records and notes of the jobs of a finished sweep again for each of these learning rates."""
    notes = sorted((runs_dir / "sweeps").glob("*/[0-9]*.json"))
    records = {record.cell_id: record for record in load_records(runs_dir).records}
    number = len(notes)
    sources = json.loads((notes[0].parent / SIZE_FILE).read_text())["sources"]
    for path in notes:
        note = json.loads(path.read_text())
        record = records[note["cells"][0]["cell_id"]]
        table = record.read_table()
        config = config_as_noted(note["asked"]["config"])
        task, norm = load(config.dataset), choose_norm(config.norm)
        overrides = shlex.split(note["command"])[3:]
        for rate in rates[1:]:
            changed = replace(config, optimizer=replace(config.optimizer, lr=rate))
            (cell,) = plan_cells(changed, task, norm)
            raw = record.raw | {
                "cell_id": cell.cell_id,
                "workload_id": cell.workload_id,
                "identity": cell.identity,
                "config": as_dict(cell.config),
            }
            write_record(record_folder(cell.folder, cell.seeds), raw, table)
            other = [f"optimizer.lr={rate:g}" if each.startswith("optimizer.lr=") else each for each in overrides]
            told = note["cells"][0] | {"cell_id": cell.cell_id, "folder": str(cell.folder)}
            asked = note["asked"] | {"config": as_dict(changed)}
            written = note | {"job": number, "cells": [told], "asked": asked, "key": job_key(other, sources=sources)}
            (path.parent / f"{number}.json").write_text(json.dumps(written))
            number += 1


def measure_disk(folder: Path) -> Report:
    """Return the files and bytes of a finished cell of the quickstart's size."""
    record = load_records(folder / "finished", check_history=False).records[0]
    sizes = {path.name: path.stat().st_size for path in sorted(record.path.iterdir())}
    (note, *_) = sorted((folder / "finished" / "sweeps").glob("*/[0-9]*.json"))
    return {"files": sizes, "note": note.stat().st_size}


def measure(*, rounds: int, cells: int, steps: int) -> Report:
    """Measure everything; return the report as plain data."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return {
            "rounds": rounds,
            "engines": measure_engines(folder, rounds=rounds, steps=steps),
            "overhead": measure_overhead(folder, rounds=rounds, cells=min(cells, 28)),
            "resume": measure_resume(folder, rounds=rounds, cells=cells),
            "disk": measure_disk(folder),
            "environment": environment(),
        }


def print_report(report: Report, console: Console) -> None:
    """Print a line for each figure."""
    table = Table(title=f"digits quickstart, {report['rounds']} rounds, from the start of the process to its end")
    for heading in ("launcher", "cells", "cells per minute, median (min–max)"):
        table.add_column(heading)
    for row in report["engines"]:
        table.add_row(row["engine"], str(row["cells"]), _spread(row["cells_per_minute"], "") or "not installed")
    console.print(table)
    overhead = report["overhead"]
    console.print(
        f"a cell that trains for one step, of {overhead['cells']}: {_spread(overhead['seconds'])}, processor "
        f"{_spread(overhead['processor_seconds'])}; at most {OVERHEAD_WITHIN_SECONDS:g} s "
        f"({_met(overhead['seconds'], OVERHEAD_WITHIN_SECONDS)})",
        highlight=False,
    )
    resume = report["resume"]
    console.print(
        f"{resume['cells']:,} finished cells, a job each, after imports: {_spread(resume['seconds'])}, processor "
        f"{_spread(resume['processor_seconds'])}; at most {RESUME_WITHIN_SECONDS:g} s "
        f"({_met(resume['seconds'], RESUME_WITHIN_SECONDS)})",
        highlight=False,
    )
    disk = report["disk"]
    files = ", ".join(f"{name} {size:,} B" for name, size in disk["files"].items())
    console.print(f"a cell on the disk: {files}; the note of its job {disk['note']:,} B", highlight=False)
    console.print(", ".join(f"{key} {value}" for key, value in report["environment"].items()), highlight=False)


def _spread(values: Sequence[float], unit: str = " s") -> str:
    if not values:
        return ""
    return f"{median(values):.3g} ({min(values):.3g}–{max(values):.3g}){unit}"


def _met(seconds: Sequence[float], at_most: float) -> str:
    return "met" if median(seconds) <= at_most else "missed"


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--rounds", type=int, default=3, help="sweeps of each kind (default 3)")
    parser.add_argument("--cells", type=int, default=1001, help="finished cells to resume (default 1001)")
    parser.add_argument("--steps", type=int, default=1000, help="steps of the quickstart (default its own, 1000)")
    chosen = parser.parse_args(arguments)
    if chosen.rounds < 1 or chosen.cells < len(NORMS) or chosen.steps < 20:
        parser.error(f"--rounds takes at least 1, --cells at least {len(NORMS)}, --steps at least 20")
    measure_and_print(
        lambda: measure(rounds=chosen.rounds, cells=chosen.cells, steps=chosen.steps), print_report, as_json=chosen.json
    )


if __name__ == "__main__":
    main()
