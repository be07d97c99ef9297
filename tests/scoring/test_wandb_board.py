"""`python -m bnbench.leaderboard --wandb`: the run that it leaves, read back from its file, holds the board."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bnbench import leaderboard
from bnbench.records import load_records
from bnbench.scoring import score

READER = Path(__file__).parent.parent / "end_to_end" / "wandb_file.py"
HOSTILE = "<script>alert(1)</script>"
SECRET = "0123456789abcdef"


def load(path: Path) -> ModuleType:
    """Import a file beside the tests: they are no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two workloads, an entry with a hostile name, and a record that is damaged."""
    runs_dir = tmp_path_factory.mktemp("wandb") / "runs"
    write_cell = load(Path(__file__).with_name("conftest.py")).write_cell
    for dataset in ("digits", "wine"):
        write_cell(runs_dir, "none", [50, 60, 70, 80, None, 60, 70, 80], dataset=dataset)
        write_cell(runs_dir, "batch", [20, 30, 20, 30, 40, 20, 30, 20], dataset=dataset)
        write_cell(runs_dir, HOSTILE, [90, 90, 80, 90, None, None, 90, None], dataset=dataset, norm="layer")
    damaged = write_cell(runs_dir, "rms", [20, 30])
    (damaged / "history.parquet").write_bytes(b"PAR1")
    return runs_dir


@pytest.fixture(scope="module")
def logged(runs: Path) -> tuple[Path, Any, str]:
    """The folder of the offline run, the run read back, and what the command said."""
    command = [sys.executable, "-m", "bnbench.leaderboard", str(runs), str(runs.parent / SECRET), "--wandb"]
    command += ["--wandb-project", "norms"]
    (runs.parent / SECRET).mkdir()
    environment = {**os.environ, "WANDB_MODE": "offline", "SOME_API_KEY": SECRET}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (file,) = runs.glob("wandb/offline-run-*/*.wandb")
    return file.parent, load(READER).read_wandb_file(file), done.stderr


def table(folder: Path, run: Any, name: str) -> list[dict[str, Any]]:
    """Return the rows of a logged table as the browser gets them."""
    content = json.loads((folder / "files" / run.rows[0][f"{name}/path"]).read_text())
    return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]


def test_the_run_is_a_leaderboard_of_its_project_and_the_command_says_how_to_upload_it(
    logged: tuple[Path, Any, str],
) -> None:
    folder, run, said = logged
    assert (run.name, run.project, run.exit_code) == ("leaderboard", "norms", 0)
    assert f"wandb sync {folder}" in said


def test_a_secret_on_the_command_line_is_not_in_the_command_of_the_run(logged: tuple[Path, Any, str]) -> None:
    _, run, _ = logged
    assert "bnbench.leaderboard" in run.config["command"]
    assert "***" in run.config["command"]
    assert SECRET not in run.config["command"]


def test_the_table_holds_every_row_of_the_board_with_its_numbers(logged: tuple[Path, Any, str], runs: Path) -> None:
    folder, run, _ = logged
    board = score(load_records(runs))
    rows = table(folder, run, "leaderboard")
    told = [(row["workload"], row["entry"], row["rank"], row["speedup_estimate"], row["verdict"]) for row in rows]
    assert told == [(row.workload, row.entry, row.rank, row.speedup.estimate, row.verdict) for row in board.entries]
    assert len(rows) == 6
    assert HOSTILE in {row["entry"] for row in rows}


def test_what_was_not_counted_is_in_the_run_with_its_reason(logged: tuple[Path, Any, str]) -> None:
    folder, run, _ = logged
    (row,) = table(folder, run, "skipped")
    assert "rms" in row["path"]
    assert row["reason"]


def test_charts_and_the_page_come_along(logged: tuple[Path, Any, str]) -> None:
    folder, run, _ = logged
    charts = [str(path) for key, path in run.rows[0].items() if key.startswith("charts/") and key.endswith("/path")]
    for name in ("digits, hard, recipe/learning_curves", "wine, hard, recipe/time_to_target", "/anchored_scores"):
        assert any(name in path for path in charts), name
    for path in charts:
        text = (folder / "files" / path).read_text()
        assert json.loads(text)["data"], "a chart without a curve"
        assert "<script>" not in text
    page = (folder / "files" / run.rows[0]["page/path"]).read_text(encoding="utf-8")
    assert "digits" in page
    assert HOSTILE not in page


def test_the_summary_says_who_leads_each_workload(logged: tuple[Path, Any, str]) -> None:
    _, run, _ = logged
    assert run.summary["digits/hard/recipe/first"] == "batch"
    assert "fewer steps than none" in run.summary["wine/hard/recipe/verdict"]
    assert run.summary["anchored/hard/recipe/batch"] > 1
    assert run.summary["anchored/hard/recipe/none"] == pytest.approx(1)


def test_a_run_that_cannot_be_started_is_one_message_and_the_board_is_shown_all_the_same(
    runs_dir: Path,
    cell: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    cell("none", [50, 60])
    assert leaderboard.main([str(runs_dir), "--wandb", "--wandb-project", "no/such project!"]) == 1
    told = capsys.readouterr()
    assert "the reference: reaches" in told.out
    (line,) = told.err.splitlines()
    assert "Weights & Biases" in line


def test_without_the_flag_weights_and_biases_is_never_imported(runs_dir: Path, cell: Callable[..., Path]) -> None:
    cell("none", [50, 60])
    code = (
        "import sys; from bnbench import leaderboard; "
        f"leaderboard.main([{str(runs_dir)!r}]); assert 'wandb' not in sys.modules and 'plotly' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
