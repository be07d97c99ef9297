"""All seeds of a cell train as one stack: is a replica in it what it would be alone?"""

from collections.abc import Callable
from dataclasses import asdict

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.config import ModelConfig
from bnbench.conformance.finding import Outcome, failed, noted, passed
from bnbench.conformance.registration import check
from bnbench.conformance.subject import Subject
from bnbench.errors import UserError
from bnbench.models import build_network
from bnbench.seeding import generator, one_thread
from bnbench.training.stacking import TOLERANCE, compare_stacked, difference_by_company

NUM_OUTPUTS = 3


@check("stacking")
def stacking(subject: Subject) -> Outcome:
    """Replicas stacked under `vmap` equal replicas that train one after another, over a few steps and an evaluation."""
    inputs, name = _inputs(subject), subject.norm.entry

    def build(seed: int) -> nn.Module:
        return _network(subject, seed)

    with one_thread():
        try:
            comparison = compare_stacked(build, inputs=inputs, name=name)
        except UserError as error:
            return failed(str(error), "a run with it is refused, stacked or not")
        if comparison.error is not None:
            return noted(f"not vmappable: {comparison.error}", "its replicas are trained one replica after another")
        if comparison.difference > TOLERANCE:
            if _is_rounding(build, inputs=inputs, name=name):
                return noted(
                    f"stacked and single replicas differ by {comparison.difference:.1e} in float32, not in float64",
                    "it enlarges what is rounded, as an inverse does; it is trained one replica after another",
                )
            return failed(
                f"stacked and single replicas differ by {comparison.difference:.1e}",
                "under vmap it computes something else without a word; it is trained one replica after another",
            )
        by_company = difference_by_company(build, inputs=inputs, name=name)
    return passed(
        f"stacked equals single {_agreement(comparison.difference)}, a larger stack a stack of one "
        f"{_agreement(by_company)}",
        "a replica of a stack is the run of its seed alone" + (", but for rounding" if by_company else ""),
    )


def _is_rounding(build: Callable[[int], nn.Module], *, inputs: Tensor, name: str) -> bool:
    """Return whether the difference of stacked replicas is gone in float64."""
    try:
        exact = compare_stacked(build, inputs=inputs.double(), name=name)
    except UserError:  # it does not compute in float64
        return False
    return exact.error is None and exact.difference <= TOLERANCE


def _agreement(difference: float) -> str:
    return f"to {difference:.0e}" if difference else "bit for bit"


def _network(subject: Subject, seed: int) -> nn.Module:
    model = asdict(ModelConfig(name="mlp", hidden=[subject.num_features, subject.num_features]))
    return build_network(model, num_inputs=subject.num_features, num_outputs=NUM_OUTPUTS, norm=subject.norm, seed=seed)


def _inputs(subject: Subject) -> Float[Tensor, "rows inputs"]:
    # as many inputs as features, and more rows: their covariance has an inverse, which a norm may take
    rows = max(subject.num_rows, 2 * subject.num_features + 2)
    return torch.randn(rows, subject.num_features, generator=generator(0, "conformance", "stacking"))
