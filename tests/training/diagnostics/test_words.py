"""Whatever is measured has words on the page: a new measurement that has none is found here."""

from collections.abc import Callable

import pytest

from bnbench.reports.charts.diagnostic_words import INPUTS, NOT_DRAWN, WORDS
from bnbench.training.diagnostics import DIAGNOSTICS, Moment


@pytest.mark.parametrize("name", DIAGNOSTICS.names())
def test_every_measurement_of_a_registered_diagnostic_has_words(name: str, moment_of: Callable[..., Moment]) -> None:
    moment = moment_of("batch", steps=1)
    measure = DIAGNOSTICS.get(name).measure
    found = {measurement.name for _ in range(2) for measurement in measure(moment)}  # drift has a first look behind it
    assert found
    assert found <= {*WORDS, *NOT_DRAWN, *INPUTS, "gradient_norm"}
