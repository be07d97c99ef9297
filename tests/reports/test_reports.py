"""Every report is made from the board alone, says all of it, and shows names from records as data."""

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from bnbench.records import Skipped
from bnbench.reports import print_board, to_csv, to_json, to_markdown, to_text
from bnbench.scoring.board import (
    Across,
    AcrossEntry,
    BestOf,
    Board,
    CostOf,
    Details,
    Estimate,
    Final,
    HitRateInterval,
    RateOutcome,
    Row,
    Speedup,
    StepsToTarget,
    Tunability,
    Tuning,
    Workload,
)

WORKLOAD = Workload("digits · lr=0.1", "0123456789ab", "accuracy", "max", 0.95, "hard", "pool", 600, 20)
NONE = Row(
    workload="digits · lr=0.1",
    workload_id="0123456789ab",
    target_level="hard",
    track="recipe",
    entry="none",
    norm="none",
    rank=2,
    n_seeds=16,
    hit_rate=0.75,
    hit_rate_interval=HitRateInterval(0.5, 0.9),
    steps_to_target=StepsToTarget(480.0, 511.25, 470.5, 551.9),
    speedup=Speedup(1.0, 1.0, 1.0, "exact", 16, None, None, None),
    final=Final(0.9512, 0.94, 0.96, 1),
    diverged=1,
    is_reference=True,
    verdict="the reference: reaches 95 % with 12 of 16 seeds.",
)
BATCH = replace(
    NONE,
    entry="batch",
    norm="batch",
    rank=1,
    hit_rate=1.0,
    steps_to_target=StepsToTarget(None, 1234.0, 1200.0, 1300.0),
    speedup=Speedup(3.14159, 2.6, 3.8, "at_least", 16, 0.0001, 0.0004, None),
    diverged=0,
    is_reference=False,
    verdict="batch reaches 95 % in at least 3.14× fewer steps than none: real.",
)
UNKNOWN = replace(
    BATCH,
    entry="layer",
    norm="layer",
    hit_rate=None,
    hit_rate_interval=HitRateInterval(None, None),
    steps_to_target=StepsToTarget(None, None, None, None),
    speedup=Speedup(None, None, None, "undefined", 0, None, None, None),
    final=Final(None, None, None, 2),
    verdict="not compared.",
)
BOARD = Board(
    "none", (WORKLOAD,), (BATCH, UNKNOWN, NONE), (Skipped(Path("runs/x"), "unfinished: no run.json"),), ("a note",)
)
NAMES = [
    pytest.param("[bold red]x[/]", id="rich-markup"),
    pytest.param("a|b", id="markdown-pipe"),
    pytest.param("<script>alert(1)</script>", id="html"),
    pytest.param("[click](http://example.org)", id="markdown-link"),
    pytest.param(":smile:", id="emoji-code"),
]


COST = CostOf(0.001, 0.0002, 1_000_000, 1234, 1.5, 1.1, None, 1.02, "a processor, 1 thread", "2026-01-01T00:00:00Z")


def named(name: str) -> Board:
    row = replace(BATCH, entry=name, verdict=f"{name} is real.")
    return Board(name, (WORKLOAD,), (row,), (Skipped(Path("runs/x"), f"because of {name}"),), (f"note on {name}",))


@pytest.mark.parametrize("width", [40, 80, 100, 140, 220])
def test_a_table_of_any_width_says_everything_and_stays_inside(width: int) -> None:
    stream = StringIO()
    print_board(BOARD, file=stream, width=width)
    printed = stream.getvalue()
    assert all(len(line.rstrip()) <= width for line in printed.splitlines())
    said = " ".join(printed.split())
    for part in (
        "digits · lr=0.1",
        "hard target: accuracy 95 %",
        "batch",
        "3.14×",
        "[2.6–3.8]",
        "1,234",
        "not reached",
    ):
        assert part in said
    assert "95.12 %" in said
    assert "reference" in said
    assert "a note" in said
    assert "runs/x: unfinished: no run.json" in said


@pytest.mark.parametrize("width", [60, 80, 110, 150])
def test_every_first_view_column_and_verdict_is_there(width: int) -> None:
    """Narrow tables break a heading over two lines, so its words are looked for."""
    words = to_text(BOARD, width=width).split()
    for column in ("seeds", "hit rate", "steps to target", "speed-up", "final", "diverged"):
        assert {word.rstrip(":") for word in words} >= set(column.split())
    assert all(row.verdict in " ".join(words) for row in BOARD.entries)


def test_a_wide_terminal_has_the_verdict_as_a_column() -> None:
    lines = to_text(BOARD, width=220).splitlines()
    (heading,) = [line for line in lines if line.startswith("rank")]
    (batch,) = [line for line in lines if " batch " in line and " 16 " in line]
    assert batch.index("batch reaches 95 %") == heading.index("verdict")


def test_eighty_columns_are_enough_for_a_table() -> None:
    (heading,) = [line for line in to_text(BOARD, width=80).splitlines() if line.startswith("rank")]
    assert heading.split() == ["rank", "entry", "seeds", "rate", "target", "speed-up", "final", "diverged"]


@pytest.mark.parametrize(
    ("bound", "text"), [("exact", " 3.14×"), ("at_least", "≥ 3.14×"), ("at_most", "≤ 3.14×"), ("undefined", "~ 3.14×")]
)
def test_the_bound_is_shown_beside_the_speedup(bound: str, text: str) -> None:
    row = replace(BATCH, speedup=replace(BATCH.speedup, bound=bound))
    assert text in to_text(Board("none", (WORKLOAD,), (row,)))


def test_rows_stand_in_the_order_of_the_board() -> None:
    printed = to_text(BOARD, width=150)
    assert printed.index("batch") < printed.index("layer") < printed.index("none  ")


@pytest.mark.parametrize("width", [60, 110, 220])
@pytest.mark.parametrize("name", NAMES)
def test_a_terminal_shows_a_name_as_it_is(name: str, width: int) -> None:
    assert name in "".join(line.rstrip() for line in to_text(named(name), width=width).splitlines())


def test_control_codes_never_reach_a_terminal() -> None:
    board = named("batch\x1b[2J\u202e\x07")
    workload = replace(WORKLOAD, workload="digits\x1b]0;owned\x07", provenance="pool\x1b[31m")
    for report in (to_text, to_markdown):
        text = report(replace(board, workloads=(workload,)))
        assert not {"\x1b", "\u202e", "\x07"} & set(text)
        assert "batch\N{REPLACEMENT CHARACTER}" in text


@pytest.mark.parametrize("name", NAMES)
def test_markdown_shows_a_name_as_it_is(name: str) -> None:
    table = [line for line in to_markdown(named(name)).splitlines() if line.startswith("|")]
    unescaped = [line.replace("\\|", "") for line in table]
    assert {line.count("|") for line in unescaped} == {10}, "nine columns whatever a name holds"
    for special in "<[*`":
        assert all(f"\\{special}" in line or special not in line for line in table)
    assert not any("<script>" in line for line in table)


def test_markdown_says_everything() -> None:
    text = to_markdown(BOARD)
    assert "### digits · lr=0.1" in text
    assert "| 1 | batch | 16 | 100 % | 1,234 \\[1,200–1,300\\], median not reached | ≥ 3.14× \\[2.6–3.8\\] |" in text
    assert "- runs/x: unfinished: no run.json" in text
    assert "a note" in text


def as_text(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def flattened(entry: Mapping[str, object]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in entry.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{key}": inner for key, inner in flattened(value).items()}
        else:
            flat[name] = value
    return flat


def test_csv_holds_every_number_of_the_json() -> None:
    board = replace(BOARD, entries=(replace(BATCH, cost=COST, tuning=Tuning(0.1, "largest", 5, 3)), UNKNOWN, NONE))
    rows = list(csv.DictReader(StringIO(to_csv(board))))
    entries = json.loads(to_json(board))["entries"]
    assert len(rows) == len(entries) == 3
    for row, entry in zip(rows, entries, strict=True):
        flat = flattened(entry)
        for part in ("cost", "tuning"):
            if entry[part] is None:
                assert flat.pop(part) is None
                assert {value for column, value in row.items() if column.startswith(f"{part}_")} == {""}
        assert {column: row[column] for column in flat} == {column: as_text(value) for column, value in flat.items()}
    assert rows[0]["target"] == "0.95"
    assert rows[0]["metric"] == "accuracy"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", " =1+1", "＝1+1"])
def test_csv_text_is_never_a_formula(name: str) -> None:
    (row,) = csv.DictReader(StringIO(to_csv(named(name))))
    assert row["entry"] == f"'{name}"
    assert row["verdict"].startswith("'")


def test_csv_numbers_below_zero_stay_numbers() -> None:
    row = replace(BATCH, final=Final(-1.5, -2.0, -1.0, 0))
    (read,) = csv.DictReader(StringIO(to_csv(Board("none", (WORKLOAD,), (row,)))))
    assert float(read["final_mean"]) == -1.5


def test_an_empty_board_is_a_report_too() -> None:
    board = Board("none", skipped=(Skipped(Path("runs/x"), "unfinished"),))
    assert "No entry to rank." in to_text(board)
    assert "runs/x: unfinished" in to_text(board)
    assert "No entry to rank." in to_markdown(board)
    assert json.loads(to_json(board))["entries"] == []
    assert list(csv.DictReader(StringIO(to_csv(board)))) == []
    assert to_csv(board).splitlines() == to_csv(BOARD).splitlines()[:1]


def test_json_is_strict() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(Board("none", (WORKLOAD,), (replace(BATCH, hit_rate=float("nan")),)))


def test_many_skipped_of_one_reason_are_counted_in_the_terminal_and_complete_elsewhere() -> None:
    board = replace(BOARD, skipped=tuple(Skipped(Path(f"runs/{index:03}"), "unfinished") for index in range(100)))
    printed = to_text(board)
    assert "Not counted (100):" in printed
    assert printed.count("unfinished") == 21
    assert "… and 80 more: unfinished" in printed
    assert to_markdown(board).count("unfinished") == 100
    assert len(json.loads(to_json(board))["skipped"]) == 100


def test_a_target_given_by_hand_and_a_missing_one_are_called_so() -> None:
    by_hand = replace(WORKLOAD, target_level="given", provenance="given by hand")
    rows = (replace(BATCH, target_level="given"),)
    assert "target given by hand: accuracy 95 %" in to_text(Board("none", (by_hand,), rows))
    assert "accuracy, no hard target" in to_text(Board("none", (replace(WORKLOAD, target=None),), (UNKNOWN,)))


def test_a_metric_that_is_no_accuracy_is_shown_as_it_is() -> None:
    rmse = replace(WORKLOAD, metric="rmse", direction="min", target=0.43)
    printed = to_text(Board("none", (rmse,), (BATCH,)))
    assert "rmse 0.43" in printed
    assert "0.9512 [0.94–0.96]" in printed


def test_the_tuned_track_has_a_table_of_its_own() -> None:
    board = Board("none", (WORKLOAD,), (BATCH, replace(BATCH, track="tuned")))
    assert to_markdown(board).count("### digits") == 2
    assert "### digits · lr=0.1 · tuned" in to_markdown(board)


def test_the_step_cost_stands_between_diverged_and_verdict_where_any_is_measured() -> None:
    board = replace(BOARD, entries=(replace(BATCH, cost=COST), UNKNOWN, NONE))
    (heading,) = [line for line in to_markdown(board).splitlines() if line.startswith("| rank")]
    assert heading.endswith("| diverged | step cost | verdict |")
    batch, layer = (line for line in to_markdown(board).splitlines() if line.startswith("| 1 |"))
    assert " | 1.5× | " in batch
    assert " | – | " in layer, "where it is unmeasured"
    assert "step cost" not in to_markdown(BOARD)
    assert "step cost" in to_text(board)


def test_the_tuned_track_shows_the_learning_rate() -> None:
    row = replace(BATCH, track="tuned", tuning=Tuning(0.03, "largest", 5, 3))
    board = Board("none", (WORKLOAD,), (row,))
    (heading,) = [line for line in to_markdown(board).splitlines() if line.startswith("| rank")]
    assert heading.startswith("| rank | entry | lr | seeds |")
    assert "| 1 | batch | 0.03 | 16 |" in to_markdown(board)


ACROSS = Across(
    "hard",
    "recipe",
    ("digits", "letter <b>"),
    ("0123456789ab", "ba9876543210"),
    (
        AcrossEntry(
            entry="batch|[x]",
            norm="batch",
            rank=1,
            is_reference=False,
            anchored=Estimate(2.5, 2.0, 3.1),
            bound="at_least",
            num_workloads=2,
            profile_area=0.9,
            profile=((1.0, 0.5), (4.0, 1.0)),
            hit_rates=(1.0, None),
            speedups=(2.5, None),
            quality=1.01,
            relative_step=1.4,
        ),
    ),
    ("a note across",),
)
RATE = RateOutcome(0.01, 8, 1, 2, 4, 1, 80.0, 0.9)
TUNABILITY = Tunability(
    "digits",
    "0123456789ab",
    "hard",
    "batch",
    "batch",
    0.1,
    "largest",
    (RATE, replace(RATE, learning_rate=0.1)),
    (BestOf(1, 90.0, 0.9), BestOf(2, 70.0, 0.9)),
    3.3219,
    False,
    True,
)


@pytest.mark.parametrize("width", [40, 80, 120, 220])
def test_entries_across_workloads_and_learning_rates_stand_under_the_tables(width: int) -> None:
    board = replace(BOARD, across=(ACROSS,), tunability=(TUNABILITY,))
    printed = to_text(board, width=width)
    assert all(len(line.rstrip()) <= width for line in printed.splitlines())
    said = " ".join(printed.split())
    for part in ("across 2 workloads", "≥ 2.5×", "[2–3.1]", "0.900", "1.010", "1.4×", "a note across"):
        assert part in said
    for part in ("digits · learning rates", "0.1 (largest tried)", "≥ 3.3 octaves", "90", "70"):
        assert part in said


@pytest.mark.parametrize("width", [60, 220])
def test_all_columns_add_details_costs_and_what_holds_per_workload(width: int) -> None:
    details = Details(123.4, Estimate(0.5, 0.4, 0.6), Estimate(0.97), Estimate(0.96), 2, 1.5, 30.0, 400.0, 0.01)
    row = replace(BATCH, details=details, cost=COST)
    board = replace(BOARD, entries=(row, NONE), across=(ACROSS,), tunability=(TUNABILITY,))
    first, everything = to_text(board, width=width), to_text(board, width=width, everything=True)
    said = " ".join(everything.split())
    for part in ("ERT", "123", "50.00 % [40.00–60.00]", "97.00 %", "1,000 µs (1.5×)", "1 MB (–)", "a processor"):
        assert part in said
        assert part not in " ".join(first.split()) or part in {"97.00 %", "123"}
    assert "4 reached, 1 slow, 2 stalled, 1 diverged" in said
    assert "hit rates" in said
    assert "details" in to_markdown(board, everything=True)


def test_sections_of_a_strangers_names_are_escaped() -> None:
    text = to_markdown(replace(BOARD, across=(ACROSS,)), everything=True)
    assert "batch\\|\\[x\\]" in text
    assert "letter \\<b\\>" in text
    assert "<b>" not in text
