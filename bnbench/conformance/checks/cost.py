"""What a step takes with it."""

from bnbench.conformance.costs import costs_if_it_runs
from bnbench.conformance.finding import Outcome, not_applicable, noted, passed
from bnbench.conformance.registration import check
from bnbench.conformance.subject import Subject

# A step of the network of `measure_costs`: norms of a few kernels take 1.2 to 2.5 times the identity's, those of tens
# of operations 3 to 6 times. Beside a bare identity, which does nothing, all of them would be 10 to 100 times slower.
SLOW = 3.0


@check("cost")
def cost(subject: Subject) -> Outcome:
    """A training step takes less than three times as long as with the identity in its place."""
    costs = costs_if_it_runs(subject)
    if costs is None:
        return not_applicable("the norm raises on ordinary inputs")
    measured = f"{costs.step_cost:.1f} times a step with the identity, {costs.inference_cost:.1f} times the inference"
    if costs.step_cost > SLOW:
        return noted(measured, "most of the time of a small network goes into the norm")
    return passed(measured, "the norm does not make out most of a step")
