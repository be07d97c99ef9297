"""Every claim of the catalogue runs in miniature, and its negative control is rejected by the rules that judge it."""

import json
from pathlib import Path
from typing import Any

import pytest

from bnbench.claims.claim import Claim
from bnbench.claims.finding import claim_ids, load_claim
from bnbench.claims.report.view import pictures
from bnbench.claims.result import as_data, read_result, result_path
from bnbench.claims.running import run_claim
from bnbench.claims.source import experiment_file
from bnbench.claims.verdict import Verdict

CLAIMS = [load_claim(claim_id) for claim_id in claim_ids()]
NOT_EMPTY = ("statement", "published", "protocol", "statistic", "rule", "sentence", "key_figure", "command")
EXPECTED = {
    *("S1_steadier", "S2_faster", "S3_better"),
    *("A1", "A2", "A3", "A5", "A6", "A7", "A15", "A16", "A17", "A19", "B1", "B3"),
}


def slow_if_it_trains(claim: Claim) -> Any:
    return pytest.param(claim, id=claim.claim_id, marks=[pytest.mark.slow] if claim.experiment else [])


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one folder for all claims: those that train the same share their records."""
    return tmp_path_factory.mktemp("claims")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("claim", list(map(slow_if_it_trains, CLAIMS)))
def test_the_negative_control_is_rejected_and_the_result_is_complete(claim: Claim, runs_dir: Path) -> None:
    outcome = run_claim(claim.claim_id, size="miniature", runs_dir=runs_dir, say=lambda _: None)
    assert outcome.error is None, outcome.traceback
    assert outcome.result is not None
    assert outcome.result.control_verdict is Verdict.FAILS, [
        (found.part.name, found.low, found.high, found.verdict) for found in outcome.result.control
    ]
    path = result_path(runs_dir, claim.claim_id, "miniature")
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["id"] == claim.claim_id
    assert written["verdict"] in list(Verdict)
    assert all(isinstance(written[name], str) and written[name].strip() for name in NOT_EMPTY)
    assert [found["part"]["name"] for found in written["findings"]] == [part.name for part in claim.parts]
    assert as_data(read_result(path)) == written
    assert all(picture.svg.startswith("<svg") for picture in pictures(read_result(path)))


def test_the_catalogue_holds_what_it_is_to_hold() -> None:
    ids = {claim.claim_id for claim in CLAIMS} | {claim.claim_id.partition("_")[0] for claim in CLAIMS}
    assert ids >= EXPECTED


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.claim_id)
def test_a_claim_says_what_a_reader_needs(claim: Claim) -> None:
    assert claim.paper.authors
    assert claim.paper.section
    assert claim.published.strip()
    assert 0 < claim.cost.quick <= claim.cost.full
    assert all(part.statement for part in claim.parts)
    assert claim.experiment is None or experiment_file(claim.experiment).is_file()
