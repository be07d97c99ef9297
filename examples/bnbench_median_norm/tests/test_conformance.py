from bnbench.conformance import check_norm


def test_norm_conforms() -> None:
    check_norm("median_norm").raise_for_failures()
