"""Does evaluation use what training has seen?"""

from collections.abc import Sequence

import torch

from bnbench.conformance.change import relative_change
from bnbench.conformance.finding import Outcome, not_applicable, noted, passed
from bnbench.conformance.passes import fixed_randomness
from bnbench.conformance.registration import check
from bnbench.conformance.subject import Subject
from bnbench.conformance.traits import traits_if_it_runs

SMALL_BATCHES = (4, 2)
STEPS = 200
# The statistics of so many rows are the distribution's to about 0.03.
LARGE_BATCH = 1024
# Relative to the outputs, which a norm brings to a size of about 1. What 200 batches of 2 tell of a distribution leaves
# 0.08 (plain averages over all of them); batch norm, whose momentum averages over some 19, comes to 0.24, a variance
# divided by n = 2 to 0.6. Not a matter of right and wrong, so the margins are narrow.
FAR = 0.15


@check("evaluation_distance")
def evaluation_distance(subject: Subject) -> Outcome:
    """Trained on small batches of one distribution, it evaluates as it would train on a large batch of it."""
    traits = traits_if_it_runs(subject)
    if traits is None or not traits.stateful:
        return not_applicable("it remembers nothing of training")
    distances = {rows: _distance(subject, rows) for rows in SMALL_BATCHES}
    known = {rows: distance for rows, distance in distances.items() if distance is not None}
    if not known:
        return not_applicable(f"it refuses to train on {_listed(SMALL_BATCHES)} rows")
    measured = " and ".join(f"{distance:.2f} after batches of {rows}" for rows, distance in known.items())
    if max(known.values()) > FAR:
        return noted(
            f"relative distance {measured}",
            "evaluation is far from training when the batches are small: its statistics are noisy, biased or behind",
        )
    return passed(f"relative distance {measured}", "what evaluation uses is what training has seen")


def _distance(subject: Subject, rows: int) -> float | None:
    """Return how far evaluation is from training on a large batch, relative to the outputs; None where it refuses."""
    layer = subject.build()
    batches = subject.inputs(STEPS * rows).split(rows)
    large_batch = subject.inputs(LARGE_BATCH, seed=1)
    with torch.no_grad(), fixed_randomness():
        try:
            for batch in batches:
                layer(batch.clone())
        except Exception:  # a stranger's code may raise anything; finite_on_two_rows tells
            return None
        in_evaluation, in_training = (layer.train(mode)(large_batch.clone()) for mode in (False, True))
        return relative_change(in_training, in_evaluation)


def _listed(numbers: Sequence[int]) -> str:
    return " or ".join(map(str, numbers))
