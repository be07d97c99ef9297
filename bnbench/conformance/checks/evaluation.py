"""Does evaluation use what training has seen?"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bnbench.conformance.change import relative_change
from bnbench.conformance.finding import Outcome, failed, not_applicable, noted, passed
from bnbench.conformance.passes import fixed_randomness, outputs_of
from bnbench.conformance.registration import check
from bnbench.conformance.subject import Subject
from bnbench.conformance.traits import Traits, traits_if_it_runs

SMALL_BATCHES = (4, 2)
STEPS = 200
# The statistics of so many rows are the distribution's to about 0.03.
LARGE_BATCH = 1024
# Relative to the outputs, which a norm brings to a size of about 1. What 200 batches of 2 tell of a distribution leaves
# 0.08 (plain averages over all of them); batch norm, whose momentum averages over some 19, comes to 0.24, a variance
# divided by n = 2 to 0.6. Not a matter of right and wrong, so the margins are narrow.
FAR = 0.15
# Of what is equal float32 leaves 1e-6; forgotten statistics and forgotten normalization show by 0.1 and more.
SAME = 1e-4


@check("evaluation_distance")
def evaluation_distance(subject: Subject) -> Outcome:
    """Trained on small batches of one distribution, it evaluates as it would train on a large batch of it."""
    traits = traits_if_it_runs(subject)
    if traits is None:
        return not_applicable("the norm raises on ordinary inputs")
    if not traits.stateful:
        return _without_memory(subject, traits)
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


def _without_memory(subject: Subject, traits: Traits) -> Outcome:
    """What remembers nothing evaluates as it trains, but where it draws or is meant otherwise."""
    if traits.random:
        return not_applicable("it remembers nothing of training, and draws")
    large_batch = subject.inputs(LARGE_BATCH)
    difference = relative_change(*(_outputs(subject.build(), large_batch, training) for training in (True, False)))
    if difference <= SAME:
        return not_applicable("it remembers nothing of training, and evaluates as it trains")
    measured = f"relative distance {difference:.2g}, whatever it is trained on"
    # what couples rows in training alone needs statistics to evaluate: those it has stay where they started
    idle = [] if traits.rows_coupled_in_evaluation or not traits.rows_coupled_in_training else _idle(subject)
    if idle:
        return failed(
            f"training never moves {' and '.join(idle)}, with which evaluation computes: {measured}",
            "running statistics are not updated: a trained network is evaluated with those of a fresh one",
        )
    return noted(measured, "evaluation computes something else than training and remembers nothing that explains it")


def _idle(subject: Subject) -> list[str]:
    """Return the buffers that move the outputs in evaluation and not in training."""
    inputs = subject.inputs()
    idle = []
    for name, buffer in subject.build().named_buffers():
        if not buffer.is_floating_point():
            continue
        changes = []
        for training in (True, False):
            layer = subject.build()
            with torch.no_grad():
                layer.get_buffer(name).mul_(1.5).add_(0.5)
            changes.append(
                relative_change(_outputs(subject.build(), inputs, training), _outputs(layer, inputs, training))
            )
        if changes[0] <= SAME < changes[1]:
            idle.append(name)
    return idle


def _outputs(layer: nn.Module, inputs: Tensor, training: bool) -> Tensor:
    with torch.no_grad():
        return outputs_of(layer.train(training), inputs)


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
