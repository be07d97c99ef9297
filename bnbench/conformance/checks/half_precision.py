"""Other precisions than float32: which run, and whether statistics are computed in half precision."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bnbench.conformance.change import relative_change
from bnbench.conformance.finding import Outcome, failed, not_applicable, noted, passed
from bnbench.conformance.passes import NOT_REPEATED, outputs_of, repeats, restore, tensors_of
from bnbench.conformance.precision import HALVES, SAME_IN_FLOAT32, computes_in_float64, lost_by_casting
from bnbench.conformance.raised import said
from bnbench.conformance.registration import check
from bnbench.conformance.subject import Subject
from bnbench.conformance.words import dtype_name, mode_name
from bnbench.seeding import generator, key_random_streams

# many enough that a sum of them overflows float16, few enough for norms that compare every row with every other
NUM_ROWS = 500
NUM_DIRECTIONS = 4
# Right norms are off by at most 1.4 roundings; means, variances and lengths in half precision by 25 and more.
LARGEST_ERROR = 7.0
# Running statistics of right norms are off by up to 4e-7; those computed in half precision by 1.7e-3 and more.
LARGEST_ERROR_OF_BUFFER = 3e-5
# Right weight norms are off by at most 2.4 times the error of a plain Linear; those in half precision by 140 and more.
LARGEST_ERROR_OF_PRODUCT = 10.0


@check("other_precisions")
def other_precisions(subject: Subject) -> Outcome:
    """Float64, bfloat16 and float16 inputs, with the layer moved to the same precision, give outputs of theirs."""
    refused = []
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        for training in (True, False):
            try:
                outputs = outputs_of(subject.build(dtype=dtype).train(training), subject.inputs(dtype=dtype))
            except Exception as error:  # raised by the norm: a stranger's code may raise anything
                refused.append(f"{dtype_name(dtype)} refused: {said(error)}")
                break
            if outputs.dtype != dtype:
                return failed(
                    f"{dtype_name(dtype)} → {dtype_name(outputs.dtype)} in {mode_name(training)}",
                    "the layer after it is in the precision of the inputs and refuses another, or casts back at a cost",
                )
    if refused:
        return noted("; ".join(refused), "cannot be trained in that precision")
    if not repeats(subject):
        return passed("float64, bfloat16 and float16 run", "the precision is the user's choice")
    if lost_by_casting(subject, torch.float32) > SAME_IN_FLOAT32:
        return noted("float64 is computed in half precision", "a gradient check in float64 finds nothing but rounding")
    if not computes_in_float64(subject):
        return noted("float64 is computed in float32", "a gradient check in float64 finds rounding errors of 1e-7")
    return passed("float64, bfloat16 and float16 run", "the precision is the user's choice")


@check("half_precision_at_offset")
def half_precision_at_offset(subject: Subject) -> Outcome:
    """In half precision, far from 0 beside the spread, the outputs are right to a few roundings of their own."""
    if not repeats(subject):
        return not_applicable(NOT_REPEATED)
    if subject.kind == "weight":
        return _weight_norm_in_half(subject, lambda weight: weight * 2 + 34)
    # from 128 on neighbours lie 1/8 (float16) or 1 (bfloat16) apart: a mean that has to be one of them is off by half
    spread = {torch.float16: 1.0, torch.bfloat16: 2.0}
    halfway = {torch.float16: 134 + 1 / 16, torch.bfloat16: 134 + 1 / 2}
    return _in_half(subject, lambda values, dtype: values * spread[dtype] + halfway[dtype])


@check("half_precision_at_large_values")
def half_precision_at_large_values(subject: Subject) -> Outcome:
    """In half precision, where squares exceed what float16 can hold, the outputs are right to a few roundings."""
    if not repeats(subject):
        return not_applicable(NOT_REPEATED)
    if subject.kind == "weight":
        return _weight_norm_in_half(subject, lambda weight: weight * 2000)
    return _in_half(subject, lambda values, dtype: values * 1000, rounds_inputs=True)


def _in_half(
    subject: Subject, shape: Callable[[Tensor, torch.dtype], Tensor], *, rounds_inputs: bool = False
) -> Outcome:
    """Compare with the layer of the very same parameters in float64, on the very same inputs.

    With `rounds_inputs` what one more rounding of the inputs does is allowed: softmax has no other way.
    """
    stream = generator(0, "conformance", "half")
    normal = torch.randn(NUM_ROWS, subject.num_inputs, generator=stream, dtype=torch.float64)

    def error(inputs_dtype: torch.dtype, layer_dtype: torch.dtype, training: bool) -> float:
        inputs = shape(normal, inputs_dtype).to(inputs_dtype)
        layer = subject.build(dtype=layer_dtype).train(training)
        start = tensors_of(layer)
        outputs, exact = _with_exact(layer, inputs)
        # what is too large for the precision is inf by right
        held = exact.abs() < torch.finfo(inputs_dtype).max
        rounding = exact[held].abs().max().item() * torch.finfo(inputs_dtype).eps / 2
        # where float32 itself loses the digits, as on two nearly equal values, half cannot be asked for them
        single, _ = _with_exact(subject.build(dtype=torch.float32).train(training), inputs.float())
        held &= (single - exact).abs() <= rounding
        part = 1.0 if rounds_inputs else 1 / 16
        moved = _moved_by_rounding(layer, start, inputs, exact, part=part)
        if rounds_inputs:
            rounding = max(rounding, 2 * moved[held].max().item() / LARGEST_ERROR)
        elif (moved[held] > LARGEST_ERROR * rounding).any():
            # it jumps, as a rounded or a sorted value does: what jumps is left out, and of the rest all but a fifth
            held &= moved <= LARGEST_ERROR * rounding
            return _most((outputs - exact)[held]) / rounding
        return _largest((outputs - exact)[held]) / rounding

    return _judge(error, LARGEST_ERROR, "roundings of the largest output")


def _moved_by_rounding(
    layer: nn.Module, start: dict[str, Tensor], inputs: Tensor, exact: Tensor, *, part: float
) -> Tensor:
    """Return by how much a part of a rounding of the inputs moves each of the exact outputs."""
    stream = generator(0, "conformance", "roundings")
    moved = torch.zeros_like(exact)
    step = part * torch.finfo(inputs.dtype).eps / 2
    for _ in range(NUM_DIRECTIONS):
        signs = torch.randint(0, 2, inputs.shape, generator=stream, dtype=torch.float64) * 2 - 1
        restore(layer, start)
        moved = moved.maximum((_exact(layer, inputs.double() * (1 + step * signs)) - exact).abs())
    return moved


def _weight_norm_in_half(subject: Subject, shape: Callable[[Tensor], Tensor]) -> Outcome:
    """Compare with a plain Linear of the same weights in the same precision: its product is rounded as well."""

    def layer(dtype: torch.dtype) -> nn.Module:
        linear = subject.linear()
        with torch.no_grad():
            linear.weight.copy_(shape(linear.weight))
        built = subject.norm.replace(linear, seed=0, name="layer")
        key_random_streams(built, 0)
        return built.to(dtype)

    def error(inputs_dtype: torch.dtype, layer_dtype: torch.dtype, training: bool) -> float:
        inputs = subject.inputs(200, dtype=inputs_dtype)
        moved = layer(layer_dtype).train(training)
        outputs, exact = _with_exact(moved, inputs)
        # the weights that the layer stands for, from what it makes of each unit vector; it is in float64 by now
        columns = _exact(moved.eval(), torch.eye(subject.num_inputs))
        origin = _exact(moved, torch.zeros(1, subject.num_inputs))
        weight = (columns - origin).T
        plain = nn.functional.linear(inputs, weight.to(inputs_dtype)).double() - inputs.double() @ weight.T
        return _largest(outputs - exact) / _largest(plain)

    return _judge(error, LARGEST_ERROR_OF_PRODUCT, "times the error of a plain Linear")


def _with_exact(layer: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return the outputs, and what the very same layer gives from the same state in float64."""
    start = tensors_of(layer)
    outputs = outputs_of(layer, inputs).detach().double()
    restore(layer, start)
    return outputs, _exact(layer, inputs)


def _exact(layer: nn.Module, inputs: Tensor) -> Tensor:
    """Return what a layer with its (rounded) parameters computes in float64, or in float32 where it refuses that."""
    try:
        return outputs_of(layer.double(), inputs.double()).detach()
    except RuntimeError:  # torch's, where a float32 tensor of the norm's own meets float64 inputs
        return outputs_of(layer.float(), inputs.float()).detach().double()


@check("half_precision_statistics")
def half_precision_statistics(subject: Subject) -> Outcome:
    """Trained on inputs in half precision far from 0, buffers in float32 are those of the layer in float64."""
    if not repeats(subject):
        return not_applicable(NOT_REPEATED)
    worst, where = 0.0, ""
    for dtype in HALVES:
        try:
            errors = _buffers_off(subject, dtype)
        except Exception as raised:  # by the norm: a stranger's code may raise anything
            return not_applicable(f"{dtype_name(dtype)} is refused: {said(raised)}")
        if not errors:
            return not_applicable("no buffers of floating point")
        name = max(errors, key=lambda each: errors[each])
        if errors[name] >= worst:
            worst, where = errors[name], f"{name} off by {errors[name]:.1e} after training in {dtype_name(dtype)}"
    if worst > LARGEST_ERROR_OF_BUFFER:
        return failed(where, "what evaluation goes by is computed in half precision: take float32")
    return passed(where, "what evaluation goes by is computed in enough digits")


def _buffers_off(subject: Subject, dtype: torch.dtype) -> dict[str, float]:
    layer = subject.build()
    start, wide = tensors_of(layer), copy.deepcopy(layer)
    batches = [(subject.inputs(100, seed=seed) * 2 + 134.5).to(dtype) for seed in range(3)]
    for batch in batches:
        outputs_of(layer, batch)
    found = {name: buffer.clone() for name, buffer in layer.named_buffers() if buffer.is_floating_point()}
    restore(wide, start)  # a copy may share
    for batch in batches:
        _exact(wide, batch)
    exact = dict(wide.named_buffers())
    return {name: relative_change(exact[name], buffer) for name, buffer in found.items()}


def _judge(error: Callable[[torch.dtype, torch.dtype, bool], float], limit: float, unit: str) -> Outcome:
    """Judge by parameters in float32, as mixed precision keeps them; in half where a norm refuses that."""
    mixed: dict[str, float] = {}
    half: dict[str, float] = {}
    refused = []
    for dtype in HALVES:
        for errors, layer_dtype in ((mixed, torch.float32), (half, dtype)):
            try:
                errors[dtype_name(dtype)] = max(error(dtype, layer_dtype, training) for training in (True, False))
            except Exception as raised:  # by the norm: a stranger's code may raise anything
                refused.append(f"{dtype_name(dtype)} is refused: {said(raised)}")
    if not (mixed or half):
        return not_applicable("; ".join(refused))
    judged = {**half, **mixed}
    if max(judged.values()) > limit:
        return failed(
            _words(judged, unit),
            "statistics, or differences of large numbers, are computed in half precision, which has not the digits: "
            "take float32",
        )
    if half and max(half.values()) > limit:
        return noted(
            f"with parameters in half precision too: {_words(half, unit)}",
            "right in mixed precision, whose parameters stay in float32; torch's batch norm kernel is the like",
        )
    return passed(_words(judged, unit), "statistics are computed in enough digits")


def _words(errors: dict[str, float], unit: str) -> str:
    return f"{', '.join(f'{name} off by {value:.1f}' for name, value in errors.items())} {unit}"


def _largest(difference: Tensor) -> float:
    """Return the largest error; infinite where there is none to be told."""
    return difference.abs().max().item() if torch.isfinite(difference).all() else float("inf")


def _most(difference: Tensor) -> float:
    """Return the error that four of five values stay below; infinite where there is none to be told."""
    return difference.abs().quantile(0.8).item() if torch.isfinite(difference).all() else float("inf")
