"""The calibration benchmark notices what is wrong: planted intervals and tests fail it, ours do not; in miniature."""

import contextlib
import io
import json
import re
from collections.abc import Callable
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks import calibration
from benchmarks.calibration_aa import OTHER_ORDER, judged, made_equal, measure_aa, trained
from benchmarks.calibration_cases import Case, Law, law
from benchmarks.calibration_intervals import coverage, measure_intervals, student
from benchmarks.calibration_power import followed, measure_power, realistic, seeds_for_power, sign_flip, size_of
from benchmarks.calibration_report import page
from benchmarks.data_cost import read_config
from bnbench.datasets import load
from bnbench.scoring import Times, restricted_mean, speedup
from bnbench.scoring.intervals import Interval
from bnbench.scoring.sign_flip import board_sign_flip_p

DOCS = Path(__file__).parent.parent / "docs" / "calibration.md"
SIMULATIONS = 1500
ERROR = sqrt(0.95 * 0.05 / SIMULATIONS)
CENSORED = Case(8, 0.2, 10.0, (0.2, 0.6), 0.6)


def half_as_wide(reference: Times, entry: Times) -> Interval:
    seen = speedup(reference, entry)
    middle, below = log(seen.estimate), log(seen.estimate / seen.low) / 2
    return Interval(seen.estimate, exp(middle - below), exp(middle + log(seen.high / seen.estimate) / 2))


def half_as_wide_mean(times: Times) -> Interval:
    seen = restricted_mean(times)
    return Interval(seen.estimate, (seen.estimate + seen.low) / 2, (seen.estimate + seen.high) / 2)


def test_our_intervals_cover_and_planted_narrow_ones_do_not() -> None:
    ours = coverage(CENSORED, np.random.default_rng(0), simulations=SIMULATIONS)
    planted = coverage(
        CENSORED, np.random.default_rng(0), simulations=SIMULATIONS, of_pair=half_as_wide, of_mean=half_as_wide_mean
    )
    for quantity in ("speedup", "rmst"):
        assert 0.93 - 2 * ERROR < ours[quantity] < 0.97 + 2 * ERROR
        assert planted[quantity] < 0.85
    assert planted["hit_rate"] == ours["hit_rate"]


def test_the_sign_flip_keeps_its_size_and_a_test_that_peeks_does_not() -> None:
    def peeking(reference: Times, entry: Times) -> float:
        return min(sign_flip(reference.take(seen), entry.take(seen)) for seen in map(np.arange, range(6, 17, 2)))

    case = Case(16, correlation=0.6, ratio=1.0)
    ours = size_of(case, np.random.default_rng(0), simulations=SIMULATIONS)
    planted = size_of(case, np.random.default_rng(0), simulations=SIMULATIONS, test=peeking)
    assert ours["clearly"] <= ours["size"] < 0.05 + 2 * ERROR
    assert planted["size"] > 0.05 + 5 * ERROR


@pytest.mark.parametrize("count", [6, 9, 11])
def test_a_studentized_sign_flip_is_the_same_test(count: int) -> None:
    """The sum of squares is the same under every pattern of signs, so t ranks the patterns as their sum does."""
    differences = np.random.default_rng(count).lognormal(0, 1, count) - 1.2
    studentized = stats.permutation_test(
        (differences,),
        lambda values, axis: stats.ttest_1samp(values, 0, axis=axis).statistic,
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert board_sign_flip_p(differences) == pytest.approx(studentized.pvalue, rel=1e-12)


@pytest.mark.parametrize(
    ("tail", "scipys"),
    [
        ("log-normal", lambda found: stats.lognorm(0.4, scale=found.scale)),
        ("log-logistic", lambda found: stats.fisk(np.pi / (np.sqrt(3) * 0.4), scale=found.scale)),
    ],
)
def test_laws_are_scipys(tail: str, scipys: Callable[[Law], Any]) -> None:
    found = law(tail, 0.4)
    expected = scipys(found)
    assert found.mean == pytest.approx(400)
    assert expected.mean() == pytest.approx(400)
    assert found.sf(np.array([0.0, 100, 400, 900])) == pytest.approx([1, *expected.sf([100, 400, 900])])
    assert found.ppf(np.array([0.1, 0.5, 0.99])) == pytest.approx(expected.ppf([0.1, 0.5, 0.99]))


@pytest.mark.parametrize("cadence", [10.0, 100.0])
def test_the_truth_is_what_many_seeds_have(cadence: float) -> None:
    case = Case(8, 0.5, cadence, (0.2, 0.6), 0.6, "log-logistic", ratio=1.5)
    assert case.means[0] / case.means[1] == pytest.approx(1.5)
    [pair] = case.draw(np.random.default_rng(2), num=1, num_seeds=40_000)
    for times, mean, share in zip(pair, case.means, case.hit_rates, strict=True):
        assert set(times.steps % cadence) == {0.0}
        assert float(np.mean(times.steps)) == pytest.approx(mean, abs=4 * float(np.std(times.steps)) / 200)
        assert float(np.mean(times.reached)) == pytest.approx(share, abs=4 * 0.5 / 200)
    logs = np.log([times.steps[pair[0].reached & pair[1].reached] for times in pair])
    assert np.corrcoef(logs)[0, 1] > 0.2


def test_students_interval_is_scipys() -> None:
    [pair] = CENSORED.draw(np.random.default_rng(3), num=1)
    mean, ratio = student([pair])
    for found, values in (
        (mean, pair[0].steps),
        (ratio, pair[0].steps / pair[0].steps.mean() - pair[1].steps / pair[1].steps.mean()),
    ):
        low, high = stats.t.interval(0.95, 7, loc=found.middle[0], scale=stats.sem(values))
        assert (found.middle[0] - found.half[0], found.middle[0] + found.half[0]) == pytest.approx((low, high))


def test_no_fewer_seeds_than_the_smallest_p_allows_are_needed() -> None:
    assert seeds_for_power(realistic("alike", 2.0), np.random.default_rng(4), simulations=100) == 6


def test_following_the_advice_is_counted_over_what_eight_seeds_leave_open() -> None:
    found = followed(realistic("typical", 1.2), np.random.default_rng(5), simulations=100)
    assert 0.4 < found["open"] < 0.9
    assert 8 < found["advised"][0] < found["advised"][1] < found["advised"][2]
    assert 0.6 < found["decided"] <= 1


def test_another_data_order_keeps_the_initial_weights() -> None:
    task = load(read_config("digits"))
    steps, own = trained(task, "batch", range(3))
    _, other = trained(task, "batch", range(3), order_offset=OTHER_ORDER)
    assert steps[0] == 0
    assert np.array_equal(own[:, 0], other[:, 0])
    assert not np.array_equal(own[:, 1:], other[:, 1:])
    assert np.array_equal(own, trained(task, "batch", range(3))[1])


def test_means_made_equal_delay_the_faster_by_whole_evaluations() -> None:
    draws = np.random.default_rng(6)
    everyone = np.ones(4000, dtype=bool)
    slower = Times(np.ceil(draws.lognormal(3.6, 0.2, 4000) / 2) * 2, everyone, 64.0, 2.0)
    slower = Times(np.minimum(slower.steps, 64), slower.steps <= 64, 64.0, 2.0)
    faster = Times(np.ceil(draws.lognormal(3.4, 0.2, 4000) / 2) * 2, everyone, 64.0, 2.0)
    same, delayed = made_equal(slower, faster)
    assert same is slower
    assert float(np.mean(delayed.steps)) == pytest.approx(float(np.mean(slower.steps)), abs=0.01)
    assert set(delayed.steps % 2) == {0.0}
    delays = (delayed.steps - faster.steps)[delayed.steps < 64]
    assert len(set(delays)) == 2
    assert max(delays) - min(delays) == 2
    assert not delayed.reached[faster.steps + max(delays) > 66].any(), "what is delayed beyond the budget is a miss"


def test_every_seed_is_in_one_pair_of_entries_only() -> None:
    everyone, seen = np.ones(32, dtype=bool), []
    pool = (Times(np.arange(32.0), everyone, 90), Times(np.arange(32.0), everyone, 90))

    def always(first: Times, second: Times) -> bool:
        seen.extend(first.steps.tolist())
        return True

    found = judged(pool, num_seeds=8, decide=always)
    assert (found["num_pairs"], found["real"], found["share"], found["high"]) == (4, 4, 1.0, 1.0)
    assert sorted(seen) == list(range(32))


@pytest.fixture(scope="module")
def miniature() -> dict[str, object]:
    return {
        "intervals": measure_intervals(simulations=20, quick=True),
        "aa": measure_aa(num_pairs=1),
        "power": measure_power(simulations=40),
    }


def test_command_prints_every_part_keeps_it_and_goes_on_from_there(
    miniature: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def part(name: str, quick: bool) -> object:
        measured.append((name, quick))
        return miniature[name]

    monkeypatch.setattr(
        calibration, "PARTS", {name: lambda quick, keep, name=name: part(name, quick) for name in calibration.PARTS}
    )
    printed = []
    for form in ("--json", "--markdown"):
        with contextlib.redirect_stdout(io.StringIO()) as written:
            calibration.main(["--quick", form, "--keep", str(tmp_path)])
        printed.append(written.getvalue())
    assert measured == [("intervals", True), ("aa", True), ("power", True)]
    assert json.loads(printed[0]).keys() == {"quick", "intervals", "aa", "power"}
    assert headings(printed[1]) == headings(DOCS.read_text(encoding="utf-8"))
    with contextlib.redirect_stdout(io.StringIO()) as written:
        calibration.main(["aa", "--quick", "--keep", str(tmp_path)])
    assert "rms against scale" in written.getvalue()
    assert "Intervals" not in written.getvalue()


def headings(text: str) -> list[str]:
    return re.findall(r"^#.*|^\| times .*? \|", text, re.MULTILINE)


def test_what_misses_its_aim_stands_out(miniature: dict[str, object]) -> None:
    parts = json.loads(json.dumps(miniature | {"quick": False}))
    for part in ("intervals", "aa", "power"):
        parts[part]["processor_seconds"] = 60.0
    parts["intervals"]["rows"][0]["speedup"] = [0.80, 0.95]
    parts["aa"]["rows"][0] |= {"real": 80, "num_pairs": 400, "share": 0.2, "low": 0.16, "high": 0.24}
    text = page(parts)
    assert "**.800–.950**" in text
    assert "| 80 of 400 | 20.0 % (16.0 %–24.0 %) **above 5 %** |" in text
    assert "in 3 minutes of one core" in text


def test_published_page_is_that_of_the_whole_calibration() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert "python -m benchmarks.calibration --markdown\n" in text
    assert "Share of 4,000 simulated boards" in text
    assert re.search(r"\d+ of 400 \|", text)
    assert re.search(r"\d+ of 800 \|", text)
