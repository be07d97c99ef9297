"""From records on disk to a board: what is compared, what is refused, and what is said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnbench.errors import UserError
from bnbench.records.read import Runs, load_records
from bnbench.records.write import begin_record
from bnbench.reports import to_json
from bnbench.scoring import Board, Row, score

Cell = Callable[..., Path]


def row(board: Board, entry: str, *, level: str = "hard") -> Row:
    (found,) = [each for each in board.entries if each.entry == entry and each.target_level == level]
    return found


def reasons(board: Board) -> str:
    return "\n".join(f"{item.path}: {item.reason}" for item in board.skipped)


def scored(runs_dir: Path, **options: Any) -> Board:
    return score(load_records(runs_dir), **options)


def test_a_clear_difference_is_real_and_the_sentence_says_on_what_it_rests(cell: Cell, runs_dir: Path) -> None:
    # Differences 60, 70, 50 … all one way: p = 2/2¹⁶. Means 91.25 and 31.25 over 16 pairs: 2.92 times.
    cell("none", [90, 100, 80, 95] * 4, max_steps=200, cadence=5)
    cell("batch", [30, 30, 30, 35] * 4, max_steps=200, cadence=5)
    board = scored(runs_dir)
    batch = row(board, "batch")
    assert (batch.rank, row(board, "none").rank) == (1, 2)
    assert batch.speedup.estimate == 91.25 / 31.25
    assert batch.speedup.p_holm == 2 / 2**16
    assert batch.verdict == (
        "batch reaches 95 % in 2.92× fewer steps than none (2.78–3.08, 16 paired seeds, p_Holm < 0.0001): real."
    )
    assert row(board, "none").verdict == "the reference: reaches 95 % with 16 of 16 seeds."


def test_a_verdict_whose_interval_holds_one_is_called_narrow(cell: Cell, runs_dir: Path) -> None:
    """Seven differences one way are all the test asks for; how far one of them stands out makes the interval wide."""
    cell("none", [100, 110, 120, 100, 110, 120, 100, 900], max_steps=1000)
    cell("batch", [90, 100, 110, 90, 100, 110, 90, 100], max_steps=1000)
    batch = row(scored(runs_dir), "batch")
    assert batch.speedup.p_holm == 2 / 2**8
    assert batch.speedup.low < 1 < batch.speedup.high
    assert batch.verdict.endswith("p_Holm = 0.0078): real, but narrowly: the interval holds 1.")


def test_a_slower_entry_is_said_to_need_more_steps_with_the_interval_turned_round(cell: Cell, runs_dir: Path) -> None:
    cell("none", [30, 30, 30, 35] * 4, max_steps=200, cadence=5)
    cell("rms", [90, 100, 80, 95] * 4, max_steps=200, cadence=5)
    rms = row(scored(runs_dir), "rms")
    assert rms.speedup.estimate == 31.25 / 91.25
    assert "2.92× more steps than none (2.78–3.08," in rms.verdict


@pytest.mark.parametrize(
    ("none", "batch", "bound", "phrase"),
    [
        ([90, None] * 4, [30] * 8, "at_least", "batch reaches 95 % in at least 3.17× fewer steps than none"),
        ([30] * 8, [90, None] * 4, "at_most", "batch reaches 95 % with 4 of 8 seeds, in at least 3.17× more steps"),
        (
            [90] * 8,
            [10] * 5 + [None] * 3,
            "at_most",
            "batch reaches 95 % with 5 of 8 seeds, in at most 2.06× fewer steps",
        ),
        ([30] * 8, [None] * 8, "at_most", "batch never reaches 95 % in 100 steps, at least 3.33× more steps than none"),
        ([90, None] * 4, [30] * 7 + [None], "undefined", "counted up to step 100 since both have misses"),
    ],
)
def test_a_bound_is_said(
    none: list[float], batch: list[float], bound: str, phrase: str, cell: Cell, runs_dir: Path
) -> None:
    cell("none", none)
    cell("batch", batch)
    batch_row = row(scored(runs_dir), "batch")
    assert batch_row.speedup.bound == bound
    assert phrase in batch_row.verdict


def test_neither_reaches_is_said_with_the_best_value_seen(cell: Cell, runs_dir: Path) -> None:
    cell("none", [None] * 8)
    cell("batch", [None] * 8)
    board = scored(runs_dir)
    batch = row(board, "batch")
    assert (batch.hit_rate, batch.steps_to_target.median, batch.steps_to_target.rmst) == (0, None, 100)
    assert (batch.speedup.estimate, batch.speedup.bound, batch.rank) == (None, "undefined", 1)
    assert batch.verdict == "neither batch nor none reaches 95 % in 100 steps (8 paired seeds)."
    assert "no entry reaches accuracy 0.95 in 100 steps; the best value seen is 0.5." in "\n".join(board.notes)


def test_too_few_seeds_can_never_decide_and_the_verdict_says_how_many_can(cell: Cell, runs_dir: Path) -> None:
    cell("none", [80, 90, 100, 80, 90])
    cell("batch", [10, 10, 20, 10, 20])
    batch = row(scored(runs_dir), "batch")
    assert batch.speedup.p_holm == 2 / 2**5
    assert batch.verdict.startswith(
        "not decided: 5 paired seeds can never decide, at least 6 can (about 1 more seed); seen: batch reaches 95 % in"
    )


def test_the_family_raises_the_number_of_seeds_that_can_decide(cell: Cell, runs_dir: Path) -> None:
    cell("none", [80, 90, 100, 80, 90, 80])
    for norm in ("batch", "layer", "rms"):
        cell(norm, [10, 10, 20, 10, 20, 10])
    batch = row(scored(runs_dir), "batch")
    assert batch.speedup.p_holm == pytest.approx(3 * 2 / 2**6)
    assert "6 paired seeds can never decide among 3 comparisons, at least 7 can" in batch.verdict


def test_an_open_question_says_how_many_more_seeds_would_decide(cell: Cell, runs_dir: Path) -> None:
    # Differences −10, 30, 10, 20, 0, 20, as worked in `more_seeds`: 9 more.
    cell("none", [30, 70, 50, 60, 40, 60])
    cell("batch", [40, 40, 40, 40, 40, 40])
    batch = row(scored(runs_dir), "batch")
    assert batch.speedup.more_seeds == 9
    assert "(about 9 more seeds)" in batch.verdict
    assert "only 5 of 6 paired seeds differ, at least 6 must to decide" in batch.verdict


def test_enough_seeds_without_a_verdict_name_only_the_seeds_to_add(cell: Cell, runs_dir: Path) -> None:
    cell("none", [30, 70, 50, 60, 30, 60, 30, 60])
    cell("batch", [40, 40, 40, 40, 40, 40, 40, 40])
    assert row(scored(runs_dir), "batch").verdict.startswith("not decided: about ")


def test_no_difference_in_any_pair_is_said(cell: Cell, runs_dir: Path) -> None:
    cell("none", [30] * 8)
    cell("batch", [30] * 8)
    assert row(scored(runs_dir), "batch").verdict == ("not decided: the same steps to 95 % as none in 8 paired seeds.")


def test_one_seed_is_scored_and_decides_nothing(cell: Cell, runs_dir: Path) -> None:
    cell("none", [90])
    cell("batch", [30])
    batch = row(scored(runs_dir), "batch")
    assert (batch.n_seeds, batch.speedup.estimate, batch.speedup.low, batch.steps_to_target.low) == (1, 3, None, None)
    assert batch.verdict.startswith("not decided: 1 paired seed can never decide, at least 6 can")


def test_unpaired_seeds_are_left_out_of_the_comparison_and_said(cell: Cell, runs_dir: Path) -> None:
    cell("none", dict.fromkeys(range(8), 90))
    cell("batch", dict.fromkeys(range(2, 12), 30))
    batch = row(scored(runs_dir), "batch")
    assert (batch.n_seeds, batch.speedup.n_pairs) == (10, 6)
    assert batch.verdict.endswith("; 6 seeds without a partner left out.")


def test_no_common_seed_is_said(cell: Cell, runs_dir: Path) -> None:
    cell("none", dict.fromkeys(range(8), 90))
    cell("batch", dict.fromkeys(range(8, 16), 30))
    batch = row(scored(runs_dir), "batch")
    assert (batch.speedup.n_pairs, batch.speedup.bound, batch.rank) == (0, "undefined", 1)
    assert batch.verdict == "not compared: no seed in common with none."


def test_seeds_of_one_cell_in_several_records_count_together(cell: Cell, runs_dir: Path) -> None:
    cell("none", dict.fromkeys(range(8), 90))
    cell("none", dict.fromkeys(range(8, 16), 80))
    assert row(scored(runs_dir), "none").n_seeds == 16


def test_a_diverged_seed_is_a_miss_unless_it_hit_first_and_counts_at_chance(cell: Cell, runs_dir: Path) -> None:
    cell("none", [30] * 4, died={0: 20, 1: 60}, final=0.9)
    board = scored(runs_dir)
    none = row(board, "none")
    assert (none.hit_rate, none.diverged, none.steps_to_target.rmst) == (0.75, 2, (100 + 30 + 30 + 30) / 4)
    assert none.final.mean == pytest.approx((0.1 + 0.1 + 0.9 + 0.9) / 4)
    assert none.final.counted_trivial == 2
    assert "3 of 4 seeds; 2 diverged" in none.verdict


def test_a_seed_that_dies_at_once_is_scored(cell: Cell, runs_dir: Path) -> None:
    cell("none", [0, 30], died={0: 0})
    none = row(scored(runs_dir), "none")
    assert (none.n_seeds, none.hit_rate, none.diverged) == (2, 0.5, 1)


def test_a_final_value_that_is_not_finite_counts_at_chance(cell: Cell, runs_dir: Path) -> None:
    cell("none", [30, 30], final={0: 0.9, 1: None})
    assert row(scored(runs_dir), "none").final.mean == pytest.approx(0.5)


@pytest.mark.parametrize("value", ["0.9", [0.9], 10**308 * 9, {}])
def test_a_final_value_that_is_no_number_counts_at_chance_and_costs_no_board(
    value: Any, cell: Cell, runs_dir: Path
) -> None:
    cell("batch", [30, 30])
    folder = cell("none", [30, 30], final=0.9)
    record = json.loads((folder / "run.json").read_text())
    record["seeds"][1]["final"]["val_accuracy"] = value
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "SHA256SUMS").unlink()  # as by a program that writes none
    board = scored(runs_dir)
    assert "batch" in {each.entry for each in board.entries}
    finals = [each.final.mean for each in board.entries if each.entry == "none"]
    assert finals == [pytest.approx(0.5)] or str(folder) in reasons(board)


def test_values_whose_mean_is_no_float_leave_the_final_unknown(cell: Cell, runs_dir: Path) -> None:
    cell("none", [30, 30], final=1.7e308)
    assert row(scored(runs_dir), "none").final.mean is None
    cell("batch", [30, 30], final={0: 1e300, 1: -1e300})
    assert row(scored(runs_dir), "batch").final.low is None


def test_values_near_the_largest_float_leave_summaries_unknown_and_the_json_strict(cell: Cell, runs_dir: Path) -> None:
    targets = {"easy": 3.0, "medium": 2.0, "hard": 1e-301, "provenance": "pool"}
    for dataset in ("digits", "letter"):
        apart = {seed: (-1) ** seed * 1.7e308 for seed in range(8)}
        for entry, final in (("none", 0.5), ("batch", apart), ("layer", 1e9)):
            metric = {"name": "r2", "direction": "max", "trivial": 0.0}
            limits = (-1.7e308, 1.7e308)
            cell(entry, [50] * 8, dataset=dataset, metric=metric, targets=targets, final=final, levels=limits)
    board = scored(runs_dir)
    found = json.loads(to_json(board))["entries"]
    details = [each["details"] for each in found if each["entry"] == "batch"]
    assert [(each["final_iqr"], each["area_under_curve"]["mean"]) for each in details] == [(None, None)] * 2
    assert [each.quality for each in board.across[0].entries if each.entry == "layer"] == [None]


def test_a_difference_that_is_real_never_reads_as_none(cell: Cell, runs_dir: Path) -> None:
    for entry, first in (("none", 10_001), ("batch", 10_000), ("layer", 10_002)):
        cell(entry, range(first, first + 10), max_steps=20_000, cadence=1)
    board = scored(runs_dir)
    assert "batch reaches 95 % in 1.0001× fewer steps than none (1.00007–1.00013," in row(board, "batch").verdict
    assert "layer reaches 95 % in 1.0001× more steps than none" in row(board, "layer").verdict
    assert row(board, "batch").verdict.endswith(": real.")


def test_step_zero_crossings_break_no_ratio(cell: Cell, runs_dir: Path) -> None:
    cell("none", [50] * 8)
    cell("batch", [0] * 8)
    cell("layer", [0] * 4 + [20] * 4)
    board = scored(runs_dir)
    assert row(board, "batch").speedup.estimate is None
    assert "reaches 95 % before its first step with every seed, which none does not" in row(board, "batch").verdict
    assert row(board, "batch").rank == 1
    assert row(board, "layer").speedup.estimate == 5


@pytest.mark.parametrize(
    ("options", "named"), [({"max_steps": 200}, "max_steps"), ({"cadence": 20}, "eval_every_steps")]
)
def test_another_budget_or_cadence_in_one_workload_is_refused(
    options: dict[str, int], named: str, cell: Cell, runs_dir: Path
) -> None:
    same = {"budgetless": True}
    cell("none", [50] * 8, workload=same)
    cell("layer", [40] * 8, workload=same)
    refused = cell("batch", [30] * 8, workload=same, **options)
    board = scored(runs_dir)
    assert {each.entry for each in board.entries} == {"none", "layer"}
    assert f"{refused}: refused, not compared: it differs from the reference of its workload in {named}" in reasons(
        board
    )


def test_without_a_reference_the_rules_of_most_records_hold(cell: Cell, runs_dir: Path) -> None:
    for entry, cadence in (("batch", 10), ("layer", 10), ("rms", 20)):
        cell(entry, [40] * 8, workload={"w": 1}, cadence=cadence)
    board = scored(runs_dir)
    assert {each.entry for each in board.entries} == {"batch", "layer"}
    assert "differs from most records of its workload in eval_every_steps (20 against 10)" in reasons(board)


def test_rules_that_nothing_tells_apart_refuse_both_and_name_both(cell: Cell, runs_dir: Path) -> None:
    cell("batch", [40] * 8, workload={"w": 1}, cadence=10)
    cell("layer", [40] * 8, workload={"w": 1}, cadence=20)
    board = scored(runs_dir)
    assert board.entries == ()
    assert reasons(board).count("nothing tells which is meant") == 2


def test_of_two_target_ladders_in_one_workload_the_newest_serves_all_and_that_is_said(
    cell: Cell, runs_dir: Path
) -> None:
    ladder = {"easy": 0.1, "medium": 0.2, "hard": 0.3, "provenance": "newer"}
    cell("none", [50] * 8, environment={"started_at": "2026-01-01T00:00:00+00:00"})
    cell("batch", [30] * 8, targets=ladder, environment={"started_at": "2026-02-01T00:00:00+00:00"})
    board = scored(runs_dir)
    assert len(board.entries) == 2
    assert [(each.target, each.provenance) for each in board.workloads] == [(0.3, "newer")]
    assert any("1 record(s) were made under other targets" in note for note in board.notes)
    assert not any("other targets" in note for note in scored(runs_dir, target=0.95).notes)


def test_reserved_seeds_are_never_scored_and_said(cell: Cell, runs_dir: Path) -> None:
    cell("none", {0: 50, 1: 50, 1_000_000: 10, 2_000_003: 10})
    only_reserved = cell("batch", {1_000_000: 10})
    board = scored(runs_dir)
    assert row(board, "none").n_seeds == 2
    assert [each.entry for each in board.entries] == ["none"]
    assert "2 reserved seed(s) from 1,000,000 on" in reasons(board)
    assert f"{only_reserved}: 1 reserved seed(s)" in reasons(board)


def test_a_missing_reference_is_said_and_ranks_stand(cell: Cell, runs_dir: Path) -> None:
    cell("layer", [90] * 8)
    cell("batch", [30] * 8)
    board = scored(runs_dir)
    assert [(each.entry, each.rank) for each in board.entries] == [("batch", 1), ("layer", 2)]
    assert all(each.speedup.estimate is None for each in board.entries)
    assert "the reference 'none' is in none of these runs: Choose from: batch, layer" in board.notes[0]
    assert row(board, "batch").verdict.startswith("no speed-up: the reference 'none' has no scored seed here")


def test_a_misspelt_reference_gets_the_nearest_name(cell: Cell, runs_dir: Path) -> None:
    cell("batch", [30] * 8)
    assert "did you mean 'batch'?" in scored(runs_dir, reference="bacth").notes[0]


def test_any_entry_can_be_the_reference_by_text_or_by_norm(cell: Cell, runs_dir: Path) -> None:
    cell("none", [90] * 8)
    cell("group(num_groups=8)", [30] * 8)
    for name in ("group(num_groups=8)", "group"):
        board = scored(runs_dir, reference=name)
        assert row(board, "group(num_groups=8)").is_reference
        assert "3× more steps than group(num_groups=8)" in row(board, "none").verdict


def test_a_norm_with_two_entries_is_no_reference_until_one_is_named(cell: Cell, runs_dir: Path) -> None:
    cell("group(num_groups=8)", [30] * 8)
    cell("group(num_groups=4)", [40] * 8)
    board = scored(runs_dir, reference="group")
    assert "could be 'group(num_groups=4)', 'group(num_groups=8)'" in "\n".join(board.notes)


def test_two_versions_of_an_entry_are_told_apart_not_pooled(cell: Cell, runs_dir: Path) -> None:
    cell("none", [90] * 8)
    cell("batch", [30] * 8, version=1)
    cell("batch", [40] * 8, version=2)
    entries = [each for each in scored(runs_dir).entries if each.norm == "batch"]
    assert len({each.entry for each in entries}) == 2
    assert all(each.entry.startswith("batch [") and each.n_seeds == 8 for each in entries)


def test_levels_and_given_targets(cell: Cell, runs_dir: Path) -> None:
    cell("none", [50] * 8, targets={"easy": 0.4, "medium": 0.9, "hard": 0.99, "provenance": "pool"})
    board = scored(runs_dir, level="all")
    assert [(each.target_level, each.target) for each in board.workloads] == [
        ("easy", 0.4),
        ("medium", 0.9),
        ("hard", 0.99),
    ]
    rmst = [row(board, "none", level=level).steps_to_target.rmst for level in ("easy", "medium", "hard")]
    assert rmst == [0, 50, 100]
    given = scored(runs_dir, target=0.9)
    assert (given.workloads[0].target_level, given.workloads[0].provenance) == ("given", "given by hand")
    assert "reaches 90 % (target given by hand) with 8 of 8 seeds" in row(given, "none", level="given").verdict


def test_a_data_set_without_targets_keeps_its_final_values(cell: Cell, runs_dir: Path) -> None:
    cell("none", [50] * 8, targets=None)
    none = row(scored(runs_dir), "none")
    assert (none.hit_rate, none.steps_to_target.rmst, none.rank, none.final.mean) == (None, None, 1, 0.97)
    assert "give one with --target" in none.verdict
    assert row(scored(runs_dir, target=0.95), "none", level="given").hit_rate == 1


def test_a_metric_to_minimise_is_scored_the_other_way(cell: Cell, runs_dir: Path) -> None:
    rmse = {"name": "rmse", "direction": "min", "trivial": 2.0}
    targets = {"easy": 1.5, "medium": 1.0, "hard": 0.5, "provenance": "auto"}
    cell("none", [50, None], metric=rmse, targets=targets, levels=(1.8, 0.4), final=0.4)
    none = row(scored(runs_dir), "none")
    assert (none.hit_rate, none.steps_to_target.rmst) == (0.5, 75)
    assert "rmse 0.5" in none.verdict


def test_tracks_are_never_compared_with_each_other(cell: Cell, runs_dir: Path) -> None:
    cell("none", [90] * 8)
    cell("batch", [30] * 8, track="tuned")
    board = scored(runs_dir)
    assert [(each.track, each.entry, each.rank) for each in board.entries] == [
        ("recipe", "none", 1),
        ("tuned", "batch", 1),
    ]
    assert row(board, "batch").speedup.estimate is None


def test_workloads_are_named_by_what_differs(cell: Cell, runs_dir: Path) -> None:
    for rate in (0.1, 0.3):
        cell("none", [50] * 2, config={"optimizer": {"lr": rate}})
    assert sorted(each.workload for each in scored(runs_dir).workloads) == ["digits · lr=0.1", "digits · lr=0.3"]


def test_showing_fewer_norms_changes_no_conclusion(cell: Cell, runs_dir: Path) -> None:
    cell("none", [80, 90, 100, 80, 90, 80, 90])
    for norm in ("batch", "layer", "rms"):
        cell(norm, [10, 10, 20, 10, 20, 10, 10])
    everything, some = scored(runs_dir), scored(runs_dir, norms=["batch"])
    assert {each.entry for each in some.entries} == {"none", "batch"}
    assert row(some, "batch") == row(everything, "batch")
    assert "2 of 4 rows are shown; ranks and corrections count all of them." in some.notes


def test_datasets_and_experiments_choose_records(cell: Cell, runs_dir: Path) -> None:
    cell("none", [50] * 2, experiments=["quickstart"])
    cell("none", [50] * 2, dataset="breast_cancer")
    assert [each.workload for each in scored(runs_dir, datasets=["breast_cancer"]).entries] == ["breast_cancer"]
    assert [each.workload for each in scored(runs_dir, experiments=["quickstart"]).entries] == ["digits"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norms": ["bacth"]}, "unknown norm 'bacth' in these runs: did you mean 'batch'?"),
        ({"datasets": ["digit"]}, "did you mean 'digits'?"),
        ({"experiments": ["quick"]}, "unknown experiment 'quick'"),
        ({"level": "hrad"}, "did you mean 'hard'?"),
        ({"target": float("nan")}, "target is nan"),
    ],
)
def test_unknown_choices_name_the_nearest(options: dict[str, Any], message: str, cell: Cell, runs_dir: Path) -> None:
    cell("batch", [30] * 2, experiments=["quickstart"])
    with pytest.raises(UserError) as caught:
        scored(runs_dir, **options)
    assert message in str(caught.value)


def test_one_bad_record_costs_no_other(cell: Cell, runs_dir: Path) -> None:
    cell("none", [90] * 8)
    cell("batch", [30] * 8)
    truncated = cell("layer", [30] * 8)
    parquet = truncated / "history.parquet"
    parquet.write_bytes(parquet.read_bytes()[:100])
    unfinished = runs_dir / "digits-rms-0123456789ab" / "seeds-0-7-00000000"
    begin_record(unfinished)
    board = scored(runs_dir)
    assert {each.entry for each in board.entries} == {"none", "batch"}
    assert str(truncated) in reasons(board)
    assert str(unfinished) in reasons(board)


def test_damage_found_only_when_the_history_is_read_costs_no_other(cell: Cell, runs_dir: Path) -> None:
    cell("none", [90] * 8)
    gone = cell("batch", [30] * 8)
    runs = load_records(runs_dir)
    (gone / "history.parquet").unlink()
    board = score(runs)
    assert [each.entry for each in board.entries] == ["none"]
    assert f"{gone}: history.parquet" in reasons(board)


def test_a_seed_that_was_not_watched_to_the_end_does_not_count_and_the_others_do(cell: Cell, runs_dir: Path) -> None:
    folder = cell("none", [90, 90], max_steps=100)
    record = json.loads((folder / "run.json").read_text())
    record["config"]["budget"]["max_steps"] = 200
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "SHA256SUMS").unlink()  # as by a program that writes none
    board = scored(runs_dir)
    assert board.entries == ()
    assert "seed 0 does not count: its rows are not at the steps 0 to 200 that its budget says" in reasons(board)


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ({}, "no budget.max_steps"),
        ({"max_steps": 0, "eval_every_steps": 10}, "of at least 1"),
        ({"max_steps": 10**15, "eval_every_steps": 1}, "evaluations; at most 1,000,000"),
        ({"max_steps": 10**300, "eval_every_steps": 10**300}, "can be told apart"),
        ("none", "no budget.max_steps"),
    ],
)
def test_a_budget_that_makes_no_sense_is_said(budget: Any, reason: str, cell: Cell, runs_dir: Path) -> None:
    cell("none", [90, 90])
    cell("batch", [90, 90], config={"budget": budget})
    board = scored(runs_dir)
    assert [each.entry for each in board.entries] == ["none"]
    assert reason in reasons(board)


def test_nothing_at_all_is_an_empty_board() -> None:
    board = score(Runs())
    assert (board.workloads, board.entries, board.skipped) == ((), (), ())


def test_the_order_of_records_changes_nothing(cell: Cell, runs_dir: Path) -> None:
    for norm, hit in (("none", 90), ("batch", 30), ("layer", 50), ("rms", 50)):
        cell(norm, [hit, hit + 10, hit] * 3)
    runs = load_records(runs_dir)
    backwards = Runs(records=runs.records[::-1])
    assert score(backwards) == score(runs)


def test_text_of_a_board_holds_every_verdict(cell: Cell, runs_dir: Path) -> None:
    cell("none", [90] * 8)
    cell("batch", [30] * 8)
    board = scored(runs_dir)
    assert all(each.verdict in str(board) for each in board.entries)
