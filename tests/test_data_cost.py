"""The benchmark of data runs on a small file, and its report holds every way rows are cut; no timing is judged."""

import contextlib
import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from benchmarks import data_cost
from benchmarks.data_cost import PREPROCESSINGS, STACKS, main, print_report
from benchmarks.data_file import open_and_train, write_file
from bnbench.datasets import DatasetConfig

DIGITS = DatasetConfig("digits", "scikit_learn", "none")


@pytest.fixture(scope="module")
def report():
    written = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(written):
        patch.setenv("XDG_CACHE_HOME", "")  # set by the benchmark, and put back here
        patch.setattr(data_cost, "open_in_new_process", open_and_train)  # six times the start of a process
        patch.setattr(data_cost, "CATALOGUE", {"digits": 3.0, "no_such": 2.0})
        patch.setattr(data_cost, "read_config", {"digits": DIGITS, "no_such": replace(DIGITS, name="no_such")}.get)
        main(["--rounds", "1", "--cuts", "2", "--rows", "3000", "--json"])
    return json.loads(written.getvalue())


def test_every_way_of_cutting_has_a_row(report):
    ways = [(row["from"], row["preprocessing"], row["replicas"]) for row in report["cutting"]]
    expected = [
        way
        for replicas in STACKS
        for way in (("memory", "any", replicas), *(("file", each, replicas) for each in PREPROCESSINGS))
    ]
    assert ways == expected
    for row in report["cutting"]:
        assert row["bare_us"] > 0
        assert row["inputs_only_us"] > 0
        assert row["cut_us"] / row["bare_us"] == pytest.approx(row["ratio"]["median"])


def test_file_is_opened_twice_and_trained_from(report):
    assert [(row["preprocessing"], row["opening"]) for row in report["opening"]] == [
        (each, opening) for each in PREPROCESSINGS for opening in ("first", "again")
    ]
    for first, again in zip(report["opening"][::2], report["opening"][1::2], strict=True):
        assert first["mapped"]
        assert first["checksum"] == again["checksum"]
        assert first["train_seconds"] > 0
        assert first["imported_bytes"] <= first["peak_private_bytes"] <= first["peak_bytes"]
    assert len({row["checksum"] for row in report["opening"]}) == len(PREPROCESSINGS)


def test_data_sets_of_the_catalogue_are_timed_where_they_are_here(report):
    here, absent = report["catalogue"]
    assert here["seconds"] > 0
    assert here["aim"]["met"] is not None
    assert (absent["seconds"], absent["aim"]["met"]) == (None, None)
    assert "no_such" in absent["why"]


def test_tables_say_what_is_missed(report):
    written = io.StringIO()
    report["cutting"][0]["aim"]["met"] = False
    print_report(report, Console(file=written, width=200))
    assert "missed" in written.getvalue()
    assert "3,000 × 100 in a file" in written.getvalue()


@pytest.mark.slow
def test_new_process_tells_the_same(tmp_path):
    write_file(tmp_path / "small.npz", rows=3000, features=5)
    ours, theirs = (run(tmp_path / "small.npz", "center") for run in (open_and_train, data_cost.open_in_new_process))
    assert theirs["checksum"] == ours["checksum"]
    assert theirs["mapped"]


@pytest.mark.parametrize("wrong", [["--rounds", "0"], ["--cuts", "0"], ["--rows", "199"]])
def test_wrong_arguments_are_refused(wrong, capsys):
    with pytest.raises(SystemExit) as exit_request:
        main(wrong)
    assert exit_request.value.code == 2
    assert "--rounds and --cuts take at least 1, --rows at least 200" in capsys.readouterr().err
