"""Measuring claims one after another: what is there already is not measured again, one that breaks stops no other."""

import platform
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from bnbench.claims.claim import Claim, Setting, Size
from bnbench.claims.finding import load_claim
from bnbench.claims.result import Result, read_result, result_of, result_path, write_result
from bnbench.claims.source import source_hash
from bnbench.claims.training import train_records
from bnbench.errors import UserError
from bnbench.records import ENGINE_VERSION

SOURCE, ENGINE = "source", "engine"


@dataclass(frozen=True)
class Outcome:
    """A claim with its result, or with the error in its place; `kept` where the result was there already."""

    claim_id: str
    result: Result | None
    error: str | None = None
    traceback: str | None = None
    kept: bool = False


def run_claims(claim_ids: Sequence[str], *, size: Size, runs_dir: Path, say: Callable[[str], None]) -> list[Outcome]:
    """Measure every claim and write its result; an exception in one is its outcome."""
    outcomes = []
    for number, claim_id in enumerate(claim_ids, start=1):
        place = f"[{number}/{len(claim_ids)}] {claim_id}"
        say(f"{place} …")
        outcome = run_claim(claim_id, size=size, runs_dir=runs_dir, say=partial(_say_of, say, claim_id))
        outcomes.append(outcome)
        say(f"{place}: {told(outcome)}")
    return outcomes


def run_claim(claim_id: str, *, size: Size, runs_dir: Path, say: Callable[[str], None]) -> Outcome:
    """Return the outcome of one claim, from its file where that is of the same source and size."""
    try:
        claim = load_claim(claim_id)
        source = source_hash(claim_id, experiment=claim.experiment)
        known = known_result(runs_dir, claim_id, size=size, source=source)
        if known is not None:
            return Outcome(claim_id, known, kept=True)
        result = measure(claim, size=size, runs_dir=runs_dir, say=say, source=source)
        write_result(runs_dir, result)
        return Outcome(claim_id, result)
    except UserError as error:
        return Outcome(claim_id, None, str(error), traceback.format_exc())
    except Exception as error:  # a claim's own code may raise anything: it is named, and the others go on
        return Outcome(claim_id, None, f"{type(error).__name__}: {error}", traceback.format_exc())


def known_result(runs_dir: Path, claim_id: str, *, size: Size, source: str) -> Result | None:
    """Return the result that is there for this very source and engine, None where there is none or it is of others."""
    path = result_path(runs_dir, claim_id, size)
    if not path.is_file():
        return None
    result = read_result(path)
    return result if is_of(result, source) else None


def is_of(result: Result, source: str) -> bool:
    """Return whether a result is of this source, by the engine that trains today."""
    return (result.versions.get(SOURCE), result.versions.get(ENGINE)) == (source, str(ENGINE_VERSION))


def measure(claim: Claim, *, size: Size, runs_dir: Path, say: Callable[[str], None], source: str) -> Result:
    """Measure a claim and judge it."""
    seeds = tuple(range(claim.seeds[size]))
    train = partial(train_records, all_seeds=seeds, runs_dir=runs_dir, say=say)
    setting = Setting(size=size, seeds=seeds, runs_dir=runs_dir, say=say, train=train)
    start = time.monotonic()
    measured = claim.measure(setting)
    seconds = time.monotonic() - start
    return result_of(claim, measured, size=size, seeds=seeds, seconds=seconds, versions=versions(source))


def _say_of(say: Callable[[str], None], claim_id: str, text: str) -> None:
    say(f"  {claim_id}: {text}")


def versions(source: str) -> dict[str, str]:
    """Return what a result depends on."""
    return {
        SOURCE: source,
        ENGINE: str(ENGINE_VERSION),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("bnbench", "torch", "numpy")},
    }


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:  # run from a folder where it is not installed
        return "unknown"


def told(outcome: Outcome) -> str:
    """Return one line on how a claim ended."""
    if outcome.result is None:
        return f"could not be measured: {outcome.error}"
    result = outcome.result
    took = "kept from before" if outcome.kept else f"{result.seconds:.1f} s"
    return f"{result.verdict_in_words}, {result.key_figure}, {took}"
