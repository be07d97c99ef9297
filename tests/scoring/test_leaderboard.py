"""The leaderboard command: exit codes, filters, formats, files, speed of its start."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bnbench.leaderboard import main
from bnbench.records.experiments import add_cells
from bnbench.records.write import begin_record

REPOSITORY = Path(__file__).parents[2]
Cell = Callable[..., Path]
HEAVY = ("torch", "lightning", "pytorch_lightning", "hydra", "omegaconf", "wandb", "sklearn", "matplotlib")


@pytest.fixture
def runs(cell: Cell, runs_dir: Path) -> Iterator[Path]:
    cell("none", [90, 80, 90, 100] * 2, experiments=["quickstart"])
    cell("batch", [30, 40, 30, 40] * 2, experiments=["quickstart"])
    cell("none", [50] * 8, dataset="breast_cancer")
    return runs_dir


def board_of(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict:  # type: ignore[type-arg]
    assert main([*map(str, arguments), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def test_json_has_the_documented_keys(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The keys of the contract; more may stand beside them."""
    begin_record(runs / "digits-rms-0123456789ab" / "seeds-0-7-00000000")
    board = board_of(capsys, runs)
    assert board.keys() >= {"schema_version", "reference", "workloads", "entries", "skipped"}
    workload_keys = "workload workload_id metric direction target target_level provenance max_steps eval_every_steps"
    row_keys = (
        "workload workload_id target_level track entry norm rank n_seeds hit_rate steps_to_target speedup final "
        "diverged verdict"
    )
    assert all(workload.keys() >= set(workload_keys.split()) for workload in board["workloads"])
    for row in board["entries"]:
        assert row.keys() >= set(row_keys.split())
        assert row["steps_to_target"].keys() >= {"median", "rmst", "low", "high"}
        assert row["speedup"].keys() >= {"estimate", "low", "high", "bound"}
        assert row["speedup"]["bound"] in {"exact", "at_least", "at_most", "undefined"}
        assert row["final"].keys() >= {"mean", "low", "high"}
        assert type(row["rank"]) is int
    assert board["skipped"] == [
        {
            "path": str(runs / "digits-rms-0123456789ab" / "seeds-0-7-00000000"),
            "reason": "unfinished: no run.json (killed, or still training)",
        }
    ]


def test_json_of_a_known_folder_is_golden(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every number of one row, worked by hand: min(t, T) 90 80 90 100 against 30 40 30 40, eight pairs."""
    (batch,) = [row for row in board_of(capsys, runs)["entries"] if row["entry"] == "batch"]
    # a/90 − b/35 = 9/63, −16/63, 9/63, −2/63, each twice: squares sum to 2 · 422 / 63², s² is 8/7² of it.
    # Half their skewness γ is −0.3052, and x + γx²/3 + γ²x³/27 + γ/48 = ±2.3646/√8 (t(7)) at 0.9271 and −0.7681.
    spread = (2 * 422 / 63**2 * 8) ** 0.5 / 7
    below, above = 0.927074281688 * spread, 0.768076752967 * spread
    assert batch["rank"] == 1
    assert (batch["n_seeds"], batch["hit_rate"], batch["diverged"]) == (8, 1.0, 0)
    assert batch["steps_to_target"]["median"] == 30
    assert batch["steps_to_target"]["rmst"] == 35
    assert batch["steps_to_target"]["low"] == pytest.approx(35 - 2.3646242515927844 * (8 * 25) ** 0.5 / 7)
    assert batch["speedup"]["estimate"] == pytest.approx(90 / 35)
    assert batch["speedup"]["low"] == pytest.approx(90 / 35 * 2.718281828459045**-below)
    assert batch["speedup"]["high"] == pytest.approx(90 / 35 * 2.718281828459045**above)
    assert batch["speedup"]["p_holm"] == 2 / 2**8
    assert batch["final"]["mean"] == pytest.approx(0.97)
    assert batch["verdict"].endswith("8 paired seeds, p_Holm = 0.0078): real.")


def test_the_default_folder_is_runs(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(runs.parent)
    assert board_of(capsys) == board_of(capsys, "runs")


def test_several_folders_make_one_board(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    (runs / "x").mkdir()
    moved = next(path for path in runs.iterdir() if "-batch-" in path.name)
    other.mkdir()
    moved.rename(other / moved.name)
    assert {row["entry"] for row in board_of(capsys, runs, other)["entries"]} == {"none", "batch"}


@pytest.mark.parametrize(
    ("arguments", "entries"),
    [
        (["--norm", "batch"], {("digits", "batch"), ("digits", "none"), ("breast_cancer", "none")}),
        (["--dataset", "breast_cancer"], {("breast_cancer", "none")}),
        (["--dataset", "breast_cancer,digits", "--norm", "batch,none"], None),
        (["--experiment", "quickstart"], {("digits", "batch"), ("digits", "none")}),
    ],
)
def test_filters_take_comma_lists(
    arguments: list[str], entries: set[tuple[str, str]] | None, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = {("digits", "batch"), ("digits", "none"), ("breast_cancer", "none")}
    found = {(row["workload"], row["entry"]) for row in board_of(capsys, runs, *arguments)["entries"]}
    assert found == (entries or everything)


def test_an_experiment_holds_the_cells_and_seeds_of_its_index(
    cell: Cell, runs_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = cell("none", [90] * 8)
    cell("batch", [30] * 8)
    add_cells(
        runs_dir,
        "small",
        {folder.parent.name.rpartition("-")[2]: {"entry": "none", "dataset": "digits", "seeds": [0, 1, 2]}},
    )
    (row,) = board_of(capsys, runs_dir, "--experiment", "small")["entries"]
    assert (row["entry"], row["n_seeds"]) == ("none", 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--norm", "bacth"], "did you mean 'batch'?"),
        (["--dataset", "digit"], "did you mean 'digits'?"),
        (["--experiment", "quikstart"], "did you mean 'quickstart'?"),
    ],
)
def test_an_unknown_name_is_bad_usage_in_one_line(
    arguments: list[str], message: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(runs), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--target", "high"],
        ["--target", "nan"],
        ["--level", "hardest"],
        ["--track", "tune"],
        ["--columns", "some"],
        ["--format", "xlsx"],
        ["--norm", ","],
        ["--target", "0.9", "--level", "easy"],
        ["--referenc", "none"],
    ],
)
def test_bad_usage_exits_with_two(arguments: list[str], runs: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(runs), *arguments])
    assert caught.value.code == 2


def test_no_such_folder_fails_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nothing")]) == 1
    error = capsys.readouterr().err
    assert "nothing does not exist" in error
    assert error.count("\n") == 1


def test_no_runs_fails_and_says_how_to_train_some(runs_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(runs_dir)]) == 1
    assert "bnbench.train" in capsys.readouterr().err


def test_only_unfinished_runs_fail_and_are_listed(runs_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin_record(runs_dir / "digits-rms-0123456789ab" / "seeds-0-7-00000000")
    assert main([str(runs_dir)]) == 1
    assert "seeds-0-7-00000000: unfinished" in capsys.readouterr().out.replace("\n", " ").replace("  ", "")


@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown"])
def test_output_writes_the_file_and_prints_nothing(
    form: str, runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "board"
    output.write_text("old")
    assert main([str(runs), "--format", form, "--output", str(output)]) == 0
    assert "batch" in output.read_text()
    assert capsys.readouterr().out == ""
    assert [path.name for path in tmp_path.iterdir() if path.name != "runs"] == ["board"], "no temporary file is left"


def test_a_page_is_not_poured_into_a_terminal(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main([str(runs), "--format", "html"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "--output board.html" in told.err


@pytest.mark.parametrize("output", ["missing/board.json", "."])
def test_a_bad_output_path_fails_in_one_line(
    output: str, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(runs)
    assert main([str(runs), "--output", output]) == 1
    error = capsys.readouterr().err
    assert f"cannot write --output {output}" in error
    assert error.count("\n") == 1


def test_what_is_left_out_is_listed_under_the_table(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin_record(runs / "digits-rms-0123456789ab" / "seeds-0-7-00000000")
    assert main([str(runs)]) == 0
    printed = capsys.readouterr().out
    assert "Not counted (1):" in printed
    assert "seeds-0-7-00000000" in printed


def test_debug_shows_the_traceback(runs: Path) -> None:
    with pytest.raises(Exception, match="did you mean 'batch'"):
        main([str(runs), "--norm", "bacth", "--debug"])


def run(
    *arguments: str | Path, program: tuple[str, ...] = ("-m", "bnbench.leaderboard")
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )


def test_a_real_board_is_printed_without_torch_lightning_or_hydra(runs: Path) -> None:
    program = (
        "import sys; from bnbench.leaderboard import main; code = main(sys.argv[1:]); "
        f"print('HEAVY', sorted(set(sys.modules) & set({HEAVY!r}))); sys.exit(code)"
    )
    result = run(runs, program=("-c", program))
    assert result.returncode == 0, result.stderr
    assert "batch reaches 95 %" in result.stdout.replace("\n", " ")
    assert "HEAVY []" in result.stdout


def test_help_comes_from_the_module(runs: Path) -> None:
    result = run("--help")
    assert result.returncode == 0
    assert "RUNS_DIR" in result.stdout


def test_a_reader_that_has_seen_enough_is_no_error(runs: Path) -> None:
    command = f"{sys.executable} -m bnbench.leaderboard {runs} --format json | head -c 1; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_terminal_without_unicode_still_shows_the_board(runs: Path) -> None:
    environment = {"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"}
    result = subprocess.run(
        [sys.executable, "-m", "bnbench.leaderboard", str(runs)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=REPOSITORY,
    )
    assert result.returncode == 0, result.stderr
    assert "batch" in result.stdout


def test_a_cell_asked_for_in_another_track_since_shows_in_both(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_cells(runs, "later", {cell_of(runs, "batch"): {"entry": "batch", "dataset": "digits", "seeds": [*range(8)]}})
    assert {row["track"] for row in board_of(capsys, runs)["entries"]} == {"recipe"}
    asked = {"entry": "batch", "dataset": "digits", "seeds": [*range(8)], "tracks": ["tuned", "<unheard of>"]}
    add_cells(runs, "later", {cell_of(runs, "batch"): asked})
    tracks = {(row["entry"], row["track"]) for row in board_of(capsys, runs)["entries"]}
    assert tracks == {("none", "recipe"), ("batch", "recipe"), ("batch", "tuned")}
    later = board_of(capsys, runs, "--experiment", "later")["entries"]
    assert {(row["entry"], row["track"]) for row in later} == {("batch", "tuned")}


def test_a_damaged_index_takes_nothing_else_from_the_board(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = board_of(capsys, runs)
    (runs / "experiments").mkdir()
    broken = {"schema_version": 1, "experiment": "broken", "cells": {"x": {"seeds": [-1]}}}
    (runs / "experiments" / "broken.json").write_text(json.dumps(broken), encoding="utf-8")
    after = board_of(capsys, runs)
    assert after["entries"] == before["entries"]
    (skipped,) = after["skipped"]
    assert "broken.json is damaged" in skipped["reason"]


def cell_of(runs: Path, norm: str) -> str:
    (folder,) = runs.glob(f"digits-{norm}-*")
    return folder.name.rpartition("-")[2]


def test_html_is_a_page_with_curves_seeds_and_commands(runs: Path, tmp_path: Path) -> None:
    begin_record(runs / "digits-rms-0123456789ab" / "seeds-0-7-00000000")
    page = tmp_path / "board.html"
    assert main([str(runs), "--format", "html", "--output", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert '"b0-learning_curves"' in text
    assert '"b0-time_to_target"' in text
    assert "unfinished: no run.json" in text
    assert text.count('<tbody role="rowgroup" class="entry') == 3
