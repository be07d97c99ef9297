"""Training for a claim: exactly the records that were asked for, found again, and a failure in its own words."""

import shutil
from pathlib import Path

import pytest

from bnbench.claims import source, training
from bnbench.claims.source import source_hash
from bnbench.claims.training import train_records
from bnbench.errors import UserError

SHORT = ("norm=none", "budget.max_steps=20", "budget.eval_every_steps=10", "measure_cost=false")


def silent(text: str) -> None:
    """Say nothing."""


def test_an_experiment_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no experiment 'quickstrat'"):
        train_records("quickstrat", all_seeds=(0,), runs_dir=tmp_path, say=silent)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_records_are_those_of_these_overrides_and_seeds(tmp_path: Path) -> None:
    runs_dir = tmp_path / "it's a folder, 2"
    said: list[str] = []
    slow = train_records("quickstart", *SHORT, "optimizer.lr=0.1", all_seeds=(0, 1), runs_dir=runs_dir, say=said.append)
    fast = train_records(
        "quickstart", *SHORT, "optimizer.lr=0.5", seeds=(0, 1, 2), all_seeds=(0,), runs_dir=runs_dir, say=said.append
    )
    fewer = train_records("quickstart", *SHORT, "optimizer.lr=0.5", all_seeds=(1,), runs_dir=runs_dir, say=said.append)
    seen = [
        [(record.config["optimizer"]["lr"], sorted(seed["seed"] for seed in record.seeds)) for record in records]
        for records in (slow, fast, fewer)
    ]
    assert seen == [[(0.1, [0, 1])], [(0.5, [0, 1, 2])], [(0.5, [1])]]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_cells_that_were_not_asked_for_this_time_do_not_count_and_stop_nothing(tmp_path: Path) -> None:
    def trained(norm: str) -> list[tuple[str, list[int]]]:
        options = (f"norm={norm}", *SHORT[1:])
        records = train_records("quickstart", *options, all_seeds=(0, 1), runs_dir=tmp_path, say=silent)
        return [(record.entry, sorted(seed["seed"] for seed in record.seeds)) for record in records]

    assert trained("none") == [("none", [0, 1])]
    (folder,) = (tmp_path / "claims" / "records").iterdir()
    (cell,) = folder.glob("digits-none-*")
    # as of an earlier version of what decides the cell: one finished, one begun
    shutil.copytree(cell, folder / "digits-none-0123456789ab")
    (folder / "digits-none-ba9876543210" / "seeds-0-1-01234567").mkdir(parents=True)
    training._FOUND.clear()
    assert trained("none") == [("none", [0, 1])]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_run_that_fails_is_told_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"training failed \(exit code 1\)[\s\S]*bacth[\s\S]*batch"):
        train_records("quickstart", "norm=bacth", all_seeds=(0,), runs_dir=tmp_path, say=silent)


def test_what_a_claim_uses_is_part_of_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = source_hash("S1_steadier", experiment="claims_source_text")
    assert before == source_hash("S1_steadier", experiment="claims_source_text")
    assert before != source_hash("S2_faster", experiment="claims_source_text")
    used = {path.stem for path in source._files("bnbench.claims.catalogue.S1_steadier", set())}
    assert used == {"S1_steadier", "source_text"}
    other = tmp_path / "claims_source_text.yaml"
    other.write_text("seeds: 3\n")
    monkeypatch.setattr(source, "experiment_file", lambda name: other)
    assert before != source_hash("S1_steadier", experiment="claims_source_text")
