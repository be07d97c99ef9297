"""The rules as users read them: every example of docs/scoring.md is run."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "scoring.md"


def test_examples_of_the_scoring_page_are_true() -> None:
    results = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.FAIL_FAST)
    assert results.failed == 0
    assert results.attempted >= 25
