"""The benchmark of the norms' cost runs over every one of them, and its figures hang together; no timing is judged."""

import contextlib
import io
import json
from statistics import median

import pytest
from rich.console import Console

from benchmarks.norm_cost import PARTS, main, make_report, print_report
from bnbench.norms import NORMS


@pytest.fixture(scope="module")
def report():
    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        main(["--rounds", "1", "--steps", "1", "--rows", "120", "--json"])
    return json.loads(written.getvalue())


def test_every_registered_norm_has_a_row(report):
    assert [row["name"] for row in report["rows"]] == list(NORMS.names())


def test_everything_is_measured_and_none_is_once_itself(report):
    for row in report["rows"]:
        for part in PARTS:
            assert row[part]["us"] > 0
            assert 0 < row[part]["ratio"]["min"] <= row[part]["ratio"]["median"] <= row[part]["ratio"]["max"]
        if row["name"] == "none":
            ratios = [*(row[part]["ratio"]["median"] for part in PARTS), row["peak_memory"]["ratio"]]
            assert ratios == [1.0] * len(ratios)


def test_memory_counts_parameters_gradients_and_what_is_kept_for_them(report):
    """16 replicas of 99,710 numbers and their gradients, and the batches; batch norm has four numbers per feature."""
    memory = {row["name"]: row["peak_memory"]["bytes"] for row in report["rows"]}
    assert memory["none"] > 16 * (2 * 99_710 + 60 * 784) * 4
    assert memory["batch"] >= memory["none"] + 16 * 4 * 300 * 4


def test_ratios_are_to_none_in_the_same_round_and_the_median_is_judged():
    seconds = {
        name: {part: list(rounds) for part in PARTS}
        for name, rounds in {
            "none": (1.0, 2.0, 4.0),
            "layer": (2.0, 6.0, 8.0),
            "batch": (2.6, 5.2, 10.0),
            "iterative": (2.6, 5.2, 10.0),
        }.items()
    }
    made = make_report(seconds, dict.fromkeys(seconds, 10) | {"layer": 15}, steps=1)
    rows = {row["name"]: row for row in made["rows"]}
    assert rows["layer"]["step"]["ratio"] == {"median": 2.0, "min": 2.0, "max": 3.0}
    assert rows["layer"]["step"]["us"] == pytest.approx(median([2.0, 6.0, 8.0]) * 1e6 / 16)
    assert rows["layer"]["peak_memory"]["ratio"] == 1.5
    assert {name: row["aim"]["met"] for name, row in rows.items()} == {
        "none": True,
        "layer": True,
        "batch": False,
        "iterative": True,
    }


def test_table_names_every_norm_and_says_what_is_missed(report):
    written = io.StringIO()
    report["rows"][0]["aim"]["met"] = False
    print_report(report, Console(file=written, width=200))
    lines = written.getvalue().splitlines()
    for name in NORMS.names():
        assert any(name in line for line in lines)
    assert any("missed" in line and report["rows"][0]["name"] in line for line in lines)


@pytest.mark.parametrize("wrong", [["--rounds", "0"], ["--steps", "0"], ["--rows", "59"]])
def test_wrong_arguments_are_refused(wrong, capsys):
    with pytest.raises(SystemExit) as exit_request:
        main(wrong)
    assert exit_request.value.code == 2
    assert "--rounds and --steps take at least 1, --rows at least 60" in capsys.readouterr().err
