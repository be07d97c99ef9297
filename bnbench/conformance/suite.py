"""Meet a norm with every check: the report card."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from bnbench.conformance import checks as checks  # registers them
from bnbench.conformance.batches import refuses_rows, with_batches_it_takes
from bnbench.conformance.costs import Costs, costs_if_it_runs
from bnbench.conformance.finding import Finding, Verdict, failed, not_applicable
from bnbench.conformance.raised import said
from bnbench.conformance.registration import CHECKS
from bnbench.conformance.subject import NUM_FEATURES, NUM_ROWS, Subject, subject_of
from bnbench.conformance.traits import Traits, traits_if_it_runs
from bnbench.errors import UserError
from bnbench.norms.registration import Kind
from bnbench.seeding import one_thread

# the one check that takes a clock
COST_CHECK = "cost"
# the one without which no other means anything, but for the one that may tell its cause: features taken for rows
FIRST_CHECK, LAYOUT_CHECK = "ordinary_batch", "layout"
# statistics over a batch take two rows; checks feed as few
USUAL_SMALLEST_BATCH = 2


@dataclass(frozen=True)
class ReportCard:
    """What the checks found out about a norm, and the traits and costs that were measured.

    `traits` and `costs` are None where the norm raises on ordinary inputs, which the findings say; `costs` also where
    they were not asked for.
    """

    entry: str
    kind: Kind
    num_features: int
    findings: tuple[Finding, ...]
    traits: Traits | None
    costs: Costs | None

    def of(self, verdict: Verdict) -> tuple[Finding, ...]:
        """Return the findings with this verdict."""
        return tuple(finding for finding in self.findings if finding.verdict is verdict)

    def raise_for_failures(self) -> None:
        """Raise AssertionError that names every failed check, for a test of one line."""
        failures = self.of(Verdict.FAIL)
        if failures:
            lines = [f"  {found.check}: {found.measured}: {found.meaning}" for found in failures]
            raise AssertionError("\n".join([f"norm '{self.entry}' fails {len(failures)} checks", *lines]))


def check_norm(
    target: str | Callable[..., nn.Module],
    *,
    kind: Kind | None = None,
    options: Mapping[str, Any] | None = None,
    num_features: int = NUM_FEATURES,
    with_costs: bool = True,
) -> ReportCard:
    """Return the report card of a norm: a registered name, a class path, a class or a function.

    Costs take a clock and half a second; nothing else differs from call to call. Raises UserError for what cannot be
    found, imported or built.
    """
    subject = subject_of(target, kind=kind, options=options, num_features=num_features)
    subject.build()
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a check that asks about warnings records its own
        subject = with_batches_it_takes(subject)
        runs = _meet(FIRST_CHECK, subject)
        names = [name for name in CHECKS.names() if with_costs or name != COST_CHECK]
        if runs.verdict is Verdict.FAIL:
            # one cause, said once: twenty checks that meet it would say it twenty times
            findings = [runs if name == FIRST_CHECK else _unmet(name, subject) for name in names]
            return ReportCard(subject.norm.entry, subject.kind, num_features, tuple(findings), None, None)
        findings = [runs if name == FIRST_CHECK else _meet(name, subject) for name in names]
        traits = traits_if_it_runs(subject)
        costs = costs_if_it_runs(subject) if with_costs else None
        return ReportCard(subject.norm.entry, subject.kind, num_features, tuple(findings), traits, costs)


def _meet(name: str, subject: Subject) -> Finding:
    try:
        outcome = CHECKS.get(name)(subject)
    except UserError as error:
        entry = subject.norm.entry
        raise error if entry in str(error) else UserError(f"norm '{entry}' in check {name}: {error}") from error
    except (Exception, SystemExit) as error:  # raised by the norm: a stranger's code may do anything
        picky = subject.smallest_batch > USUAL_SMALLEST_BATCH or subject.num_rows != NUM_ROWS
        if picky and refuses_rows(error):
            outcome = not_applicable(f"it asks for batches that the norm refuses: {said(error)}")
        else:
            outcome = failed(said(error), "the norm raised where it should compute")
    return Finding(name, outcome.verdict, outcome.measured, outcome.meaning)


def _unmet(name: str, subject: Subject) -> Finding:
    """Return what is said of a check of a norm that does not run: that of the layout may know why."""
    if name == LAYOUT_CHECK:
        return _meet(name, subject)
    outcome = not_applicable(f"an ordinary batch does not go through: see {FIRST_CHECK}")
    return Finding(name, outcome.verdict, outcome.measured, outcome.meaning)
