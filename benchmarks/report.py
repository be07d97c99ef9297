"""What the measurements say: medians, ratios, aims; as plain data and as a table."""

import platform
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.workload import BATCH_SIZE, THREADS, WIDTHS, Cost

Row = dict[str, Any]
CLOCKS = ("cpu", "wall")
LIGHTNING, LIGHTNING_TORCHMETRICS, RAW, OURS, JAX, FLOOR = (
    "lightning",
    "lightning + torchmetrics",
    "raw pytorch",
    "bnbench",
    "jax",
    "floor",
)
# bnbench at R against a reference: at most so many times its cost per seed and step
AIMS = (
    (64, FLOOR, 64, 1.6),
    (64, LIGHTNING, 1, 1 / 4.5),
    (64, RAW, 1, 1.0),
    (64, JAX, 64, 1.0),
    (16, LIGHTNING, 1, 1 / 3),
    (1, LIGHTNING, 1, 1.3),
)


def make_report(measured: dict[tuple[str, int], list[Cost]], *, rounds: int, seed_steps: int) -> dict[str, Any]:
    """Return the report as plain data: a row per contestant, which is empty where nothing was measured."""
    rows = [_row(*key, costs, seed_steps) for key, costs in measured.items()]
    for row in rows:
        references = (_find(rows, LIGHTNING), _find(rows, RAW), _find(rows, FLOOR, row["replicas"]))
        row["ratio"] = {
            clock: {reference["name"]: _ratio(row, reference, clock) for reference in references} for clock in CLOCKS
        }
    return {
        "network": "-".join(map(str, WIDTHS)),
        "batch_size": BATCH_SIZE,
        "threads": THREADS,
        "rounds": rounds,
        "seed_steps_per_measurement": seed_steps,
        "rows": rows,
        "aims": [_aim(rows, *aim) for aim in AIMS],
        "environment": environment(),
    }


def _row(name: str, replicas: int, costs: list[Cost], seed_steps: int) -> Row:
    row: Row = {"name": name, "replicas": replicas, "installed": bool(costs)}
    for clock in CLOCKS:
        values = [1e6 * getattr(cost, f"{clock}_seconds") / seed_steps for cost in costs]
        row[f"{clock}_us"] = {"median": median(values), "min": min(values), "max": max(values)} if values else None
    return row


def _find(rows: list[Row], name: str, replicas: int = 1) -> Row:
    (found,) = [row for row in rows if (row["name"], row["replicas"]) == (name, replicas)]
    return found


def _ratio(row: Row, reference: Row, clock: str) -> float | None:
    if not (row["installed"] and reference["installed"]):
        return None
    ratio: float = row[f"{clock}_us"]["median"] / reference[f"{clock}_us"]["median"]
    return ratio


def _aim(rows: list[Row], replicas: int, name: str, reference_replicas: int, at_most: float) -> Row:
    ours, reference = _find(rows, OURS, replicas), _find(rows, name, reference_replicas)
    ratios = {clock: _ratio(ours, reference, clock) for clock in CLOCKS}
    known = [ratio for ratio in ratios.values() if ratio is not None]
    met = all(ratio <= at_most for ratio in known) if known else None
    return {"replicas": replicas, "reference": name, "at_most": at_most, "ratio": ratios, "met": met}


def environment() -> dict[str, str]:
    """Return what the figures were measured on."""
    return {
        "processor": _processor(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def print_report(report: dict[str, Any], console: Console) -> None:
    """Print the rows, and the aims under them."""
    table = Table(
        title=f"{report['network']}, batch norm, ReLU, SGD, batch {report['batch_size']}, {report['threads']} thread\n"
        f"µs per seed and step, median (min–max) of {report['rounds']} rounds of "
        f"{report['seed_steps_per_measurement']} seed-steps; × of processor time"
    )
    table.add_column("contestant", no_wrap=True)
    for heading in ("R", "processor", "wall", f"× {LIGHTNING}", f"× {RAW}", f"× {FLOOR}"):
        table.add_column(heading, justify="right")
    for row in report["rows"]:
        cells = [_spread(row[f"{clock}_us"]) for clock in CLOCKS]
        ratios = [_times(ratio) for ratio in row["ratio"]["cpu"].values()]
        table.add_row(row["name"], str(row["replicas"]), *cells, *ratios)
    console.print(table)
    for aim in report["aims"]:
        verdict = {True: "met", False: "missed", None: "not measured"}[aim["met"]]
        measured = f"{_times(aim['ratio']['cpu'])} by processor time, {_times(aim['ratio']['wall'])} on the wall"
        name = f"bnbench R={aim['replicas']} at most {aim['at_most']:.2f} × {aim['reference']}"
        console.print(f"{name}: {measured} ({verdict})", highlight=False)
    console.print(", ".join(f"{key} {value}" for key, value in report["environment"].items()), highlight=False)


def _spread(microseconds: dict[str, float] | None) -> str:
    if microseconds is None:
        return "not installed"
    return f"{microseconds['median']:.0f} ({microseconds['min']:.0f}–{microseconds['max']:.0f})"


def _times(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f}"
