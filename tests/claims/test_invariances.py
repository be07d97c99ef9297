"""A17: every norm of bnbench is asked for its identities, norm by norm, and against its measured traits."""

import numpy as np
import pytest
import torch

from bnbench.claims.catalogue import A17_invariances as a17
from bnbench.conformance.subject import subject_of
from bnbench.conformance.traits import measure_traits
from bnbench.norms import NORMS
from bnbench.norms.registration import is_ours

OURS = sorted(name for name in NORMS.names() if is_ours(NORMS.get(name).factory))
JUDGED = sorted(a17.UNNOTICED)
OF_ACTIVATIONS = [name for name in JUDGED if NORMS.get(name).kind == "activation"]


def test_every_norm_of_bnbench_is_judged_or_left_out_with_the_reason() -> None:
    assert sorted([*a17.UNNOTICED, *a17.LEFT_OUT]) == OURS


@pytest.mark.parametrize("norm", JUDGED)
def test_a_norm_is_blind_to_what_is_said_of_it_and_to_nothing_else(norm: str) -> None:
    found = a17.changes_of(norm, seeds=(5, 6))
    blind = [change for change in a17.CHANGES if (found[change] <= a17.EQUAL).all()]
    noticing = [change for change in a17.CHANGES if (found[change] >= a17.NOTICED).all()]
    assert sorted(blind) == sorted(a17.UNNOTICED[norm])
    assert sorted([*blind, *noticing]) == sorted(a17.CHANGES)


@pytest.mark.parametrize("norm", OF_ACTIVATIONS)
def test_the_identities_agree_with_the_measured_traits(norm: str) -> None:
    """Rows and features of what the norm is given, where the claim changes the weights and samples it is made of."""
    traits = measure_traits(subject_of(norm))
    unnoticed = a17.UNNOTICED[norm]
    assert traits.row_scale_invariant == ("samples_rescaled" in unnoticed)
    assert traits.feature_scale_invariant == ("rows_rescaled" in unnoticed)
    # one vector added to the weights adds one number to every row; one added to the samples, one to every feature
    assert traits.row_shift_invariant == ("weights_recentred" in unnoticed)
    assert traits.feature_shift_invariant == ("data_recentred" in unnoticed)


@pytest.mark.parametrize("change", sorted(a17.CHANGES))
def test_a_change_changes_what_a_plain_linear_computes(change: str) -> None:
    weights = torch.randn(1, 24, 20, generator=torch.Generator().manual_seed(0)).double()
    inputs = torch.randn(1, 16, 20, generator=torch.Generator().manual_seed(1)).double()
    changed_weights, changed_inputs = a17.CHANGES[change].apply(weights, inputs)
    assert (a17.relative_change(inputs @ weights.mT, changed_inputs @ changed_weights.mT) > 0.01).all()


def test_gradient_of_a_plain_linear_is_that_of_the_formula() -> None:
    """∂/∂W Σ (t · tanh y + log cosh y) = Σ (t / cosh² y + tanh y) x, in NumPy."""
    weights = a17.gaussian_inputs((0,), rows=a17.FEATURES, width=a17.INPUTS, name="weights") / a17.INPUTS**0.5
    inputs = a17.gaussian_inputs((0,), rows=a17.ROWS, width=a17.INPUTS) + 0.5
    towards = a17.gaussian_inputs((0,), rows=a17.ROWS, width=a17.FEATURES, name="gradient of the outputs")[0].numpy()
    outputs = inputs[0].numpy() @ weights[0].numpy().T
    gradient = (towards / np.cosh(outputs) ** 2 + np.tanh(outputs)).T @ inputs[0].numpy()
    matrix = weights[0].numpy()
    cosine = abs((gradient * matrix).sum()) / np.linalg.norm(gradient) / np.linalg.norm(matrix)
    assert a17.changes_of("none", seeds=(0,))["gradient_orthogonal"][0] == pytest.approx(cosine, rel=1e-9)
