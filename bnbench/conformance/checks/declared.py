"""What a registered norm says of itself, against what it does."""

import torch
from torch import nn

from bnbench.conformance.batches import refusal_in_training
from bnbench.conformance.change import relative_change
from bnbench.conformance.finding import Outcome, failed, not_applicable, noted, passed
from bnbench.conformance.passes import outputs_of, train
from bnbench.conformance.raised import said
from bnbench.conformance.registration import check
from bnbench.conformance.subject import Subject
from bnbench.conformance.traits import traits_if_it_runs
from bnbench.norms import BatchStatistics
from bnbench.norms.registration import is_ours, registered_as

UNREGISTERED = "only a norm that is registered by @norm says this of itself"
RAISES = "the norm raises on ordinary inputs"
# of a layer that is affine, float32 leaves 1e-6; a ReLU or a tanh leaves 0.1 and more
AFFINE = 1e-3
# of weights that are those of the Linear, float32 leaves 1e-6; weights under a constraint are off by 0.06 and more
AS_GIVEN = 1e-4


@check("declared_batch_coupled")
def declared_batch_coupled(subject: Subject) -> Outcome:
    """`batch_coupled` says whether, in training, the output of a row depends on other rows."""
    norm = registered_as(subject.norm.norm.factory)
    if norm is None:
        return not_applicable(UNREGISTERED)
    traits = traits_if_it_runs(subject)
    if traits is None:
        return not_applicable(RAISES)
    measured = "rows are coupled in training" if traits.rows_coupled_in_training else "rows are independent in training"
    if traits.rows_coupled_in_training and not norm.batch_coupled:
        return failed(measured, "batch_coupled=False is wrong: batches of one row would be let through")
    if norm.batch_coupled and not traits.rows_coupled_in_training:
        return failed(measured, "batch_coupled=True is wrong: batches of one row are refused for nothing")
    return passed(measured, f"batch_coupled={norm.batch_coupled} is true")


@check("declared_minimum_batch")
def declared_minimum_batch(subject: Subject) -> Outcome:
    """The smallest batch that is declared trains; one row less is refused."""
    norm = registered_as(subject.norm.norm.factory)
    if norm is None:
        return _undeclared(subject)
    smallest = norm.minimum_batch
    refusal = _refusal(subject, smallest)
    if refusal is not None:
        return failed(
            f"a batch of {smallest} raises {refusal}",
            f"minimum_batch is {smallest} (undeclared: 2 with batch_coupled, else 1): a run starts and then breaks",
        )
    if smallest == 1:
        return passed("a batch of 1 trains", "any batch will do")
    refusal = _refusal(subject, smallest - 1)
    if refusal is None:
        return failed(
            f"a batch of {smallest - 1} trains, declared are at least {smallest}",
            "batches are refused that it could train on, or go through in silence where the norm should refuse them",
        )
    return passed(f"a batch of {smallest} trains, one of {smallest - 1} raises {refusal}", "as declared")


def _undeclared(subject: Subject) -> Outcome:
    """What nobody declares is no fail, where the refusal is clear."""
    smallest = subject.smallest_batch
    if smallest <= 2:  # rows to take statistics over, of which a single one has none: batch_of_one tells
        return not_applicable(UNREGISTERED)
    return noted(
        f"the smallest batch it trains on is {smallest}; one row less raises {_refusal(subject, smallest - 1)}",
        f"a run with smaller batches breaks; @norm(…, minimum_batch={smallest}) would have it refused before it starts",
    )


def _refusal(subject: Subject, rows: int) -> str | None:
    """Return what a step of training on a batch of so many rows raises, if anything."""
    error = refusal_in_training(subject, rows)
    return None if error is None else said(error)


@check("declared_activation")
def declared_activation(subject: Subject) -> Outcome:
    """A norm with `replaces_activation = True` is not affine in its input, once trained."""
    layer = subject.build()
    if not getattr(layer, "replaces_activation", False):
        return not_applicable("it leaves the activation to the network")
    train(layer, subject)
    layer.eval()
    one, other = subject.inputs(seed=1), -3 * subject.inputs(seed=2)
    with torch.no_grad():
        middle = outputs_of(layer, (one + other) / 2)
        change = relative_change((outputs_of(layer, one) + outputs_of(layer, other)) / 2, middle)
    measured = f"off a straight line by {change:.1e} of the outputs"
    if change <= AFFINE:
        return failed(measured, "replaces_activation is wrong: without its activation the network is a linear model")
    return passed(measured, "it brings a nonlinearity of its own, as declared")


@check("starts_at_weights")
def starts_at_weights(subject: Subject) -> Outcome:
    """A weight norm starts at the weights of the Linear it is given, as near as its constraint allows."""
    if subject.kind != "weight":
        return not_applicable("not a weight norm")
    inputs = subject.inputs()

    def outputs(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        linear = subject.linear(seed=seed)
        # made on one random stream from either Linear: what differs comes from the Linear
        layer = subject.norm.replace(subject.linear(seed=seed), seed=0, name="layer").eval()
        with torch.no_grad():
            return linear(inputs), outputs_of(layer, inputs)

    (expected, found), (_, from_another) = outputs(0), outputs(1)
    if relative_change(found, from_another) <= AS_GIVEN:
        return failed(
            "made from two different Linears it computes the same",
            "it ignores the weights it is given: the same seed starts somewhere else under another norm",
        )
    change = relative_change(expected, found)
    if change > AS_GIVEN:
        return noted(
            f"the first outputs differ from the Linear's by {change:.1e} of their size",
            "it starts at other weights than it is given; expected where its constraint does not allow them",
        )
    return passed(f"the first outputs are the Linear's to {change:.1e}", "the same seed starts at the same function")


@check("batch_statistics")
def batch_statistics(subject: Subject) -> Outcome:
    """A batch-coupled norm takes its statistics from `BatchStatistics`."""
    norm = registered_as(subject.norm.norm.factory)
    if norm is None or not norm.batch_coupled:
        return not_applicable("only a norm that is registered as batch-coupled is asked")
    holds = any(isinstance(module, BatchStatistics) for module in _modules(subject))
    if holds:
        return passed("it holds a BatchStatistics", "spread over ranks, it sees the rows of all of them")
    verdict = failed if is_ours(norm.factory) else noted
    return verdict("it holds no BatchStatistics", "spread over ranks, every rank would take statistics of its own rows")


def _modules(subject: Subject) -> list[nn.Module]:
    return list(subject.build().modules())


@check("rows_in_evaluation")
def rows_in_evaluation(subject: Subject) -> Outcome:
    """In evaluation the output of a row does not depend on the rows beside it."""
    traits = traits_if_it_runs(subject)
    if traits is None:
        return not_applicable(RAISES)
    if traits.rows_coupled_in_evaluation:
        return noted(
            "rows are coupled in evaluation",
            "what is predicted for a row depends on its company: on the size and the order of the evaluation batches",
        )
    return passed("rows are independent in evaluation", "what is predicted for a row is a property of the row")
