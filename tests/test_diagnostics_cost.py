"""The benchmark of what diagnostics cost meets every one of them, and its figures hang together; none is judged."""

import contextlib
import io
import json

import pytest
from rich.console import Console

from benchmarks.diagnostics_cost import ALL, NORMS, NOTHING, main, make_report, print_report
from bnbench.training.diagnostics import DIAGNOSTICS


@pytest.fixture(scope="module")
def report():
    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        main(["--rounds", "1", "--steps", "50", "--replicas", "2", "--json"])
    return json.loads(written.getvalue())


def test_every_registered_diagnostic_has_a_row_under_every_norm(report):
    expected = [(norm, name) for norm in NORMS for name in (NOTHING, *DIAGNOSTICS.names(), ALL)]
    assert [(row["norm"], row["name"]) for row in report["rows"]] == expected


def test_everything_is_measured_and_nothing_is_once_itself(report):
    for row in report["rows"]:
        assert row["us_per_step"] > 0
        assert 0 < row["training_us_per_step"] < row["us_per_step"] * 100
        if row["name"] == NOTHING:
            assert row["ratio"] == {"median": 1.0, "min": 1.0, "max": 1.0}
            assert row["training_us_per_step"] < row["us_per_step"]


def test_a_ratio_is_what_is_added_beside_training_alone_in_the_same_round():
    nothing = [(3.0, 2.0), (6.0, 4.0), (3.0, 2.0)]
    costs = {("none", 8): {NOTHING: nothing, "units": [(4.0, 2.0), (7.0, 4.0), (5.0, 2.0)], ALL: [(6.0, 2.0)] * 3}}
    rows = {row["name"]: row for row in make_report(costs, steps=50)["rows"]}
    assert rows["units"]["ratio"] == {"median": 1.5, "min": 1.25, "max": 2.0}
    assert rows["units"]["steps_per_evaluation"] == pytest.approx(12.5)
    assert rows["units"]["aim"] is None
    assert rows[ALL]["ratio"]["median"] == 2.5
    assert rows[ALL]["aim"] == {"at_most": 2.0, "met": False}


def test_table_names_every_diagnostic_and_says_what_is_missed(report):
    for row in report["rows"]:
        if row["name"] == ALL:
            row["aim"]["met"] = False
    written = io.StringIO()
    print_report(report, Console(file=written, width=200))
    for name in (NOTHING, *DIAGNOSTICS.names(), ALL):
        assert name in written.getvalue()
    assert "missed" in written.getvalue()


@pytest.mark.parametrize("wrong", [["--rounds", "0"], ["--steps", "25"], ["--steps", "60"], ["--replicas", "0"]])
def test_wrong_arguments_are_refused(wrong, capsys):
    with pytest.raises(SystemExit) as exit_request:
        main(wrong)
    assert exit_request.value.code == 2
    assert "--steps a multiple of 25 from 50" in capsys.readouterr().err
