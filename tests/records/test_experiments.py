"""An experiment's index keeps every cell, however many jobs write to it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bnbench.errors import UserError
from bnbench.records import add_cells, list_experiments, load_records, read_experiment

CELL = {"entry": "batch", "dataset": "digits", "seeds": [0, 1]}


def test_an_index_reads_back(tmp_path: Path) -> None:
    path = add_cells(tmp_path, "quickstart", {"0123456789ab": CELL})
    assert path == tmp_path / "experiments" / "quickstart.json"
    assert read_experiment(tmp_path, "quickstart") == {"0123456789ab": CELL}


def test_seeds_of_a_cell_are_united(tmp_path: Path) -> None:
    add_cells(tmp_path, "quickstart", {"0123456789ab": CELL})
    add_cells(tmp_path, "quickstart", {"0123456789ab": CELL | {"seeds": [5, 1]}})
    assert read_experiment(tmp_path, "quickstart")["0123456789ab"]["seeds"] == [0, 1, 5]


def test_concurrent_jobs_lose_no_cell_and_no_seed(tmp_path: Path) -> None:
    """Four processes add twelve cells each and, each time, one seed of a cell they share."""
    script = str(Path(__file__).with_name("add_cells.py"))
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    jobs = [
        subprocess.Popen([sys.executable, script, str(tmp_path), "sweep", str(12 * job), "12"], env=environment)
        for job in range(4)
    ]
    assert [job.wait(timeout=120) for job in jobs] == [0, 0, 0, 0]
    cells = read_experiment(tmp_path, "sweep")
    assert cells.pop("f" * 12)["seeds"] == list(range(48))
    assert cells == {
        f"{index:012x}": {"entry": f"batch(k={index})", "dataset": "digits", "seeds": [index]} for index in range(48)
    }
    assert [path.name for path in (tmp_path / "experiments").iterdir()] == ["sweep.json"]


@pytest.mark.parametrize("name", ["../../outside", "a/b", "", ".hidden", "<script>", "x" * 500])
def test_a_hostile_name_stays_in_the_folder_and_reads_back(tmp_path: Path, name: str) -> None:
    path = add_cells(tmp_path / "runs", name, {"0123456789ab": CELL})
    assert path.parent == tmp_path / "runs" / "experiments"
    assert read_experiment(tmp_path / "runs", name) == {"0123456789ab": CELL}
    assert list_experiments(tmp_path / "runs") == [name]


def test_names_that_become_alike_keep_their_own_index(tmp_path: Path) -> None:
    add_cells(tmp_path, "a/b", {"0123456789ab": CELL})
    add_cells(tmp_path, "a_b", {"ba9876543210": CELL})
    assert list(read_experiment(tmp_path, "a/b")) == ["0123456789ab"]
    assert list_experiments(tmp_path) == ["a/b", "a_b"]


def test_an_index_is_no_cell(tmp_path: Path) -> None:
    add_cells(tmp_path, "quickstart", {"0123456789ab": CELL})
    assert load_records(tmp_path).skipped == []


def test_an_unknown_experiment_names_the_nearest(tmp_path: Path) -> None:
    add_cells(tmp_path, "quickstart", {})
    with pytest.raises(UserError, match=r"'quickstrat' has no index in .*: did you mean 'quickstart'\?"):
        read_experiment(tmp_path, "quickstrat")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is not valid JSON"),
        ("[]", "holds a list; expected an object"),
        ('{"schema_version": 2, "experiment": "sweep", "cells": {}}', "schema_version is 2; expected 1"),
        (
            json.dumps({"schema_version": 1, "experiment": "sweep", "cells": {"x": CELL | {"seeds": [-1]}}}),
            r"cells\.x\.seeds\[0\] is -1; at least 0",
        ),
    ],
)
@pytest.mark.parametrize(
    "action",
    [
        lambda runs_dir: read_experiment(runs_dir, "sweep"),
        lambda runs_dir: add_cells(runs_dir, "sweep", {"0123456789ab": CELL}),
    ],
    ids=["read", "add"],
)
def test_a_damaged_index_is_named_and_never_overwritten(
    tmp_path: Path, content: str, reason: str, action: Callable[[Path], object]
) -> None:
    path = add_cells(tmp_path, "sweep", {})
    path.write_text(content)
    with pytest.raises(UserError, match=rf"sweep\.json is damaged \(.*{reason}.*\): remove it and run"):
        action(tmp_path)
    assert path.read_text() == content


def test_tracks_of_a_cell_are_united_and_an_index_without_them_still_reads(tmp_path: Path) -> None:
    add_cells(tmp_path, "quickstart", {"0123456789ab": CELL})
    assert "tracks" not in read_experiment(tmp_path, "quickstart")["0123456789ab"]
    for track in ("tuned", "recipe", "tuned"):
        add_cells(tmp_path, "quickstart", {"0123456789ab": CELL | {"tracks": [track]}})
    assert read_experiment(tmp_path, "quickstart")["0123456789ab"]["tracks"] == ["recipe", "tuned"]
