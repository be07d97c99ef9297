"""Finite numbers from ordinary inputs and from hostile ones."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bnbench.conformance.finding import Outcome, failed, not_applicable, noted, passed
from bnbench.conformance.passes import cotangent, outputs_of
from bnbench.conformance.raised import said
from bnbench.conformance.registration import check
from bnbench.conformance.subject import Subject
from bnbench.seeding import key_random_streams

STEPS = 3
# as large as float16 goes is 65504
LARGEST_IN_FLOAT16 = 6e4


@check("finite_on_ordinary_inputs")
def finite_on_ordinary_inputs(subject: Subject) -> Outcome:
    """Finite outputs, gradients and buffers where features differ in place and spread."""
    return _finite(subject, "ordinary inputs", lambda values: values)


@check("finite_on_constant_rows")
def finite_on_constant_rows(subject: Subject) -> Outcome:
    """Finite outputs, gradients and buffers where all values of a row are equal: what it spreads over features is 0."""
    return _finite(subject, "constant rows", lambda values: values[:, :1].expand_as(values))


@check("finite_on_constant_features")
def finite_on_constant_features(subject: Subject) -> Outcome:
    """Finite outputs, gradients and buffers where a feature is the same in all rows: its variance is 0."""
    return _finite(subject, "constant features", lambda values: values[:1].expand_as(values))


@check("finite_on_zeros")
def finite_on_zeros(subject: Subject) -> Outcome:
    """Finite outputs, gradients and buffers where all inputs are 0, as behind a layer of dead units."""
    return _finite(subject, "zeros", torch.zeros_like)


@check("finite_on_dead_row")
def finite_on_dead_row(subject: Subject) -> Outcome:
    """Finite outputs, gradients and buffers where one row is 0 among others, as one that no unit answers to."""
    return _finite(subject, "one row of zeros", lambda values: torch.cat([torch.zeros_like(values[:1]), values[1:]]))


@check("finite_on_dead_feature")
def finite_on_dead_feature(subject: Subject) -> Outcome:
    """Finite outputs, gradients and buffers where one feature is 0 in all rows and the others are not."""
    return _finite(subject, "one feature of zeros", lambda values: values * (torch.arange(values.shape[1]) > 0))


@check("finite_on_offset")
def finite_on_offset(subject: Subject) -> Outcome:
    """Finite outputs, gradients and buffers at an offset of 1e4, where E[x²] − E[x]² falls below 0."""
    return _finite(subject, "an offset of 1e4", lambda values: values + 1e4)


@check("finite_on_large_inputs")
def finite_on_large_inputs(subject: Subject) -> Outcome:
    """Finite outputs, gradients and buffers on inputs as large as float16 goes, in float32."""
    return _finite(subject, "inputs up to 6e4", _large)


@check("finite_on_tiny_inputs")
def finite_on_tiny_inputs(subject: Subject) -> Outcome:
    """Finite outputs, gradients and buffers on inputs of 1e-20, whose squares are 0 in float32."""
    return _finite(subject, "inputs of 1e-20", lambda values: values * 1e-20)


@check("finite_on_two_rows")
def finite_on_two_rows(subject: Subject) -> Outcome:
    """Finite outputs, gradients and buffers on batches of two rows."""
    return _finite(subject, "two rows", lambda values: values[:2])


@check("finite_in_float16")
def finite_in_float16(subject: Subject) -> Outcome:
    """On inputs up to a fifth of what float16 holds, in float16: finite wherever the true number is as small."""
    # room for products with a γ and for those of a Linear, which overflow by right; squares, and sums over many values
    # of one sign, need more than there is
    room = 5.0
    inputs = [(_large(subject.inputs(seed=seed)).abs() / room).half() for seed in range(STEPS)]
    refusal = ""
    # parameters in float32, as mixed precision keeps them; where that is refused, in float16 as well
    for dtype in (torch.float32, torch.float16):
        try:
            found = _tensors(subject.build(dtype=dtype), inputs)
            break
        except Exception as error:  # raised by the norm: a stranger's code may raise anything
            refusal = f"float16 is refused: {said(error)}"
    else:
        return not_applicable(refusal)
    expected = _tensors(subject.build(dtype=dtype).float(), [values.float() for values in inputs])
    for place, tensor in found.items():
        wrong = ~torch.isfinite(tensor) & (expected[place].abs() < LARGEST_IN_FLOAT16 / room)
        if wrong.any():
            return failed(
                f"{place}: {int(wrong.sum())} of {tensor.numel()} values not finite",
                "something overflows on the way to a number that float16 could hold: square and sum in float32",
            )
    return passed(f"{len(found)} tensors finite", "nothing overflows on the way in mixed precision")


@check("finite_from_zero_weights")
def finite_from_zero_weights(subject: Subject) -> Outcome:
    """A weight norm made of a Linear with a unit whose weights are all 0 computes finite numbers."""
    if subject.kind != "weight":
        return not_applicable("not a weight norm")
    linear = subject.linear()
    with torch.no_grad():
        linear.weight[0] = 0
    layer = subject.norm.replace(linear, seed=0, name="layer").train()
    key_random_streams(layer, 0)
    tensors = _tensors(layer, [subject.inputs(seed=seed) for seed in range(STEPS)])
    place = _first_not_finite(tensors)
    if place is not None:
        return noted(f"{place} is not finite", "a unit whose weights are all 0 becomes NaN, and the network with it")
    return passed(f"{len(tensors)} tensors finite", "a unit whose weights are all 0 does no harm")


def _large(values: Tensor) -> Tensor:
    return values * (LARGEST_IN_FLOAT16 / values.abs().max())


def _finite(subject: Subject, description: str, shape: Callable[[Tensor], Tensor]) -> Outcome:
    inputs = [shape(subject.inputs(seed=seed)).contiguous() for seed in range(STEPS)]
    tensors = _tensors(subject.build(), inputs)
    place = _first_not_finite(tensors)
    if place is not None:
        return failed(f"{place} is not finite on {description}", "one such batch turns the whole network to NaN")
    return passed(f"{len(tensors)} tensors finite on {description}", "such a batch does no harm")


def _first_not_finite(tensors: dict[str, Tensor]) -> str | None:
    return next((place for place, tensor in tensors.items() if not torch.isfinite(tensor).all()), None)


def _tensors(layer: nn.Module, inputs: list[Tensor]) -> dict[str, Tensor]:
    """Return outputs, gradients and buffers of training on the inputs, then of evaluation, each under what it is."""
    layer.train()
    found: dict[str, Tensor] = {}
    for step, values in enumerate(inputs, start=1):
        found |= _pass(layer, values, f"in training (step {step})")
    return found | _pass(layer.eval(), inputs[0], "in evaluation after training on it")


def _pass(layer: nn.Module, values: Tensor, mode: str) -> dict[str, Tensor]:
    leaf = values.clone().requires_grad_()
    outputs = outputs_of(layer, leaf)
    names = ["input", *(name for name, parameter in layer.named_parameters() if parameter.requires_grad)]
    wanted = [leaf, *(parameter for parameter in layer.parameters() if parameter.requires_grad)]
    found = {f"the output {mode}": outputs.detach()}
    if outputs.requires_grad:
        gradients = torch.autograd.grad(outputs, wanted, cotangent(outputs), allow_unused=True)
        for name, gradient in zip(names, gradients, strict=True):
            if gradient is not None:
                found[f"the gradient to {name} {mode}"] = gradient
    for name, buffer in layer.named_buffers():
        if buffer.is_floating_point():
            found[f"buffer {name} {mode}"] = buffer.detach().clone()
    return found
