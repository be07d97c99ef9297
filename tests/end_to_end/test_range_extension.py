"""The tuned track goes on beyond the rates that were asked for, where a norm's choice is their edge; for every norm."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bnbench import leaderboard
from bnbench.config import Config, as_dict
from bnbench.range_extension import TunedJob, extend_ranges, tuned_jobs
from bnbench.records import load_records, read_experiment

NORMS = ("none", "layer")
# steps enough to learn from, and rates far too small for the target: the largest is best, whatever the norm
STEPS = ("budget.max_steps=60", "budget.eval_every_steps=20", "model.activation=relu", "model.hidden=[16]")
TOO_SMALL = (*STEPS, "track=tuned", "optimizer.lr=[0.001,0.01]", f"norm={','.join(NORMS)}", "-m")
ADDED = re.compile(r"lr (\S+), the (\S+) that was tried, suits (.*) best: lr (\S+) is added for every norm \(extension")


def rates(runs: Path) -> dict[str, list[float]]:
    """The learning rates that were trained, by entry, each with the seeds of the first."""
    found: dict[str, dict[float, set[int]]] = {}
    for record in load_records(runs).records:
        own = found.setdefault(record.entry, {}).setdefault(record.config["optimizer"]["lr"], set())
        own.update(seed["seed"] for seed in record.seeds)
    assert len({frozenset(seeds) for by_rate in found.values() for seeds in by_rate.values()}) == 1
    return {entry: sorted(by_rate) for entry, by_rate in found.items()}


def both(*rates: float) -> dict[str, list[float]]:
    return {norm: list(rates) for norm in NORMS}


def test_every_norm_gets_every_added_rate_and_it_is_said(command: Any) -> None:
    run = command("+experiment=quickstart", *TOO_SMALL)
    assert run.code == 0, run.said
    assert rates(command.runs) == both(0.001, 0.01, 0.1, 1.0)
    said = ADDED.findall(run.said)
    assert [(edge, side, added) for edge, side, _, added in said] == [
        ("0.01", "largest", "0.1"),
        ("0.1", "largest", "1"),
    ]
    index = read_experiment(command.runs, "quickstart")
    assert index.keys() == {record.cell_id for record in load_records(command.runs).records}
    assert all(cell["tracks"] == ["tuned"] for cell in index.values())


def test_the_same_command_trains_nothing_and_says_the_same(command: Any) -> None:
    first = command(*TOO_SMALL)
    files = {path: path.read_bytes() for path in command.runs.glob("digits-*/*/*")}
    second = command(*TOO_SMALL)
    assert ADDED.findall(second.said) == ADDED.findall(first.said) != []
    assert {path: path.read_bytes() for path in command.runs.glob("digits-*/*/*")} == files
    assert "Nothing to train" in second.said
    board = "rank" if "rank" in first.said else "On digits"
    assert (
        second.said[second.said.index(board) :].replace("Nothing to train", "").split()[:40]
        == (first.said[first.said.index(board) :].split()[:40])
    )


def test_an_extension_that_stopped_half_way_goes_on(command: Any) -> None:
    command(*TOO_SMALL, "tuning.max_extensions=1")
    assert rates(command.runs) == both(0.001, 0.01, 0.1)
    # as if the process had died after the first norm of the second round
    command(*STEPS, "track=tuned", "norm=none", "optimizer.lr=[0.001,0.01,0.1,1.0]", "tuning.max_extensions=0")
    again = command(*TOO_SMALL)
    assert rates(command.runs) == both(0.001, 0.01, 0.1, 1.0)
    assert len(re.findall("trained [0-9]+ seeds", again.said)) == 1


def test_a_norm_that_comes_later_has_the_rates_of_those_before_it(command: Any) -> None:
    """Its own choice is no edge, and it would have one trial less than the norms it is compared with."""
    asked = (*STEPS, "track=tuned", "-m")
    command(*asked, "norm=none", "optimizer.lr=[0.01,0.3,9,270]", "tuning.max_extensions=0")
    later = command(*asked, "norm=layer", "optimizer.lr=[0.01,0.3,9]")
    assert not ADDED.search(later.said)
    assert "lr 270 was tried for none before, and trials are to be equal: lr 270 is added for every norm" in later.said
    assert rates(command.runs) == both(0.01, 0.3, 9, 270)
    other_budget = command(*asked, "norm=layer", "optimizer.lr=[0.01,0.3,9]", "budget.batch_size=17")
    assert "before" not in other_budget.said


@pytest.mark.parametrize(
    "arguments",
    [
        ("tuning.max_extensions=0", "optimizer.lr=[0.001,0.01]"),
        ("optimizer.lr=[0.01]",),
        ("optimizer.lr=0.01",),
    ],
)
def test_nothing_is_added_where_nobody_asked_for_a_range(command: Any, arguments: tuple[str, ...]) -> None:
    run = command(*STEPS, "track=tuned", "norm=none", *arguments)
    assert run.code == 0, run.said
    assert not ADDED.search(run.said)
    assert max(rates(command.runs)["none"]) == 0.01


def test_what_is_trained_is_what_is_said_on_whichever_side(command: Any) -> None:
    """At rates this large each norm may ask for another side: every one gets what any asks for."""
    run = command(*STEPS, "track=tuned", "norm=none,layer", "optimizer.lr=[3,30]", "tuning.max_extensions=1", "-m")
    assert run.code == 0, run.said
    added = {float(rate) for _, _, _, rate in ADDED.findall(run.said)}
    assert added
    assert rates(command.runs) == both(*sorted({3.0, 30.0, *added}))


def test_rates_at_which_every_seed_of_every_norm_diverges_are_not_extended(command: Any) -> None:
    run = command(*STEPS, "track=tuned", "norm=none", "optimizer.lr=[1e30,1e31]")
    assert run.code == 0, run.said
    assert [side for _, side, _, _ in ADDED.findall(run.said)] == []


@pytest.mark.parametrize(
    ("change", "num_jobs"),
    [({}, 1), ({"refusal": "no"}, 0), ({"cells": [{"folder": "a", "error": "boom"}]}, 0), ({"tuned": None}, 0)],
)
def test_jobs_that_failed_or_are_of_the_recipe_are_not_extended(
    change: dict[str, Any], num_jobs: int, configure: Callable[..., Config]
) -> None:
    """All of it comes from what is on disk, as JSON: the job may have run in another process."""
    config = configure("track=tuned", "optimizer.lr=[0.01,0.1]", "norm=none")
    tuned = {"workload": "w", "config": as_dict(config), "experiment": "x"}
    note = {"command": "c", "refusal": None, "cells": [{"folder": "a", "error": None}], "tuned": tuned} | change
    jobs = tuned_jobs([json.loads(json.dumps(note))])
    assert [job.config for job in jobs] == [config] * num_jobs


def test_an_extension_that_fails_is_not_tried_for_ever(command: Any, configure: Callable[..., Config]) -> None:
    command(*TOO_SMALL, "norm=none", "tuning.max_extensions=0")
    config = configure(*STEPS, "track=tuned", "optimizer.lr=[0.001,0.01]", "norm=none")
    folders = tuple(command.runs.glob("digits-none-*"))
    tried: list[Sequence[float]] = []
    extend_ranges([TunedJob("w", config, "", "", folders)], train=lambda job, rates: tried.append(rates))
    assert tried == [[0.1]]


def test_targets_of_the_automatic_rule_stay_those_of_the_rates_asked_for(server: Any, tmp_path: Path) -> None:
    stream = np.random.default_rng(0)
    features = stream.normal(size=(300, 4))
    table = pd.DataFrame(features, columns=list("abcd")).assign(price=features @ [1.0, -2.0, 0.5, 3.0])
    table.to_csv(tmp_path / "homes.csv", index=False)
    little = ("model.hidden=[8]", "budget.max_steps=60", "budget.eval_every_steps=6", "budget.batch_size=32", "seeds=2")
    asked = ("dataset.path=homes.csv", "dataset.target_column=price", "optimizer.lr=[0.0001,0.001]")
    run = server.start("+experiment=my_table", "-m", *little, *asked, "norm=none,layer", folder=tmp_path).wait()
    assert run.code == 0, run.said
    assert len(ADDED.findall(run.said)) == 2
    assert len(list((tmp_path / "runs" / "targets").glob("*.json"))) == 1
    (ladder,) = [json.loads(path.read_text()) for path in (tmp_path / "runs" / "targets").glob("*.json")]
    scored = [each for each in load_records(tmp_path / "runs").records if each.track == "tuned"]
    assert {json.dumps(each.targets, sort_keys=True) for each in scored} == {
        json.dumps(ladder["targets"], sort_keys=True)
    }


def test_a_cell_trained_before_shows_in_the_track_it_is_asked_for_now(
    command: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """All is trained, and no record knows of the recipe: the sweep's board and the experiment's know all the same."""
    asked = ("+experiment=quickstart", *TOO_SMALL, "tuning.max_extensions=0")
    first = command(*asked)
    assert "hard target" not in first.said  # one track alone: an answer
    second = command(*asked, "recipe_lr=0.01")
    assert "Nothing to train" in second.said
    assert "digits · tuned" in second.said
    assert second.said.count("hard target") == 2
    assert {record.config["recipe_lr"] for record in load_records(command.runs).records} == {None}
    tracks = [cell["tracks"] for cell in read_experiment(command.runs, "quickstart").values()]
    assert sorted(tracks) == [["recipe", "tuned"]] * 2 + [["tuned"]] * 2
    for only in ((), ("--experiment", "quickstart")):
        assert leaderboard.main([str(command.runs), *only, "--format", "json"]) == 0
        board = json.loads(capsys.readouterr().out)
        assert {row["track"] for row in board["entries"]} == {"recipe", "tuned"}
