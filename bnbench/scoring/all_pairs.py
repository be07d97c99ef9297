"""Every entry of a workload against every other at once: what `log_ratio` says of one pair, for thousands of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bnbench.scoring.comparison import SeedTimes, pair
from bnbench.scoring.geometric_mean import log_ratio
from bnbench.scoring.times import Floats


@dataclass(frozen=True)
class PairMatrix:
    """log(RMST_i ÷ RMST_j), its squared standard error and degrees of freedom, all (k, k); NaN where not known."""

    values: Floats
    squared_errors: Floats
    degrees_of_freedom: Floats


def pair_matrix(entries: Sequence[SeedTimes]) -> PairMatrix:
    """Return the log ratios of all pairs: with the same seeds everywhere by one covariance matrix, else one by one."""
    first = entries[0]
    same = all(each.seeds is first.seeds or np.array_equal(each.seeds, first.seeds) for each in entries)
    return _by_covariance(entries) if same and len(first.seeds) > 1 else _pair_by_pair(entries)


def _by_covariance(entries: Sequence[SeedTimes]) -> PairMatrix:
    """Var(aᵢ/ā − bᵢ/b̄) = Var(aᵢ/ā) + Var(bᵢ/b̄) − 2·Cov."""
    steps = np.stack([each.times.steps for each in entries])
    count = steps.shape[1]
    means = steps.mean(axis=1)
    means = np.where(means == 0, np.nan, means)
    shares = steps / means[:, None]
    centred = shares - shares.mean(axis=1, keepdims=True)
    covariance = centred @ centred.T / (count - 1)
    variances = np.diag(covariance)
    spread = np.maximum(variances[:, None] + variances[None, :] - 2 * covariance, 0.0)
    rounding = np.array([each.times.rounding_spread for each in entries]) ** 2 / means**2
    never = np.array([each.times.all_missed for each in entries])
    floor = np.where(never[:, None] & never[None, :], 0.0, rounding[:, None] + rounding[None, :])
    values = np.log(means)[:, None] - np.log(means)[None, :]
    freedom = np.where(np.isnan(values), np.nan, count - 1.0)
    return PairMatrix(values, np.maximum(spread, floor) / count, freedom)


def _pair_by_pair(entries: Sequence[SeedTimes]) -> PairMatrix:
    shape = (len(entries), len(entries))
    values, errors, freedom = (np.full(shape, np.nan) for _ in range(3))
    for i, one in enumerate(entries):
        for j, other in enumerate(entries[:i]):
            pairs = pair(one, other)
            ratio = log_ratio(pairs.first, pairs.second)
            if ratio is None:
                continue
            values[i, j], values[j, i] = ratio.value, -ratio.value
            if ratio.standard_error is not None:
                errors[i, j] = errors[j, i] = ratio.standard_error**2
                freedom[i, j] = freedom[j, i] = ratio.num_pairs - 1
    return PairMatrix(values, errors, freedom)


def mean_over(matrices: Sequence[PairMatrix]) -> tuple[Floats, Floats, Floats]:
    """Return the mean log ratio over workloads, its standard error and Satterthwaite's degrees of freedom, all (k, k).

    NaN where a workload says nothing of a pair.
    """
    squares = np.sum([each.squared_errors for each in matrices], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        fourth = np.sum([each.squared_errors**2 / each.degrees_of_freedom for each in matrices], axis=0)
        freedom = squares**2 / fourth
    values = np.mean([each.values for each in matrices], axis=0)
    return values, np.sqrt(squares) / len(matrices), freedom
