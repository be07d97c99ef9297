"""What was looked at inside networks: summed up over the seeds that count, only when asked for, never in silence."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from bnbench.records.layout import DIAGNOSTICS_FILE
from bnbench.records.read import load_records
from bnbench.scoring import score

Cell = Callable[..., Path]

VALUES = {0: (1.0, 2.0), 1: (3.0, 5.0), 2: (2.0, np.nan), 3: (10.0, 7.0)}
ROWS = [
    (seed, step, layer, "dead_units", value + shift)
    for layer, shift in (("hidden.0", 0.0), ("hidden.1", 100.0))
    for seed, values in VALUES.items()
    for step, value in zip((0, 10), values, strict=True)
]


def test_a_measurement_is_summed_up_over_the_seeds_layer_by_layer(cell: Cell, runs_dir: Path) -> None:
    cell("none", [50] * 4, diagnostics=ROWS, left_out={"mode_gap": "a reason"})
    (diagnosis,) = score(load_records(runs_dir), curves=True).diagnoses
    assert (diagnosis.entry, diagnosis.track, diagnosis.left_out) == ("none", "recipe", (("mode_gap", "a reason"),))
    assert [(curve.name, curve.layer) for curve in diagnosis.curves] == [
        ("dead_units", "hidden.0"),
        ("dead_units", "hidden.1"),
    ]
    first, second = diagnosis.curves
    assert first.steps.tolist() == [0, 10]
    # of 1, 2, 3, 10, and of 2, 5, 7: the value that is not finite is not there
    assert [each.tolist() for each in (first.low, first.median, first.high)] == [[1.75, 3.5], [2.5, 5.0], [4.75, 6.0]]
    assert (second.median - first.median).tolist() == [100.0, 100.0]
    assert first.num_seeds == 4


def test_an_evaluation_without_a_finite_value_is_a_gap(cell: Cell, runs_dir: Path) -> None:
    rows = [(0, 0, "", "sharpness", np.nan), (0, 10, "", "sharpness", 2.0)]
    cell("none", [50], diagnostics=rows)
    (diagnosis,) = score(load_records(runs_dir), curves=True).diagnoses
    assert np.isnan(diagnosis.curves[0].median[0])
    assert diagnosis.curves[0].median[1] == 2.0


def test_reserved_seeds_do_not_count(cell: Cell, runs_dir: Path) -> None:
    rows = [(0, 0, "", "sharpness", 1.0), (2_000_000, 0, "", "sharpness", 9.0)]
    cell("none", {0: 50, 2_000_000: 50}, diagnostics=rows)
    (diagnosis,) = score(load_records(runs_dir), curves=True).diagnoses
    assert (diagnosis.curves[0].median.tolist(), diagnosis.curves[0].num_seeds) == ([1.0], 1)


def test_rows_of_a_seed_that_counts_in_another_record_are_not_mixed_in(cell: Cell, runs_dir: Path) -> None:
    """Of a conflict one copy counts; its values are drawn, and of the other those of the seeds it alone has."""
    counting = [(0, 0, "", "sharpness", 1.0)]
    cell("none", {0: 50}, diagnostics=counting, left_out={"updates": "a reason"})
    cell("none", {0: 60, 1: 50}, diagnostics=[(0, 0, "", "sharpness", 9.0), (1, 0, "", "sharpness", 3.0)])
    runs = load_records(runs_dir)
    assert len(runs.conflicts) == 1
    (diagnosis,) = score(runs, curves=True).diagnoses
    assert (diagnosis.curves[0].median.tolist(), diagnosis.curves[0].num_seeds) == ([2.0], 2)


def test_all_records_of_an_entry_are_read_once_for_all_levels(cell: Cell, runs_dir: Path) -> None:
    cell("none", {0: 50, 1: 50}, diagnostics=[(seed, 0, "", "sharpness", 1.0 + seed) for seed in (0, 1)])
    cell("none", {2: 50}, diagnostics=[(2, 0, "", "sharpness", 9.0)])
    board = score(load_records(runs_dir), level="all", curves=True)
    (diagnosis,) = board.diagnoses
    assert (diagnosis.curves[0].median.tolist(), diagnosis.curves[0].num_seeds) == ([2.0], 3)


def test_without_a_row_of_the_seeds_that_count_there_is_no_curve_but_the_reasons(cell: Cell, runs_dir: Path) -> None:
    left_out = {"units": "2 processes trained this together"}
    cell("none", {0: 50, 2_000_000: 50}, diagnostics=[(2_000_000, 0, "", "sharpness", 9.0)], left_out=left_out)
    (diagnosis,) = score(load_records(runs_dir), curves=True).diagnoses
    assert diagnosis.curves == ()
    assert diagnosis.left_out == (("units", "2 processes trained this together"),)


def test_a_board_holds_none_unless_asked_for_and_of_the_rows_that_are_shown(cell: Cell, runs_dir: Path) -> None:
    for entry in ("none", "batch", "rms"):
        cell(entry, [50] * 2, diagnostics=[(seed, 0, "", "sharpness", 1.0) for seed in (0, 1)])
    assert score(load_records(runs_dir)).diagnoses == ()
    board = score(load_records(runs_dir), norms=["rms"], curves=True)
    assert {each.entry for each in board.diagnoses} == {"none", "rms"}
    assert "diagnoses" not in board.to_dict()


def test_a_file_that_cannot_be_read_is_named_and_the_record_counts_all_the_same(cell: Cell, runs_dir: Path) -> None:
    folder = cell("none", [50] * 4, diagnostics=ROWS)
    runs = load_records(runs_dir)
    (folder / DIAGNOSTICS_FILE).write_bytes(b"PAR1")
    board = score(runs, curves=True)
    assert [row.entry for row in board.entries] == ["none"]
    (skipped,) = [item for item in board.skipped if item.path == folder]
    assert "diagnostics are not shown" in skipped.reason
    assert board.diagnoses[0].curves == ()
