"""A record's place follows from its cell and seeds, and no name leads out of RUNS_DIR."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnbench.errors import UserError
from bnbench.records.layout import cell_folder, cell_id_of, distinct_safe_name, record_folder, safe_name

CELL_ID = "0123456789ab"
HOSTILE = [
    "../x",
    "a/b",
    "..",
    ".",
    "",
    "/etc/passwd",
    "<script>",
    "a\\b",
    "\x00",
    "x\ny",
    ".hidden",
    "C:\\x",
    "ü" * 300,
]


def test_the_place_of_a_record_is_frozen() -> None:
    cell = cell_folder("runs", dataset="digits", norm="batch", cell_id=CELL_ID)
    assert record_folder(cell, [2, 0, 1]) == Path(f"runs/digits-batch-{CELL_ID}/seeds-0-2-434026bd")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_one_part_of_the_path(name: str) -> None:
    folder = cell_folder("runs", dataset=name, norm=name, cell_id=CELL_ID)
    assert folder.parent == Path("runs")
    assert not folder.name.startswith(".")
    assert len(folder.name.encode()) < 255


@given(st.text())
def test_a_safe_name_holds_only_harmless_characters(name: str) -> None:
    safe = safe_name(name)
    assert safe.isascii()
    assert safe
    assert safe[0] != "."
    assert all(character.isalnum() or character in "_.-" for character in safe)


@pytest.mark.parametrize(("one", "other"), [("a/b", "a_b"), ("a/b", "a\\b"), ("x" * 90, "x" * 91), (".a", "a")])
def test_names_that_become_alike_stay_distinct_with_their_hash(one: str, other: str) -> None:
    assert distinct_safe_name(one) != distinct_safe_name(other)


@pytest.mark.parametrize("cell_id", ["", "0123456789a", "0123456789AB", "../../etc/pas", "0123456789ab\n"])
def test_a_cell_id_that_is_none_is_refused(cell_id: str) -> None:
    with pytest.raises(UserError, match="expected 12 lower-case hex digits"):
        cell_folder("runs", dataset="digits", norm="batch", cell_id=cell_id)


def test_the_cell_id_is_read_back_from_the_folder() -> None:
    assert cell_id_of(cell_folder("runs", dataset="my-data", norm="a-b", cell_id=CELL_ID)) == CELL_ID


def test_a_folder_that_is_no_cell_is_refused() -> None:
    with pytest.raises(UserError, match="runs/notes is not a cell folder"):
        cell_id_of(Path("runs/notes"))


def test_other_seeds_between_the_same_ends_lie_elsewhere() -> None:
    assert record_folder(Path("cell"), [0, 1, 3]) != record_folder(Path("cell"), [0, 2, 3])


def test_the_order_of_the_seeds_decides_nothing() -> None:
    assert record_folder(Path("cell"), [3, 0, 1]) == record_folder(Path("cell"), [0, 1, 3])


@pytest.mark.parametrize("seeds", [[], [1, 1], [-1], [True], [2**63], [1.0]])
def test_seeds_that_are_none_are_refused(seeds: list[int]) -> None:
    with pytest.raises(UserError, match="seed"):
        record_folder(Path("cell"), seeds)
