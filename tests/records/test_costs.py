"""Files of costs: what is written is read, what is damaged is named, and the newest on one hardware counts."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bnbench.records import load_costs, load_records, write_costs
from bnbench.records.costs import load_costs_schema, read_costs

REMOVED = object()
WORKLOAD, OTHER_WORKLOAD = "0123456789ab", "ba9876543210"
CELL, OTHER_CELL = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


def cost_of(entry: str = "batch", step: float = 3e-4, cells: tuple[str, ...] = (CELL,)) -> dict[str, Any]:
    return {
        "entry": entry,
        "norm": entry,
        "cell_ids": list(cells),
        "step_seconds": step,
        "inference_seconds": 1e-4,
        "peak_memory_bytes": 400_000,
        "parameters": 27_000,
        "relative": {"step": 1.5, "inference": 1.2, "memory": 1.1, "parameters": 1.02},
    }


def content_of(
    *entries: dict[str, Any],
    hardware: str = "Some Processor, 1 thread",
    measured_at: str = "2026-01-02T03:04:05+00:00",
    workload_ids: tuple[str, ...] = (WORKLOAD,),
) -> dict[str, Any]:
    return {
        "hardware": {"text": hardware},
        "measured_at": measured_at,
        "environment": {"python": "3.11"},
        "workload": {"num_inputs": 64, "batch_size": 60},
        "workload_ids": list(workload_ids),
        "entries": list(entries) or [cost_of()],
    }


def changed(content: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    content = copy.deepcopy({"schema_version": 1, **content})
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = content
    for part in parents:
        place = place[part]
    if value is REMOVED:
        del place[last]
    else:
        place[last] = value
    return content


def leave(folder: Path, name: str, text: str) -> Path:
    (folder / "costs").mkdir(exist_ok=True)
    path = folder / "costs" / name
    path.write_text(text, encoding="utf-8")
    return path


MUTATIONS: list[tuple[str, Any]] = [
    *((key, REMOVED) for key in load_costs_schema()["required"]),
    ("schema_version", "1"),
    ("hardware", "Some Processor"),
    ("hardware.text", "clear\x1b[2J"),
    ("measured_at", "yesterday"),
    ("measured_at", "2026-01-02T03:04:05+02:00"),
    ("workload_ids", []),
    ("workload_ids.0", "../../../etc"),
    ("entries", []),
    ("entries", {}),
    ("entries.0", 3),
    *((f"entries.0.{key}", REMOVED) for key in cost_of()),
    ("entries.0.entry", "\u202ebatch"),
    ("entries.0.cell_ids", ["batch"]),
    ("entries.0.step_seconds", -1e-3),
    ("entries.0.step_seconds", "0.1"),
    ("entries.0.step_seconds", None),
    ("entries.0.peak_memory_bytes", 0.5),
    ("entries.0.parameters", None),
    ("entries.0.relative.step", "1.5"),
    ("entries.0.relative.memory", REMOVED),
]


@pytest.mark.parametrize(("path", "value"), MUTATIONS, ids=[f"{path}={value!r:.20}" for path, value in MUTATIONS])
def test_a_file_that_breaks_the_schema_is_named_and_costs_no_other(tmp_path, path, value):
    broken = changed(content_of(), path, value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, load_costs_schema())
    damaged = leave(tmp_path, "damaged.json", json.dumps(broken))
    write_costs(tmp_path, content_of())
    costs = load_costs(tmp_path)
    assert [skipped.path for skipped in costs.skipped] == [damaged]
    assert costs.skipped[0].reason.startswith("not a file of costs: ")
    assert costs.of(WORKLOAD, "batch") is not None


def test_what_is_written_is_sound_to_any_json_schema_and_is_read_back(tmp_path):
    path = write_costs(tmp_path, content_of(cost_of("none", 2e-4, ()), cost_of()))
    jsonschema.validate(json.loads(path.read_text()), load_costs_schema())
    cost = load_costs(tmp_path).of(WORKLOAD, "batch", CELL)
    assert cost is not None
    assert (cost.step_seconds, cost.relative_step, cost.relative_memory) == (3e-4, 1.5, 1.1)
    assert (cost.hardware, cost.measured_at) == ("Some Processor, 1 thread", "2026-01-02T03:04:05+00:00")
    assert (cost.peak_memory_bytes, cost.parameters, cost.path) == (400_000, 27_000, path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not valid JSON"),
        (json.dumps({"schema_version": 1, **content_of()})[:-30], "not valid JSON"),
        ("[]", "expected an object"),
        ('{"schema_version": 1, "entries": NaN}', "NaN is not JSON"),
        (json.dumps(changed(content_of(), "schema_version", 2)), "schema_version 2, this bnbench reads up to 1"),
    ],
)
def test_a_damaged_file_or_one_of_a_newer_bnbench_is_named_with_the_reason(tmp_path, text, reason):
    path = leave(tmp_path, "one.json", text)
    (skipped,) = load_costs(tmp_path).skipped
    assert skipped.path == path
    assert reason in skipped.reason


def test_a_folder_of_costs_that_is_a_file_is_named(tmp_path):
    (tmp_path / "costs").write_text("not a folder")
    (skipped,) = load_costs(tmp_path).skipped
    assert skipped.path == tmp_path / "costs"


def test_no_folder_holds_no_costs_and_what_killed_writers_left_is_no_file(tmp_path):
    assert load_costs(tmp_path, tmp_path / "gone") == load_costs()
    leave(tmp_path, ".one.json.1-2.tmp", "{")
    leave(tmp_path, ".one.json", "{")
    assert load_costs(tmp_path) == load_costs()


def test_costs_are_no_cell_to_the_reader_of_records(tmp_path):
    write_costs(tmp_path, content_of())
    assert load_records(tmp_path).skipped == []


def test_the_newest_measurement_of_an_entry_counts_and_others_stay(tmp_path):
    write_costs(tmp_path, content_of(cost_of("batch", 3e-4), cost_of("layer", 2e-4)))
    write_costs(tmp_path, content_of(cost_of("batch", 9e-4), measured_at="2026-02-02T00:00:00+00:00"))
    costs = load_costs(tmp_path)
    assert [cost.step_seconds for entry in ("batch", "layer") if (cost := costs.of(WORKLOAD, entry))] == [9e-4, 2e-4]


def test_only_the_cell_that_was_measured_has_its_cost(tmp_path):
    """A norm of a stranger's that changed keeps its name and its workload, and is another cell."""
    write_costs(tmp_path, content_of(cost_of("batch", 3e-4, (CELL,))))
    write_costs(tmp_path, content_of(cost_of("batch", 9e-4, (OTHER_CELL,)), measured_at="2026-02-02T00:00:00+00:00"))
    costs = load_costs(tmp_path)
    found = [costs.of(WORKLOAD, "batch", cell) for cell in (CELL, OTHER_CELL, "cccccccccccc")]
    assert [cost and cost.step_seconds for cost in found] == [3e-4, 9e-4, None]


def test_several_hardwares_are_kept_apart_and_all_entries_are_told_on_one(tmp_path):
    write_costs(tmp_path, content_of(cost_of("batch", 3e-4), cost_of("layer", 2e-4), hardware="old"))
    newer = content_of(cost_of("batch", 1e-4), hardware="new", measured_at="2026-02-02T00:00:00+00:00")
    write_costs(tmp_path, newer)
    costs = load_costs(tmp_path)
    assert costs.hardware_of(WORKLOAD) == ("old", "new")
    told = {entry: costs.of(WORKLOAD, entry) for entry in ("batch", "layer")}
    assert {entry: cost.step_seconds for entry, cost in told.items() if cost} == {"batch": 3e-4, "layer": 2e-4}
    asked = costs.of(WORKLOAD, "batch", hardware="new")
    assert asked is not None
    assert asked.step_seconds == 1e-4
    assert costs.of(WORKLOAD, "layer", hardware="new") is None
    assert costs.of(OTHER_WORKLOAD, "batch") is None


def test_of_hardwares_with_as_many_entries_the_last_used_is_told(tmp_path):
    write_costs(tmp_path, content_of(hardware="z old"))
    write_costs(tmp_path, content_of(hardware="new", measured_at="2026-02-02T00:00:00+00:00"))
    assert load_costs(tmp_path).hardware_of(WORKLOAD) == ("new", "z old")


def test_the_same_measurement_is_one_file_and_two_folders_are_read_together(tmp_path):
    one, again = (write_costs(tmp_path / "one", content_of()) for _ in range(2))
    write_costs(tmp_path / "two", content_of(workload_ids=(OTHER_WORKLOAD,)))
    assert one == again
    costs = load_costs(tmp_path / "one", tmp_path / "two", tmp_path / "one")
    assert len(costs.measured[WORKLOAD]["Some Processor, 1 thread"]) == 1
    assert costs.of(OTHER_WORKLOAD, "batch") is not None


def test_what_would_not_be_read_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="workload_ids has 0 items"):
        write_costs(tmp_path, content_of(workload_ids=()))
    assert not (tmp_path / "costs").exists()


def test_a_file_that_went_away_meanwhile_is_said(tmp_path):
    assert read_costs(tmp_path / "one.json") == "one.json is gone"
