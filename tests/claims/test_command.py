"""`python -m bnbench.claims`: what it lists, measures and keeps, and how it says what it cannot do."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnbench.claims.__main__ import main
from bnbench.claims.result import read_result, result_path
from bnbench.claims.verdict import Verdict
from bnbench.records import load_records

Write = Callable[..., Path]
RAISES = """
from bnbench.claims.claim import Claim, Control, Cost, Curve, Figure, Measured, Paper, Part, Region

def measure(setting):
    raise ZeroDivisionError("nothing to divide by")
"""


def run(*words: str, runs_dir: Path) -> int:
    return main(["run", *words, "--quick", "--runs-dir", str(runs_dir)])


def test_list_starts_without_what_trains_and_names_every_claim() -> None:
    code = (
        "import sys; from bnbench.claims.__main__ import main; code = main(['list', '--json']);"
        "heavy = {'lightning', 'pytorch_lightning', 'torchmetrics', 'wandb', 'plotly'} & set(sys.modules);"
        "sys.stderr.write(' '.join(sorted(heavy))); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    listed = json.loads(done.stdout)
    assert {"S1_steadier", "S2_faster", "S3_better"} <= {claim["id"] for claim in listed}
    assert all(claim["statement"] and claim["scope"] in ("exact", "transfer") for claim in listed)


def test_list_names_a_file_that_cannot_be_read_and_shows_the_others(
    own_catalogue: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    own_catalogue("A1_sound")
    own_catalogue("A2_broken").write_text("import no_such_module\n")
    assert main(["list"]) == 1
    said = capsys.readouterr()
    assert "A1_sound" in said.out
    assert "A2_broken cannot be read (ModuleNotFoundError" in said.err


def test_an_unknown_claim_is_answered_with_the_nearest_and_the_known(
    own_catalogue: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_catalogue("A1_numbers")
    assert run("A1_nubmers", runs_dir=tmp_path) == 2
    said = capsys.readouterr().err
    assert said == "bnbench.claims: unknown claim 'A1_nubmers'; did you mean 'A1_numbers'? Choose from: A1_numbers\n"


@pytest.mark.parametrize(
    ("value", "scope", "verdict", "words"),
    [
        (11.0, "exact", "holds", "holds"),
        (7.0, "exact", "partial", "partial"),
        (1.0, "exact", "fails", "fails"),
        (1.0, "transfer", "fails", "not seen in MLPs"),
        (9.96, "exact", "inconclusive", "inconclusive"),
    ],
)
def test_any_verdict_is_a_result_and_ends_well(
    own_catalogue: Write,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    value: float,
    scope: str,
    verdict: str,
    words: str,
) -> None:
    own_catalogue("A1_numbers", value=value, scope=scope)
    assert run("A1", runs_dir=tmp_path) == 0
    said = capsys.readouterr()
    assert words in said.out
    assert f"{words[0].upper()}{words[1:]}: the number is large" in said.out
    assert "[1/1] A1_numbers" in said.err
    result = read_result(result_path(tmp_path, "A1_numbers", "quick"))
    assert (result.verdict.value, result.verdict_in_words) == (verdict, words)


def test_a_claim_that_raises_is_named_and_the_others_go_on(
    own_catalogue: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_catalogue("A1_raises", head=RAISES)
    own_catalogue("A2_numbers")
    assert main(["run", "all", "--quick", "--json", "--runs-dir", str(tmp_path)]) == 1
    said = capsys.readouterr()
    broken, sound = json.loads(said.out)
    assert broken == {
        "id": "A1_raises",
        "verdict": None,
        "error": "ZeroDivisionError: nothing to divide by",
    }
    assert (sound["id"], sound["verdict"], sound["error"]) == ("A2_numbers", "holds", None)
    assert "Traceback" not in said.err
    assert main(["run", "A1", "--quick", "--debug", "--runs-dir", str(tmp_path)]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_what_is_measured_is_kept_until_the_claim_changes(
    own_catalogue: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_catalogue("A1_numbers")
    run("A1", runs_dir=tmp_path)
    path = result_path(tmp_path, "A1_numbers", "quick")
    first = path.read_bytes()
    capsys.readouterr()
    assert run("A1", runs_dir=tmp_path) == 0
    said = capsys.readouterr()
    assert "kept from before" in said.err
    assert "measuring" not in said.err
    assert "holds" in said.out
    assert path.read_bytes() == first
    own_catalogue("A1_numbers", value=1.0)
    assert run("A1", runs_dir=tmp_path) == 0
    assert "measuring" in capsys.readouterr().err
    assert read_result(path).verdict is Verdict.FAILS


def test_what_another_engine_trained_is_measured_again(
    own_catalogue: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_catalogue("A1_numbers")
    run("A1", runs_dir=tmp_path)
    path = result_path(tmp_path, "A1_numbers", "quick")
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"versions": data["versions"] | {"engine": "another"}}))
    markdown = tmp_path / "claims.md"
    main(["report", str(tmp_path), "--markdown", str(markdown)])
    assert "was changed since this was measured" in markdown.read_text()
    capsys.readouterr()
    assert run("A1", runs_dir=tmp_path) == 0
    assert "measuring" in capsys.readouterr().err


def test_results_of_claims_are_no_cells_of_the_folder_of_runs(own_catalogue: Write, tmp_path: Path) -> None:
    own_catalogue("A1_numbers")
    run("A1", runs_dir=tmp_path / "runs")
    assert load_records(tmp_path / "runs").skipped == []


def test_another_size_is_another_result(own_catalogue: Write, tmp_path: Path) -> None:
    own_catalogue("A1_numbers")
    for flags in ([], ["--quick"], ["--miniature"]):
        assert main(["run", "A1", *flags, "--runs-dir", str(tmp_path)]) == 0
    seeds = {
        size: len(read_result(result_path(tmp_path, "A1_numbers", size)).seeds)  # type: ignore[arg-type]
        for size in ("miniature", "quick", "full")
    }
    assert seeds == {"miniature": 4, "quick": 8, "full": 16}


def test_a_control_that_is_not_rejected_leaves_the_claim_inconclusive(own_catalogue: Write, tmp_path: Path) -> None:
    own_catalogue("A1_numbers", control=20.0)
    assert run("A1", runs_dir=tmp_path) == 0
    result = read_result(result_path(tmp_path, "A1_numbers", "quick"))
    assert result.findings[0].verdict is Verdict.HOLDS
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.sentence.startswith("Inconclusive: the negative control (a small number) came out as holds")


def test_the_report_shows_every_result_escaped_and_asks_nothing_of_a_network(
    own_catalogue: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_catalogue("A1_numbers")
    own_catalogue("A10_later")
    own_catalogue("A2_missing")
    run("A1", "A10", runs_dir=tmp_path)
    capsys.readouterr()
    markdown = tmp_path / "docs" / "claims.md"
    assert main(["report", str(tmp_path), "--markdown", str(markdown)]) == 0
    assert "2 claims: 2 hold" in capsys.readouterr().out
    text, page = markdown.read_text(), (tmp_path / "claims" / "claims.html").read_text()
    assert text.index("## A1") < text.index("## A10")
    assert "Not measured yet: A2" in text
    assert "python -m bnbench.claims run A1_numbers --quick" in text
    for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text):
        picture = (markdown.parent / link).read_text()
        assert "a&lt;b" in picture
        assert "prefers-color-scheme: dark" in picture
    for shown in (text, page):
        assert "<script>alert" not in shown
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert "<svg" in page


def test_a_result_of_an_older_claim_is_reported_as_such(own_catalogue: Write, tmp_path: Path) -> None:
    own_catalogue("A1_numbers")
    run("A1", runs_dir=tmp_path)
    own_catalogue("A1_numbers", value=12.0)
    markdown = tmp_path / "claims.md"
    assert main(["report", str(tmp_path), "--markdown", str(markdown)]) == 0
    assert "The claim was changed since this was measured" in markdown.read_text()


def test_a_report_of_nothing_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 1
    assert f"no claim was measured in {tmp_path}; measure one: python -m" in capsys.readouterr().err


def test_a_result_whose_experiment_is_gone_is_reported_as_of_an_older_claim(
    own_catalogue: Write, tmp_path: Path
) -> None:
    own_catalogue("A1_numbers")
    run("A1", runs_dir=tmp_path)
    path = result_path(tmp_path, "A1_numbers", "quick")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"experiment": "renamed_since"}))
    markdown = tmp_path / "claims.md"
    assert main(["report", str(tmp_path), "--markdown", str(markdown)]) == 0
    assert "The claim was changed since this was measured" in markdown.read_text()


@pytest.mark.parametrize(("flag", "warned"), [("--miniature", True), ("--quick", False)])
def test_the_report_says_in_which_setting_a_verdict_was_reached(
    own_catalogue: Write, tmp_path: Path, flag: str, *, warned: bool
) -> None:
    own_catalogue("A1_numbers")
    main(["run", "A1", flag, "--runs-dir", str(tmp_path)])
    markdown = tmp_path / "claims.md"
    assert main(["report", str(tmp_path), "--markdown", str(markdown)]) == 0
    text, page = markdown.read_text(), (tmp_path / "claims" / "claims.html").read_text()
    assert re.search(rf"\| holds \| 11 [^|]* \| {flag.removeprefix('--')} \|", text)
    assert f"<td>{flag.removeprefix('--')}</td>" in page
    assert ("its verdict means nothing" in text) is warned
    assert ("its verdict means nothing" in page) is warned


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema_version": 99}', '{"schema_version": 1, "id": "../A1"}'])
def test_a_damaged_result_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    path = result_path(tmp_path, "A1_numbers", "quick")
    path.parent.mkdir()
    path.write_text(content)
    assert main(["report", str(tmp_path), "--markdown", str(tmp_path / "claims.md")]) == 1
    said = capsys.readouterr().err
    assert str(path) in said
    assert "remove it and run the claim again" in said
    assert "internal error" not in said


CURVE = {"name": "a", "x": [1.0], "y": ["x"], "low": None, "high": None, "dashed": False}
FIGURE = {"title": "t", "x": "x", "y": "y", "log_x": False, "log_y": False, "points": False}


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../../A1_numbers"},
        {"findings": [1]},
        {"figure": {"curves": 3}},
        {"figure": {**FIGURE, "curves": [CURVE]}},
        {"figure": {**FIGURE, "curves": [{**CURVE, "y": [1.0, 2.0]}]}},
        {"figure": {**FIGURE, "curves": [{**CURVE, "y": [1.0], "name": 3}]}},
        {"size": "huge"},
        {"scope": "narrow"},
        {"seconds": None},
        {"seconds": 10**400},
        {"seconds": float("nan")},
        {"versions": ["1"]},
        {"published": 1},
        {"remarks": [3]},
        {"paper": {"authors": [], "year": 1, "title": "", "section": "", "where": ""}},
    ],
)
def test_a_result_that_was_tampered_with_is_named(own_catalogue: Write, tmp_path: Path, change: dict[str, Any]) -> None:
    own_catalogue("A1_numbers")
    run("A1", runs_dir=tmp_path)
    path = result_path(tmp_path, "A1_numbers", "quick")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert main(["report", str(tmp_path), "--markdown", str(tmp_path / "claims.md")]) == 1
