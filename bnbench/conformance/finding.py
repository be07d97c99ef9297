"""What one check found out, and how to say it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check ended; only a fail makes a norm unfit to compare."""

    PASS = "pass"
    NOTE = "note"
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Outcome:
    """The verdict of a check, the number it measured in words, and one sentence on what that means."""

    verdict: Verdict
    measured: str
    meaning: str


@dataclass(frozen=True)
class Finding:
    """The outcome of a check by its name."""

    check: str
    verdict: Verdict
    measured: str
    meaning: str


def passed(measured: str, meaning: str) -> Outcome:
    """Return that all is well."""
    return Outcome(Verdict.PASS, measured, meaning)


def noted(measured: str, meaning: str) -> Outcome:
    """Return something a user should know and may want."""
    return Outcome(Verdict.NOTE, measured, meaning)


def failed(measured: str, meaning: str) -> Outcome:
    """Return a defect."""
    return Outcome(Verdict.FAIL, measured, meaning)


def not_applicable(meaning: str) -> Outcome:
    """Return why there was nothing to check."""
    return Outcome(Verdict.NOT_APPLICABLE, "–", meaning)
