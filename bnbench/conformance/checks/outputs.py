"""What a layer returns: shape, precision, and whether it has anything to do with the inputs."""

import re
from itertools import product

import torch
from torch import Tensor, nn

from bnbench.conformance.change import relative_change
from bnbench.conformance.finding import Outcome, failed, not_applicable, noted, passed
from bnbench.conformance.passes import (
    NOT_REPEATED,
    fixed_randomness,
    global_generators,
    outputs_of,
    repeats,
    restore,
    tensors_of,
    train,
)
from bnbench.conformance.registration import check
from bnbench.conformance.subject import NUM_ROWS, Subject
from bnbench.conformance.words import dtype_name, mode_name

# Float32 sums over rows that lie otherwise in memory are rounded otherwise: norms of torch and bnbench differ by up to
# 2e-7 of the outputs, a layer that misreads the memory by about 1.
SAME_LAYOUT = 1e-4
# What rounding leaves of a constant is below 1e-7 of the outputs; in norms the smallest of these spreads is 0.5.
CONSTANT = 1e-4


@check("output_shape")
def output_shape(subject: Subject) -> Outcome:
    """The outputs have a row for each row and a column for each feature, whatever the batch."""
    sizes = (NUM_ROWS, 2, subject.num_features)
    for training, rows in [(True, rows) for rows in sizes] + [(False, rows) for rows in (*sizes, 1)]:
        layer = subject.build().train(training)
        try:
            shape = tuple(outputs_of(layer, subject.inputs(rows)).shape)
        except ValueError:
            if rows == 1:
                continue  # what a refusal of a single row says is the matter of another check
            raise
        expected = (rows, subject.num_features)
        if shape != expected:
            return failed(
                f"{shape} for {(rows, subject.num_inputs)} in {mode_name(training)}",
                f"the next layer expects {expected}; a layer must keep the rows and return its features",
            )
    return passed(f"(rows, {subject.num_features}) at {', '.join(map(str, sizes))} and 1 rows", "fits between layers")


@check("output_dtype")
def output_dtype(subject: Subject) -> Outcome:
    """Float32 in, float32 out."""
    for training in (True, False):
        dtype = outputs_of(subject.build().train(training), subject.inputs()).dtype
        if dtype != torch.float32:
            return failed(
                f"float32 → {dtype_name(dtype)} in {mode_name(training)}",
                "the next layer's product would fail, or cost twice",
            )
    return passed("float32 → float32", "what the network computes in stays as it was chosen")


@check("input_unchanged")
def input_unchanged(subject: Subject) -> Outcome:
    """The inputs are as they were after the layer has read them, and the outputs the same with and without a graph."""
    # as many rows as features, and not; in one piece and not; of all these in-place code may make a difference
    cases = product((True, False), (subject.num_rows, subject.rows(subject.num_features)), (False, True))
    for training, rows, is_strided in cases:
        outputs = {}
        layer = subject.build().train(training)
        start = tensors_of(layer)
        for with_graph in (True, False):
            given = subject.inputs(rows)
            given = _strided(given) if is_strided else given
            with torch.set_grad_enabled(with_graph):
                restore(layer, start)
                outputs[with_graph] = outputs_of(layer, given, copy=False)
            change = relative_change(given, subject.inputs(rows))
            if change > 0:
                return failed(
                    f"{'strided ' * is_strided}inputs of {rows} rows changed by {change:.1e} of their size in "
                    f"{mode_name(training)}, {'with' if with_graph else 'without'} gradients",
                    "an operation writes into the inputs: what else reads them, a residual branch say, gets other "
                    "numbers",
                )
        change = relative_change(outputs[True], outputs[False])
        if change > SAME_LAYOUT and repeats(subject):
            return failed(
                f"outputs differ by {change:.1e} without gradients in {mode_name(training)}",
                "under torch.no_grad(), as networks are evaluated, another function is computed",
            )
    return passed("not a bit changed, with and without gradients", "others may read the same inputs")


def _strided(inputs: Tensor) -> Tensor:
    return torch.stack([inputs, inputs], dim=2).flatten(1)[:, ::2]


@check("output_varies")
def output_varies(subject: Subject) -> Outcome:
    """Other inputs give other outputs, rows differ from each other, and so do columns."""
    for training in (True, False):
        layer = subject.build()
        train(layer, subject, steps=1)
        outputs = outputs_of(layer.train(training), subject.inputs(seed=1)).detach().double()
        others = outputs_of(layer, subject.inputs(seed=2))
        if not torch.isfinite(outputs).all():
            return not_applicable("the outputs are not finite")
        if relative_change(outputs, others) < CONSTANT:
            return failed(
                f"the same for other inputs in {mode_name(training)}", "the output does not depend on the input"
            )
        centred = outputs - outputs.mean(0)
        if centred.abs().max() < CONSTANT * outputs.abs().max():
            return failed(
                f"every row the same in {mode_name(training)}", "nothing tells one example from another any more"
            )
        # the layer norm of two features has but one sign to choose: two columns, one the negative of the other
        if subject.num_features > 2 and _is_one_column(centred):
            return failed(
                f"every column the same in {mode_name(training)}, up to scale and shift",
                "a single number is left of all the features of a row",
            )
    return passed("differs from input to input, row to row, column to column", "the examples can still be told apart")


def _is_one_column(centred: Tensor) -> bool:
    values = torch.linalg.svdvals(centred)
    return bool(values[1] < CONSTANT * values[0])


@check("memory_layout")
def memory_layout(subject: Subject) -> Outcome:
    """Inputs that lie otherwise in memory, transposed or with gaps, give the same outputs."""
    if not repeats(subject):
        return not_applicable(NOT_REPEATED)
    inputs = subject.inputs()
    layouts = {
        "transposed": inputs.T.contiguous().T,
        "strided": _strided(inputs),
    }
    layer = subject.build()
    start = tensors_of(layer)
    largest = 0.0
    for training in (True, False):
        if _draws(layer.train(training), inputs):
            return not_applicable("it draws from a global generator, whose numbers go where the memory lies")
        restore(layer, start)
        expected = outputs_of(layer, inputs)
        for layout, given in layouts.items():
            restore(layer, start)
            try:
                outputs = outputs_of(layer, given, copy=False)
            except RuntimeError as error:
                return failed(
                    f"{layout} inputs in {mode_name(training)}: {error}".splitlines()[0],
                    "inputs that are not in one piece are refused, as after a transposition or a slice",
                )
            difference = relative_change(expected, outputs)
            if difference > SAME_LAYOUT:
                return failed(
                    f"{layout} inputs: outputs differ by {difference:.1e} in {mode_name(training)}",
                    "the memory is read as if it were in one piece: a slice or a transposed tensor gives other numbers",
                )
            largest = max(largest, difference)
    return passed(f"largest difference {largest:.1e}", "slices and transposed tensors are read rightly")


def _draws(layer: nn.Module, inputs: Tensor) -> bool:
    with fixed_randomness():
        before = global_generators()
        layer(inputs.clone())
        return before != global_generators()


@check("batch_of_one")
def batch_of_one(subject: Subject) -> Outcome:
    """What becomes of a batch of one row, in training and in evaluation."""
    row = subject.inputs(1)
    refusal = _refusal(subject.build().eval(), row)
    if refusal is not None:
        return _refused(refusal, "evaluation")
    refusal = _refusal(subject.build(), row)
    if refusal is not None:
        return _refused(refusal, "training")
    outputs = outputs_of(subject.build(), row)
    if not torch.isfinite(outputs).all():
        return failed("not finite in training", "a last batch of one row would end the run; refuse it, or compute")
    # of one row the mean over the batch is the row itself
    if relative_change(outputs, outputs_of(subject.build(), subject.inputs(1, seed=1))) < CONSTANT:
        return noted("the same output whatever the row, in training", "a last batch of one row teaches nothing")
    return passed("computed in training and evaluation", "a last batch of one row is like any other")


def _refusal(layer: nn.Module, row: Tensor) -> Exception | None:
    try:
        outputs_of(layer, row)
    except Exception as error:  # raised by the norm: a stranger's code may raise anything
        return error
    return None


def _refused(error: Exception, mode: str) -> Outcome:
    message = f"{type(error).__name__} in {mode}: {error}".splitlines()[0]
    if isinstance(error, ValueError) and re.search(r"\b(1|one|single)\b", str(error)):
        return noted(message, f"a batch of one row is refused in {mode}, and the message says so")
    if mode == "training":
        return noted(message, "a batch of one row ends the training, and the message does not say that it is the cause")
    return failed(message, "one example alone cannot be evaluated, and the message does not say why")
