"""Under autocast, as a trainer in mixed precision runs a network."""

import torch

from bnbench.conformance.finding import Outcome, failed, not_applicable, noted, passed
from bnbench.conformance.passes import NOT_REPEATED, outputs_of, repeats, restore, tensors_of
from bnbench.conformance.raised import said
from bnbench.conformance.registration import check
from bnbench.conformance.subject import Subject

# In roundings of bfloat16 of the largest output: right norms are off by up to 2.2, products among them included; a mean
# that is a product, or is cast where autocast is on, by 21 and more.
LARGEST_ERROR = 7.0
# from 128 on neighbours in bfloat16 lie 1 apart: a mean that has to be one of them is off by half
OFFSET = 134.5


@check("autocast")
def autocast(subject: Subject) -> Outcome:
    """Under torch.autocast to bfloat16, far from 0, the outputs are finite and right to a few roundings."""
    if not repeats(subject):
        return not_applicable(NOT_REPEATED)
    # the product of a weight norm loses as much as that of any Linear
    offset = 0.0 if subject.kind == "weight" else OFFSET
    largest = 0.0
    for training in (True, False):
        layer = subject.build().train(training)
        inputs = (subject.inputs(100, seed=5) * 2 + offset).bfloat16().float()
        start = tensors_of(layer)
        try:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                outputs = outputs_of(layer, inputs).detach().double()
        except Exception as error:  # raised by the norm: a stranger's code may raise anything
            return noted(f"refused: {said(error)}", "cannot be trained in mixed precision")
        if not torch.isfinite(outputs).all():
            return failed("not finite", "a network in mixed precision turns to NaN")
        restore(layer, start)
        exact = outputs_of(layer, inputs).detach().double()
        rounding = max(exact.abs().max().item() * torch.finfo(torch.bfloat16).eps / 2, torch.finfo(torch.float32).tiny)
        largest = max(largest, (outputs - exact).abs().max().item() / rounding)
    measured = f"off by {largest:.1f} roundings of the largest output"
    if largest > LARGEST_ERROR:
        return failed(
            measured,
            "statistics are computed in half precision where autocast casts their products: disable it around them",
        )
    return passed(measured, "mixed precision costs no more than its roundings")
