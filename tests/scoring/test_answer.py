"""Which norm for this table: each at its learning rate, compared on seeds that chose nothing, said in plain words."""

from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from bnbench.records import load_records
from bnbench.reports.answer import headline, norm_name, notes, other_sentences, print_answer, table
from bnbench.scoring import Answer, answers

TUNING = range(1_000_000, 1_000_003)
RATES = (0.01, 0.1)
Write = Callable[..., None]


@pytest.fixture
def grid(cell: Callable[..., Path]) -> Write:
    """Write an entry at both learning rates; the larger one is better on the tuning seeds unless told otherwise."""

    def write(
        entry: str,
        times: Sequence[float | None],
        *,
        slow: Sequence[float | None] | None = None,
        tuning: tuple[float | None, float | None] = (90, 20),
        path: str | None = "data/homes.csv",
        **options: Any,
    ) -> None:
        scored = {RATES[0]: slow or [95] * len(times), RATES[1]: times}
        for rate, hit in zip(RATES, tuning, strict=True):
            config = {"optimizer": {"name": "adam", "lr": rate}, "dataset": {"name": "homes", "path": path}}
            seeds = dict(enumerate(scored[rate])) | dict.fromkeys(TUNING, hit)
            cell(entry, seeds, dataset="homes", config=config, **({"track": "tuned"} | options))

    return write


@pytest.fixture
def answer(runs_dir: Path) -> Callable[[], Answer]:
    def read() -> Answer:
        (found,) = answers(load_records(runs_dir).records)
        return found

    return read


NONE = [50, 60, 50, 60, 50, 60, 50, 60]
FAST = [20, 20, 30, 30, 20, 20, 30, 30]
MIXED = [40, 70, 40, 70, 60, 50, 60, 50]
SLOW = [80, 90, 80, 90, 80, 90, 80, 90]


def test_the_fastest_that_is_no_worse_wins_and_the_open_ones_are_named(
    grid: Write, answer: Callable[[], Answer]
) -> None:
    grid("none", NONE)
    grid("layer", FAST)
    grid("batch", MIXED)
    found = answer()
    assert found.winner is not None
    assert (found.winner.entry, found.why) == ("layer", "faster")
    assert headline(found) == (
        "On homes.csv use layer norm at lr 0.1: reaches 95 % in 2.2× fewer steps than none at lr 0.1 "
        "(1.78–2.71, 8 paired seeds, p_Holm = 0.016), final accuracy no different (97.00 % against 97.00 %, the "
        "difference within ±1.74 %); batch norm not decided."
    )
    (sentence,) = other_sentences(found)
    assert sentence.startswith("batch norm at lr 0.1: not decided: ")


def test_misses_of_the_reference_make_it_at_least(grid: Write, answer: Callable[[], Answer]) -> None:
    grid("none", [50, 60, None, 60, 50, 60, None, 60])
    grid("layer", FAST)
    assert "in at least 2.7× fewer steps than none" in headline(answer())


def test_the_learning_rate_is_chosen_by_the_tuning_seeds_alone(grid: Write, answer: Callable[[], Answer]) -> None:
    """The scored seeds would choose the other one."""
    grid("none", NONE)
    grid("layer", FAST, slow=[10] * 8, tuning=(90, 20))
    grid("rms", FAST, slow=[70] * 8, tuning=(20, 90))
    chosen = {each.entry: each.choice.rate for each in answer().contenders}
    assert chosen == {"none": 0.1, "layer": 0.1, "rms": 0.01}


def test_seeds_that_choose_are_never_scored(grid: Write, answer: Callable[[], Answer]) -> None:
    grid("none", NONE)
    grid("layer", FAST)
    assert all(set(each.finals.seeds.tolist()) == set(range(8)) for each in answer().contenders)


def test_a_norm_that_is_better_at_the_end_wins_where_none_is_faster(grid: Write, answer: Callable[[], Answer]) -> None:
    finals = {seed: 0.97 + 0.001 * seed for seed in range(8)} | dict.fromkeys(TUNING, 0.97)
    grid("none", MIXED, final={seed: value - 0.05 for seed, value in finals.items()})
    grid("layer", NONE, final=finals)
    found = answer()
    assert (found.winner and found.winner.entry, found.why) == ("layer", "better")
    assert headline(found).startswith(
        "On homes.csv use layer norm at lr 0.1: final accuracy better (97.35 % against 92.35 %, p_Holm = 0.0078) than "
        "none at lr 0.1; steps not decided ("
    )


def test_a_norm_that_is_faster_and_worse_at_the_end_does_not_win(grid: Write, answer: Callable[[], Answer]) -> None:
    grid("none", NONE, final=0.97)
    grid("layer", FAST, final=0.9)
    found = answer()
    assert (found.winner and found.winner.entry, found.why) == ("none", "nothing better")
    assert headline(found) == (
        "On homes.csv use none at lr 0.1: no norm is shown to be better. 'none' reaches accuracy 95.00 % with 8 of 8 "
        "seeds."
    )
    (sentence,) = other_sentences(found)
    assert "2.2× fewer steps than none" in sentence
    assert "final accuracy worse (90.00 % against 97.00 %, p_Holm = 0.0078)" in sentence


def test_a_slower_norm_is_called_slower(grid: Write, answer: Callable[[], Answer]) -> None:
    grid("none", NONE)
    grid("layer", SLOW)
    assert "1.55× more steps than none at lr 0.1" in other_sentences(answer())[0]


def test_nothing_reached_the_target(grid: Write, answer: Callable[[], Answer]) -> None:
    never = [None] * 8
    grid("none", never, slow=never, tuning=(None, None))
    grid("layer", never, slow=never, tuning=(None, None))
    found = answer()
    assert "Nothing reached accuracy 95.00 % in 100 steps." in notes(found)
    assert other_sentences(found)[0].startswith("layer norm at lr 0.01: never reaches the target, as 'none'; final")


def test_without_a_target_the_final_metric_decides(grid: Write, answer: Callable[[], Answer]) -> None:
    finals = {seed: 0.9 + 0.001 * seed for seed in range(8)} | dict.fromkeys(TUNING, 0.9)
    grid("none", NONE, targets=None, final=finals)
    grid("layer", NONE, targets=None, final={seed: value + 0.05 for seed, value in finals.items()})
    found = answer()
    assert (found.winner and found.winner.entry, found.why) == ("layer", "better")
    assert headline(found) == (
        "On homes.csv use layer norm at lr 0.01: final accuracy better (95.35 % against 90.35 %, p_Holm = 0.0078) than "
        "none at lr 0.01."
    )
    assert "No target could be set" in notes(found)[0]


def test_diverged_seeds_are_told_and_a_rate_at_which_seeds_diverge_is_not_chosen(
    grid: Write, answer: Callable[[], Answer]
) -> None:
    grid("none", NONE, died={1_000_000: 50, 3: 70})  # at both rates
    grid("layer", FAST)
    found = answer()
    assert "none: 1 of 8 seeds diverged." in notes(found)
    assert {row["norm"]: row["diverged"] for row in table(found)} == {"none": "1", "layer": "0"}


def test_a_choice_on_the_edge_of_the_grid_is_said_with_the_command_that_extends_it(
    grid: Write, answer: Callable[[], Answer]
) -> None:
    grid("none", NONE)
    grid("layer", FAST)
    assert (
        "layer norm: lr 0.1 is the largest that was tried; a larger one may be better: 'optimizer.lr=[0.01,0.1,1]'."
        in notes(answer())
    )


def test_no_answer_without_the_reference(grid: Write, answer: Callable[[], Answer]) -> None:
    grid("layer", FAST)
    assert answer().winner is None
    assert headline(answer()) == (
        "On homes.csv there is no answer: 'none', which all norms are compared with, has no runs."
    )


def test_records_of_the_recipe_track_ask_for_no_answer(grid: Write, runs_dir: Path) -> None:
    grid("none", NONE, track="recipe")
    assert answers(load_records(runs_dir).records) == []


def test_the_answer_comes_first_and_fits_a_terminal(grid: Write, answer: Callable[[], Answer]) -> None:
    grid("none", NONE, path=None)
    grid("group(num_groups=8)", FAST, path=None)
    stream = StringIO()
    print_answer(answer(), file=stream, width=100)
    said = stream.getvalue()
    assert said.startswith("On homes use group norm (num_groups=8) at lr 0.1: ")
    assert max(map(len, said.splitlines())) <= 100


def test_names_of_norms() -> None:
    assert norm_name("batch\x1b[31m") == "batch\N{REPLACEMENT CHARACTER}[31m norm"


def test_a_lost_seed_counts_in_the_test_metric_as_at_the_end(grid: Write, answer: Callable[[], Answer]) -> None:
    grid("none", NONE)
    grid(
        "batch",
        [20] * 8,
        died={0: 50, 1: 50},
        final=0.9,
        metric={"name": "accuracy", "direction": "max", "trivial": 0.1},
    )
    (batch,) = [each for each in answer().contenders if each.entry == "batch"]
    assert batch.diverged == 2
    assert batch.test.estimate == batch.final.estimate == pytest.approx((6 * 0.9 + 2 * 0.1) / 8)


def test_by_a_metric_whose_trivial_value_is_good_a_lost_seed_leaves_the_end_unknown(
    grid: Write, answer: Callable[[], Answer]
) -> None:
    """Who predicts the frequencies of the classes is calibrated: lost seeds would look best of all."""
    ece = {"name": "ece", "direction": "min", "trivial": 0.0}
    grid("none", NONE, metric=ece, final=0.2)
    grid("batch", [20] * 8, metric=ece, final=0.2, died=dict.fromkeys(range(7), 50))
    (batch,) = [each for each in answer().contenders if each.entry == "batch"]
    assert (batch.final.estimate, batch.test.estimate) == (None, None)
    assert batch.final_verdict == "not decided"
