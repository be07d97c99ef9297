"""The result of a claim: everything a reader or a report needs, in one JSON file that appears whole."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf, isfinite
from pathlib import Path
from typing import Any

from bnbench.claims.checking import check
from bnbench.claims.claim import CLAIM_ID, Claim, Cost, Curve, Figure, Measured, Paper, Part, Region, Scope, Size
from bnbench.claims.sentence import key_figure, sentence_of
from bnbench.claims.verdict import Finding, Verdict, in_words, judge, verdict_of_claim
from bnbench.errors import UserError
from bnbench.records.atomic import make_folder, write_atomically

SCHEMA_VERSION = 1
FOLDER = "claims"


@dataclass(frozen=True, kw_only=True)
class Result:
    """A claim with what was found; `control` is what the same machinery said of the planted false version."""

    claim_id: str
    size: Size
    statement: str
    scope: Scope
    published: str
    paper: Paper
    protocol: str
    experiment: str | None
    statistic: str
    rule: str
    cost: Cost
    verdict: Verdict
    verdict_in_words: str
    sentence: str
    key_figure: str
    findings: tuple[Finding, ...]
    control_statement: str
    control_verdict: Verdict
    control: tuple[Finding, ...]
    figure: Figure | None
    remarks: tuple[str, ...]
    seeds: tuple[int, ...]
    seconds: float
    command: str
    versions: Mapping[str, str]


def result_of(
    claim: Claim, measured: Measured, *, size: Size, seeds: tuple[int, ...], seconds: float, versions: Mapping[str, str]
) -> Result:
    """Return the judged measurement.

    Where the machinery does not reject the control it cannot tell the claim from a false one: then the claim is
    inconclusive whatever its own intervals say.
    """
    findings = judge(claim.parts, measured.values)
    control_parts = claim.parts if claim.control.parts is None else claim.control.parts
    control = judge(control_parts, claim.control.values(measured))
    control_verdict = verdict_of_claim([found.verdict for found in control])
    verdict = verdict_of_claim([found.verdict for found in findings])
    sentence = sentence_of(verdict, findings, claim.scope)
    if control_verdict is not Verdict.FAILS:
        sentence = (
            f"Inconclusive: the negative control ({claim.control.statement}) came out as {control_verdict.value}, so "
            f"that this measurement cannot tell the claim from a false one. By itself it says: {sentence}"
        )
        verdict = Verdict.INCONCLUSIVE
    return Result(
        claim_id=claim.claim_id,
        size=size,
        statement=claim.statement,
        scope=claim.scope,
        published=claim.published,
        paper=claim.paper,
        protocol=claim.protocol,
        experiment=claim.experiment,
        statistic=claim.statistic,
        rule=claim.rule,
        cost=claim.cost,
        verdict=verdict,
        verdict_in_words=in_words(verdict, claim.scope),
        sentence=sentence,
        key_figure=key_figure(findings),
        findings=tuple(findings),
        control_statement=claim.control.statement,
        control_verdict=control_verdict,
        control=tuple(control),
        figure=None if claim.figure is None else claim.figure(measured),
        remarks=measured.remarks,
        seeds=seeds,
        seconds=seconds,
        command=command_of(claim.claim_id, size),
        versions=versions,
    )


def command_of(claim_id: str, size: Size) -> str:
    """Return what measures the claim again."""
    return f"python -m bnbench.claims run {claim_id}{'' if size == 'full' else f' --{size}'}"


def result_path(runs_dir: Path, claim_id: str, size: Size) -> Path:
    """Return RUNS_DIR/claims/<id>-<size>.json."""
    return runs_dir / FOLDER / f"{claim_id}-{size}.json"


def write_result(runs_dir: Path, result: Result) -> Path:
    """Write the result's file and return its path; raises UserError where it cannot be written."""
    path = result_path(runs_dir, result.claim_id, result.size)
    make_folder(path.parent)
    text = json.dumps(as_data(result), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, f"{text}\n".encode())
    return path


def as_data(result: Result) -> dict[str, Any]:
    """Return the result as plain values for JSON; an end that is open and a value that is no number are null."""
    values = asdict(result)
    return {"schema_version": SCHEMA_VERSION, "id": values.pop("claim_id"), **_plain(values)}


def read_result(path: Path) -> Result:
    """Return the result in a file; raises UserError for one that is damaged or of another version."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refused)
        version = data.pop("schema_version")
        if version != SCHEMA_VERSION:
            raise UserError(f"{path} is of version {version}, not {SCHEMA_VERSION}: remove it and run the claim again")
        if not CLAIM_ID.fullmatch(data["id"]):
            raise ValueError(f"{data['id']!r} is no id of a claim")
        result = _result(data)
        check(result, where="the result")
        return result
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({error}): remove it and run the claim again") from error


def read_results(runs_dir: Path) -> list[Result]:
    """Return every result in RUNS_DIR/claims, by file name."""
    return [read_result(path) for path in sorted((runs_dir / FOLDER).glob("*.json"))]


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")


def _result(data: dict[str, Any]) -> Result:
    known = {name: value for name, value in data.items() if name != "id"}
    return Result(
        **{
            **known,
            "claim_id": data["id"],
            "paper": Paper(**data["paper"]),
            "cost": Cost(**data["cost"]),
            "verdict": Verdict(data["verdict"]),
            "findings": tuple(map(_finding, data["findings"])),
            "control_verdict": Verdict(data["control_verdict"]),
            "control": tuple(map(_finding, data["control"])),
            "figure": None if data["figure"] is None else _figure(data["figure"]),
            "remarks": tuple(data["remarks"]),
            "seeds": tuple(data["seeds"]),
        }
    )


def _finding(data: dict[str, Any]) -> Finding:
    part = dict(data["part"])
    regions = {name: None if part[name] is None else _region(part[name]) for name in ("holds", "direction")}
    low, high = _ends(data)
    return Finding(
        Part(**{**part, **regions}),
        data["estimate"],
        low,
        high,
        Verdict(data["verdict"]),
        data["seeds"],
        tuple(data["values"]),
    )


def _region(data: dict[str, Any]) -> Region:
    return Region(*_ends(data))


def _ends(data: dict[str, Any]) -> tuple[float, float]:
    return -inf if data["low"] is None else data["low"], inf if data["high"] is None else data["high"]


def _figure(data: dict[str, Any]) -> Figure:
    return Figure(**{**data, "curves": tuple(Curve(**curve) for curve in data["curves"])})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if name != "_"}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if isfinite(value) else None
    if hasattr(value, "tolist"):  # NumPy's numbers and arrays
        return _plain(value.tolist())
    return value
