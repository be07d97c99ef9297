"""docs/adding_a_claim.md is followed to the letter, with a catalogue of its own."""

import re
import shlex
from pathlib import Path

import pytest

from bnbench.claims import catalogue
from bnbench.claims.__main__ import main
from bnbench.claims.result import read_result, result_path
from bnbench.claims.verdict import Verdict

PAGE = Path(__file__).parent.parent.parent / "docs" / "adding_a_claim.md"
CLAIM = "B7_rms_without_mean"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_page_leads_to_a_claim_with_a_verdict_and_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    [text] = blocks("python")
    (folder / f"{CLAIM}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(catalogue, "__path__", [str(folder)])
    monkeypatch.chdir(tmp_path)
    for command in "".join(blocks("console")).splitlines():
        program, *words = shlex.split(command)[2:]
        assert program == "bnbench.claims"
        assert main(words) == 0, capsys.readouterr().err
    result = read_result(result_path(Path("runs"), CLAIM, "quick"))
    assert result.verdict is Verdict.HOLDS
    assert result.control_verdict is Verdict.FAILS
    assert CLAIM in (tmp_path / "docs" / "claims.md").read_text()


def test_the_page_names_only_files_that_exist() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", PAGE.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
