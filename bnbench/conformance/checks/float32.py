"""In float32: whether what can be told apart is told apart."""

import torch
from torch import Tensor, nn

from bnbench.conformance.finding import Outcome, failed, not_applicable, passed
from bnbench.conformance.passes import NOT_REPEATED, outputs_of, repeats, restore, tensors_of
from bnbench.conformance.precision import SAME_IN_FLOAT32, lost_by_casting, widened
from bnbench.conformance.raised import said
from bnbench.conformance.registration import check
from bnbench.conformance.subject import Subject
from bnbench.seeding import generator

OFFSETS = (1e2, 1e4)
# more than features, so that no covariance is singular
NUM_ROWS = 100
NUM_DIRECTIONS = 8
# In units of what four roundings of the inputs do to the exact outputs. Right norms lose up to 1.2, those that
# take the difference of large squares 80 at 1e2 and far more at 1e4.
LARGEST_LOSS = 10.0


@check("float32_at_offset")
def float32_at_offset(subject: Subject) -> Outcome:
    """In float32, at offsets of 1e2 and 1e4, the outputs lose no more than the inputs have lost by their rounding."""
    if not repeats(subject):
        return not_applicable(NOT_REPEATED)
    losses: dict[str, float] = {}
    for offset in OFFSETS:
        for training in (True, False):
            layer = subject.build().train(training)
            inputs = subject.inputs(NUM_ROWS, seed=3) + offset
            start = tensors_of(layer)
            outputs = outputs_of(layer, inputs).detach().double()
            restore(layer, start)
            try:
                exact, allowed = _exact_and_allowed(layer.double(), inputs.double())
            except Exception as error:  # raised by the norm: a stranger's code may raise anything
                return not_applicable(f"float64 is refused: {said(error)}")
            error_largest = (outputs - exact).abs().max().item()
            losses[f"{offset:.0e}"] = max(losses.get(f"{offset:.0e}", 0.0), error_largest / allowed)
    words = ", ".join(f"{loss:.1f} at an offset of {offset}" for offset, loss in losses.items())
    measured = f"off by {words}, in units of what four roundings of the inputs do"
    # not finite is the matter of another check
    if max(losses.values()) > LARGEST_LOSS and all(loss < float("inf") for loss in losses.values()):
        return failed(
            measured,
            "digits are lost far from 0, as by E[x²] − E[x]²: subtract the mean before squaring",
        )
    return passed(measured, "statistics keep their digits far from 0")


def _exact_and_allowed(layer: nn.Module, inputs: Tensor) -> tuple[Tensor, float]:
    """Return the outputs in float64, and the most by which four roundings of float32 inputs move one of them."""
    start = tensors_of(layer)

    def outputs_at(values: Tensor) -> Tensor:
        restore(layer, start)
        with widened(torch.float64):
            return outputs_of(layer, values).detach()

    rounding = torch.finfo(torch.float32).eps / 2
    exact = outputs_at(inputs)
    stream = generator(0, "conformance", "roundings")
    allowed = 4 * rounding * exact.abs().max().item()
    for _ in range(NUM_DIRECTIONS):
        signs = torch.randint(0, 2, inputs.shape, generator=stream, dtype=torch.float64) * 2 - 1
        moved = (outputs_at(inputs * (1 + 4 * rounding * signs)) - exact).abs().max().item()
        allowed = max(allowed, moved)
    return exact, max(allowed, torch.finfo(torch.float32).tiny)


@check("float32_inside")
def float32_inside(subject: Subject) -> Outcome:
    """In float32, nothing that matters is computed in half precision."""
    if not repeats(subject):
        return not_applicable(NOT_REPEATED)
    lost = lost_by_casting(subject, torch.float32)
    if lost > SAME_IN_FLOAT32:
        return failed(
            f"outputs off by {lost:.1e} from those without casts to half precision",
            "statistics are computed in half precision, whatever the network computes in: take float32",
        )
    return passed(f"outputs off by {lost:.1e} from those without casts to half precision", "float32 stays float32")
