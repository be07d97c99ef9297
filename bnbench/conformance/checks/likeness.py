"""Is it a norm that is here already, under another name?"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor

from bnbench.conformance.change import relative_change
from bnbench.conformance.finding import Outcome, not_applicable, noted, passed
from bnbench.conformance.passes import cotangent, outputs_of
from bnbench.conformance.registration import check
from bnbench.conformance.subject import Subject, subject_of
from bnbench.norms import NORMS
from bnbench.norms.registration import registered_as

# enough for parts of a batch to be parts
NUM_ROWS = 72
STEPS = 3
# One formula is equal to 1e-15 in float64, to 1e-7 where one of both computes in float32.
EQUAL = 1e-6
# Another ε, of 1e-5 or less, shows by 4e-6 of outputs or gradients; no two registered norms are nearer than 4e-2.
EQUAL_BUT_FOR_EPS = 1e-4


@check("likeness")
def likeness(subject: Subject) -> Outcome:
    """It differs from every registered norm, at defaults and without affine: outputs, gradients, evaluation."""
    own = registered_as(subject.norm.norm.factory)
    mine = _results(subject)
    if mine is None:
        return not_applicable("it does not train in float64")
    others = {
        f"{name}(affine=false)" if without_affine else name: _results_of(name, without_affine, subject.num_features)
        for name in NORMS.names()
        for without_affine in (False, True)
        if NORMS.get(name) is not own and NORMS.get(name).kind == subject.kind
    }
    differences = {entry: _difference(mine, other) for entry, other in others.items() if other is not None}
    entry = min(differences, key=lambda entry: differences[entry])
    difference = differences[entry]
    if difference > EQUAL_BUT_FOR_EPS:
        return passed(f"equal to none of {len(differences)}", "a norm of its own")
    but = "" if difference <= EQUAL else ", with another ε or in another precision"
    exactly = f"to {difference:.0e}" if difference else "bit for bit"
    return noted(f"equal to '{entry}' {exactly}", f"the same function as '{entry}'{but}")


@cache
def _results_of(name: str, without_affine: bool, num_features: int) -> list[Tensor] | None:
    """Return the results of a registered norm; None where it has no such option."""
    if without_affine and "affine" not in NORMS.get(name).defaults():
        return None
    options: Mapping[str, Any] = {"affine": False} if without_affine else {}
    return _results(subject_of(name, options=options, num_features=num_features))


def _results(subject: Subject) -> list[Tensor] | None:
    """Return outputs and gradients of training steps and the outputs of an evaluation; None where the norm refuses."""
    try:
        layer = subject.build(dtype=torch.float64, perturbed=False)
        parameters = [parameter for parameter in layer.parameters() if parameter.requires_grad]
        results: list[Tensor] = []
        for step in range(STEPS):
            inputs = subject.inputs(NUM_ROWS, seed=step, dtype=torch.float64).requires_grad_()
            outputs = outputs_of(layer, inputs)
            loss = (outputs * cotangent(outputs)).sum()
            gradients = torch.autograd.grad(loss, [inputs, *parameters], allow_unused=True, materialize_grads=True)
            results += [outputs.detach(), gradients[0], *sorted(gradients[1:], key=_size)]
        with torch.no_grad():
            return [*results, outputs_of(layer.eval(), inputs)]
    except Exception:  # a stranger's code may raise anything, ours UserError for a number of features
        return None


def _size(gradient: Tensor) -> tuple[int, float]:
    """Return what to sort the gradients of parameters by, whatever their names and their order."""
    return gradient.numel(), gradient.norm().item()


def _difference(mine: list[Tensor], other: list[Tensor]) -> float:
    if len(mine) != len(other):
        return float("inf")  # another number of parameters
    return max(map(relative_change, mine, other))
