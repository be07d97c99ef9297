"""`+dry_run=true` tells what a sweep would train and why, and leaves everything as it is."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bnbench.config import Config
from bnbench.datasets import load
from bnbench.dry_run.reasons import Recorded
from bnbench.norms import choose_norm
from bnbench.records import load_records
from bnbench.training.cells import plan_cells

SWEEP = ("-m", "norm=batch,layer", "optimizer.lr=[0.1,0.2]")
NO_LADDER = ("dataset=file", "dataset.path=homes.csv", "dataset.target_column=price")


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with when it was written and what it holds."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    }


def rows_of(said: str) -> list[list[str]]:
    """The matrix: entry, learning rate, state, seeds done, seeds to train, seeds that failed before."""
    lines = [line.strip() for line in said.splitlines()]
    rows = [[part.strip() for part in line.split("  ") if part.strip()] for line in lines]
    return [row for row in rows if len(row) == 6 and row[0] != "entry"]


@pytest.fixture
def plan(command: Any) -> Callable[..., str]:
    """What a dry run says that refuses nothing; fails if it changes anything."""

    def run(*arguments: str) -> str:
        before = everything(command.folder)
        run = command(*arguments)
        assert run.code == 0, run.said
        assert everything(command.folder) == before
        return str(run.said)

    return run


@pytest.mark.parametrize("where", [0, 1, 2, 3])
def test_a_new_sweep_is_all_to_do_wherever_the_word_stands(where: int, plan: Callable[..., str]) -> None:
    said = plan(*SWEEP[:where], "+dry_run=true", *SWEEP[where:])
    assert rows_of(said) == [
        [norm, rate, "to do", "0 of 2", "0–1", "–"] for norm in ("batch", "layer") for rate in ("0.1", "0.2")
    ]
    assert "4 cells: 0 done, 0 with missing seeds, 4 to do" in said
    assert "8 seeds: 0 done, 8 to train" in said
    assert "48 steps to train" in said


def test_what_is_recorded_is_told_from_what_is_missing(command: Any, plan: Callable[..., str]) -> None:
    command("norm=batch", "seeds=3")
    command("norm=layer", "seeds=[1]")
    said = plan("-m", "norm=batch,layer,rms", "seeds=3", "+dry_run=true")
    assert rows_of(said) == [
        ["batch", "0.1", "done", "3 of 3", "–", "–"],
        ["layer", "0.1", "missing seeds", "1 of 3", "0, 2", "–"],
        ["rms", "0.1", "to do", "0 of 3", "0–2", "–"],
    ]
    assert "3 cells: 1 done, 1 with missing seeds, 1 to do" in said
    assert "9 seeds: 4 done, 5 to train" in said
    assert "30 steps to train" in said
    assert "nearly the same" not in said


def test_a_single_run_is_planned_and_then_trains_what_was_told(command: Any, plan: Callable[..., str]) -> None:
    assert rows_of(plan("+dry_run=true")) == [["batch", "0.1", "to do", "0 of 2", "0–1", "–"]]
    assert "trained 2 seeds" in command("+dry_run=false").said
    assert rows_of(plan("+dry_run=true")) == [["batch", "0.1", "done", "2 of 2", "–", "–"]]


def test_seeds_that_failed_before_are_told(command: Any, plan: Callable[..., str]) -> None:
    (command.folder / "stranger.py").write_text(
        "import torch\n\n\nclass Fragile(torch.nn.Module):\n    def __init__(self, num_features):\n"
        "        super().__init__()\n        self.weight = torch.nn.Parameter(torch.ones(num_features))\n\n"
        "    def forward(self, inputs):\n        raise RuntimeError('broken')\n"
    )
    stranger = ("norm=custom", "norm.class_path=stranger:Fragile")
    assert command(*stranger).code == 1
    said = plan(*stranger, "+dry_run=true", "seeds=3")
    ((*_, state, done, to_train, failed),) = rows_of(said)
    assert (state, done, to_train, failed) == ("to do", "0 of 3", "0–2", "0–1")
    assert "3 to train, 2 of them failed before" in said


OTHERS: dict[str, tuple[tuple[str, ...], str]] = {
    "option of the norm": (("norm.eps=0.5",), "option norm.eps: (left at its default) → 0.5"),
    "budget": (("budget.max_steps=9",), "option budget.max_steps: 6 → 9"),
    "learning rate": (("optimizer.lr=0.3",), "option optimizer.lr: 0.1 → 0.3"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_why_a_cell_is_new_is_told_by_the_key_that_differs(case: str, command: Any, plan: Callable[..., str]) -> None:
    command()
    changed, why = OTHERS[case]
    said = plan(*changed, "+dry_run=true")
    assert "New, although nearly the same is recorded:" in said
    assert why in said
    (record,) = load_records(command.runs).records
    assert f"(recorded: {record.cell_id})" in said


VERSIONS = {
    ("entry", "version"): "the norm's version: its numbers changed between them: 0 → 1",
    ("workload", "engine_version"): "the engine's version: the numbers of every run changed between them: 0 → 1",
}


@pytest.mark.parametrize("keys", VERSIONS)
def test_why_a_cell_is_new_is_told_of_versions_too(
    keys: tuple[str, str], command: Any, configure: Callable[..., Config]
) -> None:
    command()
    (record,) = load_records(command.runs).records
    config = configure()
    (cell,) = plan_cells(config, load(config.dataset), choose_norm(config.norm))
    identity = copy.deepcopy(record.identity)
    identity[keys[0]][keys[1]] = 0
    older = replace(record, identity=identity, cell_id="0" * 12)
    assert Recorded([older], asked=frozenset()).why_new(cell) == ("0" * 12, VERSIONS[keys])
    assert Recorded([older], asked=frozenset({"0" * 12})).why_new(cell) is None


def test_changed_data_are_told_by_their_checksums(command: Any, plan: Callable[..., str]) -> None:
    table = command.folder / "homes.csv"
    rows = [f"{row % 7},{row % 5},{row + 0.5}" for row in range(60)]
    table.write_text("\n".join(["a,b,price", *rows]) + "\n")
    command(*NO_LADDER)
    table.write_text("\n".join(["a,b,price", *rows[1:], "3,3,3.5"]) + "\n")
    said = plan(*NO_LADDER, "+dry_run=true")
    old = load_records(command.runs).records[0].identity["workload"]["dataset"]["checksum"]
    assert f"the prepared data: other rows, another split, or another preparation: {old[:8]} → " in said


def test_targets_to_be_measured_are_counted_and_those_measured_are_named(
    command: Any, plan: Callable[..., str]
) -> None:
    rows = [f"{row % 7},{row % 5},{row + 0.5}" for row in range(60)]
    (command.folder / "homes.csv").write_text("\n".join(["a,b,price", *rows]) + "\n")
    said = plan(*NO_LADDER, "+dry_run=true")
    assert "target: to be measured first" in said
    assert "30 steps before, of 5 runs that measure targets" in said
    command(*NO_LADDER, "budget.max_steps=60")
    said = plan(*NO_LADDER, "budget.max_steps=60", "+dry_run=true")
    assert "to be measured" not in said
    assert "that measure targets" not in said


def test_what_would_be_refused_is_named_and_makes_the_code_1(command: Any) -> None:
    run = command("-m", "norm=group,layer", "model.hidden=[6]", "+dry_run=true")
    assert run.code == 1
    assert "Refused (1):" in run.said
    assert "num_groups=4 does not divide 6 features" in run.said
    (again,) = [line for line in run.said.splitlines() if "again:" in line]
    assert "dry_run" not in again
    assert [row[0] for row in rows_of(run.said)] == ["layer"]
    assert not command.runs.exists()


def test_a_value_that_is_neither_true_nor_false_is_refused(command: Any) -> None:
    run = command("+dry_run=perhaps")
    assert run.code == 1
    assert run.said == "+dry_run=perhaps: expected +dry_run=true or +dry_run=false\n"
