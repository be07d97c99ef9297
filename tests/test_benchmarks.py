"""The benchmark of the step cost runs, and its report holds every contestant; timings are not judged here."""

import contextlib
import io
import json
import re

import pytest

from benchmarks.jax_worker import is_installed
from benchmarks.report import AIMS
from benchmarks.step_cost import STACKS, main

CONTESTANTS = [
    ("lightning", 1),
    ("lightning + torchmetrics", 1),
    ("raw pytorch", 1),
    *((name, replicas) for replicas in STACKS for name in ("bnbench", "jax", "floor")),
]
TINY = ["--rounds", "1", "--seed-steps", "64", "--rows", "600"]


@pytest.fixture(scope="module")
def report():
    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        main([*TINY, "--json"])
    return json.loads(written.getvalue())


def test_every_contestant_has_a_row(report):
    assert sorted((row["name"], row["replicas"]) for row in report["rows"]) == sorted(CONTESTANTS)
    for row in report["rows"]:
        assert row["installed"] == (row["name"] != "jax" or is_installed())


def test_costs_and_ratios_are_positive_and_agree(report):
    raw = next(row for row in report["rows"] if row["name"] == "raw pytorch")
    for row in report["rows"]:
        if row["installed"]:
            for clock in ("cpu", "wall"):
                cost = row[f"{clock}_us"]
                assert 0 < cost["min"] <= cost["median"] <= cost["max"]
                expected = cost["median"] / raw[f"{clock}_us"]["median"]
                assert row["ratio"][clock]["raw pytorch"] == pytest.approx(expected)


def test_every_aim_is_judged_where_it_was_measured(report):
    assert len(report["aims"]) == len(AIMS)
    for aim in report["aims"]:
        assert (aim["met"] is None) == (aim["reference"] == "jax" and not is_installed())


@pytest.mark.parametrize("wrong", [["--rounds", "0"], ["--seed-steps", "65"]])
def test_wrong_arguments_are_refused(wrong, capsys):
    with pytest.raises(SystemExit) as exit_request:
        main(wrong)
    assert exit_request.value.code == 2
    assert re.search("--rounds .* --seed-steps", capsys.readouterr().err)
