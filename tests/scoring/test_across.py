"""Entries across workloads: anchored scores that no newcomer moves, profiles, hit rates, and what is refused."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from bnbench.leaderboard import main
from bnbench.records.experiments import add_cells
from bnbench.records.read import Runs, load_records
from bnbench.scoring import score
from bnbench.scoring.across import across_workloads
from bnbench.scoring.all_pairs import mean_over, pair_matrix
from bnbench.scoring.block import block
from bnbench.scoring.board import Across, AcrossEntry, Workload
from bnbench.scoring.comparison import SeedTimes, pair
from bnbench.scoring.entry_curves import EntryCurves
from bnbench.scoring.geometric_mean import LogRatio, interval_of, log_ratio, mean_log_ratio, two_sided_p
from bnbench.scoring.profile import profile_area, profile_of, ratios_to_best
from bnbench.scoring.suites import mixed_suites
from bnbench.scoring.times import Times

Cell = Callable[..., Path]
SEEDS = 6


def across(runs_dir: Path, **options: object) -> Across:
    (found,) = score(load_records(runs_dir), **options).across  # type: ignore[arg-type]
    return found


def entry(table: Across, name: str) -> AcrossEntry:
    (found,) = [each for each in table.entries if each.entry == name]
    return found


@pytest.fixture
def three(cell: Cell) -> None:
    """The reference takes 80 on average everywhere; batch 20, 40 and 80."""
    for dataset, half in (("a", 20), ("b", 40), ("c", 80)):
        cell("none", [70, 90] * 8, dataset=dataset, final=0.9)
        cell("batch", [half - 10, half + 10] * 8, dataset=dataset, final=0.5)


@pytest.mark.usefixtures("three")
def test_the_anchored_score_is_the_geometric_mean_of_the_speedups(runs_dir: Path) -> None:
    table = across(runs_dir)
    batch, none = entry(table, "batch"), entry(table, "none")
    assert table.workloads == ("a", "b", "c")
    assert batch.speedups == pytest.approx((4, 2, 1))
    assert batch.anchored.mean == pytest.approx(2)
    assert (batch.bound, batch.num_workloads, batch.rank) == ("exact", 3, 1)
    assert (none.anchored.mean, none.is_reference, none.rank) == (1, True, 2)
    assert [each.entry for each in table.entries] == ["batch", "none"]
    # each r is to the best of its workload: 1, 1, 1 against 4, 2, 1 with an area of 1 − (r − 1)/3
    assert (batch.profile_area, none.profile_area) == (1, pytest.approx((0 + 2 / 3 + 1) / 3))
    assert none.profile == ((1.0, 1 / 3), (2.0, 2 / 3), (4.0, 1.0))
    assert batch.hit_rates == (1, 1, 1)
    assert batch.quality == pytest.approx((0.5 - 0.1) / (0.95 - 0.1))
    assert none.quality == pytest.approx((0.9 - 0.1) / (0.95 - 0.1))


@pytest.mark.usefixtures("three")
def test_its_interval_combines_the_workloads_by_satterthwaite(runs_dir: Path) -> None:
    """With one standard error per workload, each of 15 degrees of freedom, worked with SciPy's t."""
    errors = []
    for half in (20, 40, 80):
        differences = np.array([70, 90] * 8) / 80 - np.array([half - 10, half + 10] * 8) / half
        rounding = np.hypot(10 / np.sqrt(12) / 80, 10 / np.sqrt(12) / half)
        errors.append(max(float(np.std(differences, ddof=1)), rounding) / 4)
    squares = np.array(errors) ** 2
    degrees = squares.sum() ** 2 / (squares**2 / 15).sum()
    reach = stats.t.ppf(0.975, degrees) * np.sqrt(squares.sum()) / 3
    anchored = entry(across(runs_dir), "batch").anchored
    assert (anchored.low, anchored.high) == pytest.approx((2 * exp(-reach), 2 * exp(reach)))


def test_the_interval_covers_the_geometric_mean_of_ratios_of_fixed_workloads() -> None:
    """2,000 boards of three workloads with unequal spreads and pairs; 95 % of 2,000 ± 3 standard errors."""
    generator = np.random.default_rng(7)
    truth = (log(2) + log(1) + log(3)) / 3
    held = 0
    for _ in range(2000):
        ratios = []
        for factor, spread, count in ((2.0, 0.1, 8), (1.0, 0.3, 16), (3.0, 0.2, 12)):
            base = generator.lognormal(-(0.2**2) / 2, 0.2, count)
            first = 1000 * factor * base * generator.lognormal(-(spread**2) / 2, spread, count)
            second = 1000 * base * generator.lognormal(-(spread**2) / 2, spread, count)
            everyone = np.ones(count, dtype=bool)
            ratio = log_ratio(Times(first, everyone, 1e9), Times(second, everyone, 1e9))
            assert ratio is not None
            ratios.append(ratio)
        low, high = interval_of(mean_log_ratio(ratios))
        assert low is not None
        assert high is not None
        held += low <= exp(truth) <= high
    assert held / 2000 == pytest.approx(0.95, abs=0.0146)


def test_seeds_are_averaged_within_a_workload_and_never_pooled(cell: Cell, runs_dir: Path) -> None:
    """Pooled, the workload of 40 seeds would outweigh that of 8."""
    cell("none", [80] * 8, dataset="few")
    cell("batch", [20] * 8, dataset="few")
    cell("none", [80] * 40, dataset="many")
    cell("batch", [80] * 40, dataset="many")
    assert entry(across(runs_dir), "batch").anchored.mean == pytest.approx(2)


@pytest.mark.parametrize(
    ("first", "second", "bound"),
    [
        ([90, None], [90, 80], "at_least"),
        ([90, None], [90, None], "at_least"),
        ([90, 80], [90, 80], "exact"),
    ],
)
def test_misses_of_the_reference_make_the_mean_a_lower_bound(
    first: Sequence[float | None], second: Sequence[float | None], bound: str, cell: Cell, runs_dir: Path
) -> None:
    for dataset, times in (("a", first), ("b", second)):
        cell("none", [*times] * 4, dataset=dataset)
        cell("batch", [30] * 8, dataset=dataset)
    assert entry(across(runs_dir), "batch").bound == bound


def test_bounds_both_ways_bound_nothing(cell: Cell, runs_dir: Path) -> None:
    cell("none", [90, None] * 4, dataset="a")
    cell("batch", [30] * 8, dataset="a")
    cell("none", [30] * 8, dataset="b")
    cell("batch", [90, None] * 4, dataset="b")
    assert entry(across(runs_dir), "batch").bound == "undefined"


def test_where_neither_ever_hits_the_ratio_is_one_and_the_profile_gives_nothing(cell: Cell, runs_dir: Path) -> None:
    for dataset, hit in (("a", 20), ("b", None)):
        cell("none", [None if hit is None else 100] * 8, dataset=dataset)
        cell("batch", [hit] * 8, dataset=dataset)
    batch = entry(across(runs_dir), "batch")
    assert batch.speedups == pytest.approx((5, 1))
    assert (batch.anchored.mean, batch.bound) == (pytest.approx(5**0.5), "undefined")
    assert batch.profile_area == 0.5, "best on a, lost on b"


def test_an_entry_that_is_missing_somewhere_is_said_not_ranked_and_stands_last(cell: Cell, runs_dir: Path) -> None:
    for dataset in ("a", "b"):
        cell("none", [70, 90] * 8, dataset=dataset)
        cell("batch", [60, 80] * 8, dataset=dataset)
    cell("rms", [10] * 16, dataset="a")
    table = across(runs_dir)
    assert [each.entry for each in table.entries] == ["batch", "none", "rms"]
    assert entry(table, "rms").num_workloads == 1
    assert entry(table, "rms").hit_rates == (1, None)
    assert entry(table, "rms").rank == 3
    said = "across workloads (hard, recipe): rms: no speed-up in b; its anchored score is over the other 1 of 2"
    assert any(note.startswith(said) for note in table.notes)


def test_quality_is_known_where_the_reference_learns_nothing(cell: Cell, runs_dir: Path) -> None:
    """As a share of the reference's way it would be anything: 0.1001 is next to the trivial 0.1."""
    for dataset in ("a", "b"):
        cell("none", [None] * 8, dataset=dataset, final=0.1001)
        cell("batch", [50] * 8, dataset=dataset, final=0.95)
    table = across(runs_dir)
    assert entry(table, "batch").quality == pytest.approx(1)
    assert entry(table, "none").quality == pytest.approx(0, abs=1e-3)


def test_versions_of_an_entry_are_told_apart_and_never_pooled(cell: Cell, runs_dir: Path) -> None:
    """Even where every workload has one of them only: there both are called by the same name."""
    for dataset, version in (("digits", 1), ("letter", 2)):
        cell("none", [80] * 8, dataset=dataset)
        cell("batch", [20] * 8, dataset=dataset, version=version)
    table = across(runs_dir)
    assert entry(table, "none").num_workloads == 2
    versions = [each for each in table.entries if each.norm == "batch"]
    assert [each.num_workloads for each in versions] == [1, 1]
    assert all(f"{each.entry}: no speed-up in" in "\n".join(table.notes) for each in versions)


def test_a_version_is_one_entry_over_all_workloads(cell: Cell, runs_dir: Path) -> None:
    for dataset in ("digits", "letter"):
        cell("none", [80] * 8, dataset=dataset)
        for version, steps in ((1, 20), (2, 40)):
            cell("batch", [steps] * 8, dataset=dataset, version=version)
    table = across(runs_dir)
    assert [(each.num_workloads, each.anchored.mean) for each in table.entries if each.norm == "batch"] == [
        (2, pytest.approx(4)),
        (2, pytest.approx(2)),
    ]


def test_a_workload_without_the_reference_is_left_out_and_named(cell: Cell, runs_dir: Path) -> None:
    for dataset in ("a", "b"):
        cell("none", [80] * 8, dataset=dataset)
        cell("batch", [40] * 8, dataset=dataset)
    cell("batch", [40] * 8, dataset="c")
    table = across(runs_dir)
    assert table.workloads == ("a", "b")
    assert any("left out, without target or reference: c." in note for note in table.notes)


@pytest.mark.parametrize("datasets", [["a"], []])
def test_one_workload_is_no_sum(datasets: list[str], cell: Cell, runs_dir: Path) -> None:
    for dataset in datasets:
        cell("none", [80] * 8, dataset=dataset)
    assert score(load_records(runs_dir)).across == ()


def curves_of(name: str, times: list[int]) -> EntryCurves:
    """Return an entry that hits at these steps, 100 being a miss."""
    steps = np.arange(0.0, 101.0, 10.0)
    values = np.array([(steps >= hit) & (hit < 100) for hit in times], dtype=float)
    count = len(times)
    return EntryCurves(
        entry=name,
        norm=name,
        cell_id=name,
        entry_id=name,
        recorded_entry=name,
        recorded_workload_id="w",
        track="recipe",
        learning_rate=0.1,
        seeds=np.arange(count),
        steps=steps,
        values=values,
        diverged=np.zeros(count, dtype=bool),
        diverged_at_step=np.full(count, np.nan),
        finals=values[:, -1],
        bests=values[:, -1],
        tests=values[:, -1],
        spikes=np.zeros(count),
        trivial=0.1,
        samples_per_step=32.0,
        epochs_per_step=0.1,
        paths=(),
    )


def table_of(workloads: list[dict[str, list[int]]]) -> Across:
    blocks = []
    for index, entries in enumerate(workloads):
        described = Workload(f"w{index}", f"{index}", "accuracy", "max", 0.95, "hard", "pool", 100, 10)
        curves = [curves_of(name, times) for name, times in entries.items()]
        blocks.append(block(curves, described, track="recipe", reference="none"))
    (table,) = across_workloads(blocks)
    return table


hits = st.lists(st.sampled_from(range(10, 110, 10)), min_size=SEEDS, max_size=SEEDS)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.fixed_dictionaries({"none": hits, "batch": hits, "newcomer": hits}), min_size=2, max_size=4))
def test_adding_an_entry_moves_no_anchored_score(workloads: list[dict[str, list[int]]]) -> None:
    """Nor its interval, its bound, its hit rates or its quality; profiles are relative to the field and may move."""
    before = table_of([{name: times for name, times in each.items() if name != "newcomer"} for each in workloads])
    after = table_of(workloads)
    for each in before.entries:
        found = entry(after, each.entry)
        for kept in ("anchored", "bound", "num_workloads", "hit_rates", "speedups", "quality"):
            assert getattr(found, kept) == getattr(each, kept)
        assert found.profile_area <= each.profile_area + 1e-12, "a newcomer can only be better than the best"


ratios = st.lists(st.one_of(st.floats(1, 8), st.just(float("inf"))), min_size=1, max_size=8)


@given(ratios)
def test_the_area_in_closed_form_is_the_integral_of_the_profile(drawn: list[float]) -> None:
    corners = sorted({1.0, 4.0, *(ratio for ratio in drawn if ratio <= 4)})
    area = sum(
        integrate.quad(lambda r: np.mean([ratio <= r for ratio in drawn]), low, high, epsabs=1e-10)[0]
        for low, high in pairwise(corners)
        if high - low > 1e-9
    )
    assert profile_area(drawn) == pytest.approx(area / 3, abs=1e-6)


@given(ratios)
def test_the_profile_rises_from_one_to_the_largest_ratio(drawn: list[float]) -> None:
    profile = profile_of(drawn)
    assert (profile[0][0], profile[-1][0]) == (1, 4)
    assert all(one[0] < two[0] and one[1] <= two[1] for one, two in pairwise(profile))


def test_a_best_of_zero_steps_leaves_all_others_behind() -> None:
    assert ratios_to_best([0.0, 0.0, 5.0, None]) == [1.0, 1.0, float("inf"), float("inf")]


def test_a_single_pair_has_no_interval() -> None:
    mean = mean_log_ratio([LogRatio(log(2), None, 1, "exact"), LogRatio(log(2), 0.1, 8, "exact")])
    assert interval_of(mean) == (None, None)


def test_all_pairs_at_once_are_each_pair_alone() -> None:
    """By one covariance matrix, by single pairs where seeds differ, and by `log_ratio`: the same numbers."""
    generator = np.random.default_rng(3)
    for shared in (True, False):
        matrices, alone = [], []
        for _ in range(3):
            entries = []
            for index in range(4):
                steps = generator.integers(1, 10, 8) * 10.0
                reached = (steps < 90) & (index < 3)
                times = Times(np.where(reached, steps, 90.0), reached, 90, 10)
                entries.append(SeedTimes(np.arange(8) + (0 if shared else index), times))
            matrices.append(pair_matrix(entries))
            pairs = pair(entries[0], entries[1])
            alone.append(log_ratio(pairs.first, pairs.second))
        values, errors, freedom = mean_over(matrices)
        mean = mean_log_ratio([each for each in alone if each is not None])
        assert values[0, 1] == pytest.approx(mean.value)
        assert errors[0, 1] == pytest.approx(mean.standard_error)
        assert freedom[0, 1] == pytest.approx(mean.degrees_of_freedom)
        assert values == pytest.approx(-values.T, nan_ok=True)


def test_a_mean_is_tested_as_scipy_tests_it() -> None:
    expected = [2 * stats.t.sf(2.5, 9.5), 2 * stats.t.sf(0.5, 14)]
    found = two_sided_p(np.array([0.25, -0.1]), np.array([0.1, 0.2]), np.array([9.5, 14.0]))
    assert found == pytest.approx(expected)


def test_ranks_follow_a_corrected_test(cell: Cell, runs_dir: Path) -> None:
    """rms is as fast as batch: only what is significantly slower ranks behind."""
    for dataset in ("a", "b", "c"):
        cell("none", [70, 90, 80, 80] * 4, dataset=dataset)
        cell("batch", [20, 30, 40, 20] * 4, dataset=dataset)
        cell("rms", [30, 20, 20, 40] * 4, dataset=dataset)
    table = across(runs_dir)
    assert {each.entry: each.rank for each in table.entries} == {"batch": 1, "rms": 1, "none": 3}


def test_names_that_end_in_a_version_are_suites() -> None:
    assert mixed_suites({"a_v1", "b_v2", "quickstart", "a_vx"}) == []
    assert mixed_suites({"a_v1", "a_v2", "b_v1", "b_v3"}) == [["a_v1", "a_v2"], ["b_v1", "b_v3"]]


@pytest.fixture
def two_versions(cell: Cell, runs_dir: Path) -> Path:
    for dataset, suites in (("a", ["suite_v1"]), ("b", ["suite_v1"]), ("c", ["suite_v2"]), ("d", ["suite_v2"])):
        cell("none", [80] * 8, dataset=dataset, experiments=suites)
        cell("batch", [40] * 8, dataset=dataset, experiments=suites)
    return runs_dir


def test_versions_of_a_suite_are_never_summed_up_together(two_versions: Path) -> None:
    board = score(load_records(two_versions))
    assert board.across == ()
    assert any("suite_v1 and suite_v2" in note and "--experiment suite_v2" in note for note in board.notes)
    assert len(board.entries) == 8, "the workloads themselves are shown"


def test_one_version_of_a_suite_is_summed_up(two_versions: Path) -> None:
    (table,) = score(load_records(two_versions), experiments=["suite_v2"]).across
    assert table.workloads == ("c", "d")


def test_a_cell_of_both_versions_counts_for_the_one_that_is_asked_for(
    two_versions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The older version trained it; the newer one lists it in its index."""
    runs: Runs = load_records(two_versions)
    cells = {
        record.cell_id: {"entry": record.entry, "dataset": record.dataset, "seeds": list(range(8))}
        for record in runs.records
        if record.dataset in ("a", "c", "d")
    }
    add_cells(two_versions, "suite_v2", cells)
    assert main([str(two_versions), "--experiment", "suite_v2"]) == 0
    assert "across 3 workloads" in capsys.readouterr().out
