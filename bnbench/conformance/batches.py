"""Which batches a norm trains on: the others are not asked of it."""

import re
from dataclasses import replace

import torch

from bnbench.conformance.passes import outputs_of
from bnbench.conformance.subject import NUM_ROWS, Subject

# what a refusal that can be understood speaks of
_OF_ROWS = re.compile(r"\b(batch|batches|batch size|rows?|examples?|samples?)\b", re.IGNORECASE)
# rows that are asked for before a norm is taken to refuse them all
MOST_ROWS_PER_FEATURE = 4


def with_batches_it_takes(subject: Subject) -> Subject:
    """Return the subject with the smallest batch it trains on, and an ordinary one that it takes.

    As declared or larger. What is refused without a word about rows counts as an error, not as a size.
    """
    smallest = _first_taken(subject, max(1, subject.norm.norm.minimum_batch))
    return replace(subject, smallest_batch=smallest, num_rows=_first_taken(subject, max(NUM_ROWS, smallest)))


def refuses_rows(error: BaseException) -> bool:
    """Return whether an error says that it is the number of rows that is refused."""
    try:
        return isinstance(error, Exception) and bool(_OF_ROWS.search(str(error)))
    except Exception:  # a stranger's __str__ may raise anything
        return False


def _first_taken(subject: Subject, rows: int) -> int:
    """Return the first number of rows from `rows` on that trains; `rows` itself where it is another error."""
    for tried in range(rows, max(rows, MOST_ROWS_PER_FEATURE * subject.num_features) + 1):
        refusal = refusal_in_training(subject, tried)
        if refusal is None:
            return tried
        # of a single row any refusal will do: what it says is the matter of another check
        if tried > 1 and not refuses_rows(refusal):
            return max(rows, 2) if rows <= 2 else rows
    return rows


def refusal_in_training(subject: Subject, rows: int) -> BaseException | None:
    """Return what a step of training on a batch of so many rows raises, if anything."""
    layer, inputs = subject.build(), subject.inputs(rows).requires_grad_()
    try:
        outputs = outputs_of(layer, inputs)
        if outputs.requires_grad:
            torch.autograd.grad(outputs.sum(), inputs, allow_unused=True)
    except (Exception, SystemExit) as error:  # raised by the norm: a stranger's code may raise anything
        return error
    return None
