"""Does it run at all? Where it does not, nothing else is asked."""

import torch

from bnbench.conformance.finding import Outcome, failed, passed
from bnbench.conformance.passes import outputs_of
from bnbench.conformance.raised import said
from bnbench.conformance.registration import check
from bnbench.conformance.subject import Subject


@check("ordinary_batch")
def ordinary_batch(subject: Subject) -> Outcome:
    """An ordinary batch (rows, features) goes through, in training and in evaluation; a tensor comes out."""
    for training in (True, False):
        where = f"{(subject.num_rows, subject.num_inputs)} in {'training' if training else 'evaluation'}"
        try:
            outputs = outputs_of(subject.build().train(training), subject.inputs())
        except (Exception, SystemExit) as error:  # raised by the norm: a stranger's code may raise anything
            return failed(f"{said(error)}, for {where}", "it cannot be trained: no other check is met but layout")
        if not (outputs.is_floating_point() and outputs.dim() > 0 and outputs.layout is torch.strided):
            return failed(
                f"a tensor of {str(outputs.dtype).removeprefix('torch.')} {tuple(outputs.shape)}, for {where}",
                "nothing that a layer could go on with: no other check is met but layout",
            )
    return passed(f"{(subject.num_rows, subject.num_inputs)} in training and evaluation", "it runs")
