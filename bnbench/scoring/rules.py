"""What makes times comparable: one metric, budget and cadence per workload; what differs is refused."""

from collections import Counter
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bnbench.records import Record, Skipped

MAX_EVALUATIONS = 1_000_000
"""A record that claims more would fill the memory: its evaluation steps are laid out before its rows are looked at."""

MAX_STEPS = 2**53
"""From here on two steps may be one float."""


@dataclass(frozen=True)
class Rules:
    """What all entries of a workload must share, or their times cannot be compared."""

    metric: str
    direction: str
    max_steps: int
    eval_every_steps: int

    def steps(self) -> NDArray[np.int64]:
        """Return the evaluated steps (g,): 0, every eval_every_steps, and max_steps; read-only."""
        return _steps(self.max_steps, self.eval_every_steps)


@lru_cache(maxsize=8)
def _steps(max_steps: int, eval_every_steps: int) -> NDArray[np.int64]:
    """Laid out once for the thousands of records that share a budget."""
    steps = np.union1d(np.arange(0, max_steps, eval_every_steps), [max_steps])
    steps.setflags(write=False)
    return steps


class RefusedError(Exception):
    """Why one record does not count."""


def is_reference(entry: str, norm: str, reference: str) -> bool:
    """Return whether an entry is what the user called the reference, by its text or by its norm's name."""
    return reference in (entry, norm)


def rules_of(record: Record) -> Rules:
    """Return what the record's times were measured under; raises RefusedError where the record does not say it."""
    budget = record.config.get("budget")
    keys = ("max_steps", "eval_every_steps")
    numbers = [int(budget[key]) for key in keys if isinstance(budget.get(key), int)] if isinstance(budget, dict) else []
    if len(numbers) < len(keys) or min(numbers) < 1:
        raise RefusedError("its config has no budget.max_steps and budget.eval_every_steps of at least 1")
    max_steps, eval_every_steps = numbers
    if max_steps > MAX_STEPS:
        raise RefusedError(f"its budget.max_steps is {max_steps:,}; at most {MAX_STEPS:,} can be told apart")
    if max_steps // eval_every_steps > MAX_EVALUATIONS:
        raise RefusedError(
            f"its budget makes {max_steps // eval_every_steps:,} evaluations; at most {MAX_EVALUATIONS:,}"
        )
    return Rules(record.metric["name"], record.metric["direction"], max_steps, eval_every_steps)


def under_one_rule(
    records: list[tuple[Record, Rules]], *, reference: str
) -> tuple[list[tuple[Record, Rules]], list[Skipped]]:
    """Split a workload's records into those under the reference's rules and those refused because they are not.

    Without a reference the rules that most records share hold; where two are equally common, all records are refused.
    """
    of_reference = [rules for record, rules in records if is_reference(record.entry, record.norm, reference)]
    common = Counter(of_reference or [rules for _, rules in records]).most_common(2)
    if len(common) == 2 and common[0][1] == common[1][1]:
        reason = f"refused: the workload's records disagree on {_difference(common[0][0], common[1][0])}"
        return [], [Skipped(record.path, f"{reason}, and nothing tells which is meant") for record, _ in records]
    held = common[0][0]
    who = "the reference" if of_reference else "most records"
    refused = [
        Skipped(
            record.path, f"refused, not compared: it differs from {who} of its workload in {_difference(rules, held)}"
        )
        for record, rules in records
        if rules != held
    ]
    return [(record, rules) for record, rules in records if rules == held], refused


def _difference(rules: Rules, held: Rules) -> str:
    return ", ".join(
        f"{field.name} ({getattr(rules, field.name)} against {getattr(held, field.name)})"
        for field in fields(Rules)
        if getattr(rules, field.name) != getattr(held, field.name)
    )
