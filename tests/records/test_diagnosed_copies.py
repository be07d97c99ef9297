"""Records with diagnostics beside records without: which counts, what merges, what may go."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bnbench.records import begin_record, cell_folder, diagnosed_seeds, diagnostics_file, load_records, record_folder
from bnbench.records import write_record as write_to
from bnbench.runs import main
from bnbench.scoring.score import not_scored

Write = Callable[..., Path]
Make = Callable[..., Any]


def rows(seeds: Sequence[int], names: Sequence[str]) -> pa.Table:
    keys = [(seed, step, name) for seed in seeds for step in (0, 10, 20) for name in names]
    return diagnostics_file.to_table(
        {
            "seed": [seed for seed, _, _ in keys],
            "step": [step for _, step, _ in keys],
            "layer": ["hidden.0"] * len(keys),
            "name": [name for *_, name in keys],
            "value": [float("nan") if step == 0 else seed + step / 7 for seed, step, _ in keys],
        }
    )


@pytest.fixture
def diagnose(raw: Make, table: Make) -> Write:
    """Write a record with diagnostics below a runs folder and return its folder."""

    def diagnose(
        runs_dir: Path, seeds: Sequence[int], names: Sequence[str] = ("units",), *, offset: float = 0.0, **left_out: str
    ) -> Path:
        record = raw(seeds) | {"diagnostics": {"names": list(names), "left_out": left_out, "seconds": 0.5}}
        cell = cell_folder(runs_dir, dataset="digits", norm="batch", cell_id=record["cell_id"])
        folder = record_folder(cell, seeds, diagnostics=[*names, *left_out])
        begin_record(folder)
        write_to(folder, record, table(seeds, offset=offset), rows(seeds, names))
        return folder

    return diagnose


def told(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    main([*map(str, words), "--json"])
    return json.loads(capsys.readouterr().out)


def test_it_lies_beside_the_one_without_and_counts(tmp_path: Path, write: Write, diagnose: Write) -> None:
    plain, diagnosed = write(tmp_path, [0, 1, 2]), diagnose(tmp_path, [0, 1])
    assert plain.parent == diagnosed.parent
    runs = load_records(tmp_path)
    counting = {record.path: [entry["seed"] for entry in record.seeds] for record in runs.records}
    assert counting == {plain: [2], diagnosed: [0, 1]}
    (copy,) = runs.copies
    assert (copy.path, copy.kept, copy.identical, copy.superseded) == (plain, diagnosed, True, True)
    assert not_scored(runs) == []  # nothing was lost


def test_the_one_with_more_counts_and_another_result_is_a_conflict(tmp_path: Path, diagnose: Write) -> None:
    diagnose(tmp_path, [0])
    more = diagnose(tmp_path, [0], ["units", "updates"], offset=1.0)
    runs = load_records(tmp_path)
    assert [record.path for record in runs.records] == [more]
    (conflict,) = runs.conflicts
    assert (conflict.kept, conflict.superseded) == (more, False)
    assert len(not_scored(runs)) == 1


def test_seeds_know_what_they_were_asked_for(tmp_path: Path, write: Write, diagnose: Write) -> None:
    folder = write(tmp_path, [0, 1, 2])
    diagnose(tmp_path, [1, 2])
    diagnose(tmp_path, [2], ["updates"], sharpness="it cannot be had")
    assert diagnosed_seeds(folder.parent) == {
        0: [frozenset()],
        1: [frozenset(), {"units"}],
        2: [frozenset(), {"units"}, {"updates", "sharpness"}],
    }


def test_merging_takes_the_diagnostics_along(
    tmp_path: Path, diagnose: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    source = diagnose(tmp_path / "one", [0, 1], ["units", "updates"])
    told(capsys, "merge", tmp_path / "one", "--into", tmp_path / "into")
    copied = tmp_path / "into" / source.relative_to(tmp_path / "one")
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == {
        path.name: path.read_bytes() for path in source.iterdir()
    }


def test_merging_over_one_without_adds_them(
    tmp_path: Path, write: Write, diagnose: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "into", [0, 1])
    diagnose(tmp_path / "one", [0, 1, 2])
    assert len(told(capsys, "merge", tmp_path / "one", "--into", tmp_path / "into")["copied"]) == 1
    (record,) = load_records(tmp_path / "into").records
    assert record.asked_diagnostics == {"units"}
    assert told(capsys, "merge", tmp_path / "one", "--into", tmp_path / "into")["copied"] == []


def test_merging_some_seeds_takes_their_rows(
    tmp_path: Path, diagnose: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    diagnose(tmp_path / "into", [0, 1])
    diagnose(tmp_path / "one", [1, 2, 3])
    told(capsys, "merge", tmp_path / "one", "--into", tmp_path / "into")
    found = {
        tuple(entry["seed"] for entry in record.seeds): record for record in load_records(tmp_path / "into").records
    }
    assert set(found) == {(0, 1), (2, 3)}
    table = found[2, 3].read_diagnostics()
    assert isinstance(table, pa.Table)
    assert table.to_pylist() == rows([2, 3], ["units"]).to_pylist()


def test_merging_a_record_whose_diagnostics_are_damaged_says_so_and_keeps_the_rest(
    tmp_path: Path, diagnose: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    (diagnose(tmp_path / "one", [0, 1]) / "diagnostics.parquet").write_bytes(b"torn")
    said = told(capsys, "merge", tmp_path / "one", "--into", tmp_path / "into")
    assert "merged without its diagnostics" in said["left_out"][0]
    (record,) = load_records(tmp_path / "into").records
    assert record.diagnostics is None
    assert len(record.history()["seed"]) == 6


def test_pruning_keeps_the_copy_that_was_looked_into(
    tmp_path: Path, write: Write, diagnose: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, diagnosed = write(tmp_path, [0, 1]), diagnose(tmp_path, [0, 1])
    told(capsys, "prune", tmp_path, "--yes")
    assert not plain.exists()
    assert diagnosed.exists()


def test_pruning_keeps_diagnostics_that_no_other_copy_has(
    tmp_path: Path, diagnose: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    both = [diagnose(tmp_path, [0, 1], ["units"]), diagnose(tmp_path, [0, 1], ["updates"])]
    told(capsys, "prune", tmp_path, "--yes")
    assert [folder.exists() for folder in both] == [True, True]


def test_an_unfinished_folder_with_diagnostics_is_one_of_ours(
    tmp_path: Path, diagnose: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = diagnose(tmp_path, [0, 1])
    (folder / "run.json").unlink()
    told(capsys, "prune", tmp_path, "--yes")
    assert not folder.exists()


@pytest.mark.parametrize("with_table", [False, True])
def test_a_record_and_its_table_go_together(
    with_table: bool, raw: Make, table: Make, place: Make, tmp_path: Path
) -> None:
    record = raw([0])
    if not with_table:
        record["diagnostics"] = {"names": ["units"], "left_out": {}, "seconds": 0.5}
    folder = record_folder(place(tmp_path, record).parent, [0], diagnostics=[] if with_table else ["units"])
    with pytest.raises(ValueError, match="a finished record of diagnostics needs their table, and others have none"):
        write_to(folder, record, table([0]), rows([0], ["units"]) if with_table else None)


def test_rows_of_other_seeds_are_refused(raw: Make, table: Make, place: Make, tmp_path: Path) -> None:
    record = raw([0]) | {"diagnostics": {"names": ["units"], "left_out": {}, "seconds": 0.5}}
    folder = record_folder(place(tmp_path, record).parent, [0], diagnostics=["units"])
    with pytest.raises(ValueError, match=r"diagnostics\.parquet holds seeds that run\.json does not"):
        write_to(folder, record, table([0]), rows([0, 1], ["units"]))


def test_a_long_text_in_every_row_does_not_fill_the_memory(tmp_path: Path) -> None:
    count, text = 1_000_000, "x" * 1_000_000
    layer = pa.DictionaryArray.from_arrays(pa.array([0] * count, type=pa.int32()), [text])
    columns = [[0] * count, [0] * count, layer, layer, [0.5] * count]
    path = tmp_path / "diagnostics.parquet"
    path.write_bytes(diagnostics_file.to_bytes(pa.table(columns, names=diagnostics_file.SCHEMA.names)))
    found = diagnostics_file.read_table(path)
    assert isinstance(found, pa.Table)
    assert found.num_rows == count
    assert found.nbytes < 200e6  # not a terabyte
