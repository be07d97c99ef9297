"""A file that has changed is another cell, and the command says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TABLE = ("dataset=file", "dataset.path=homes.csv", "dataset.target_column=price", "norm=none,layer", "-m")
SAID = "homes.csv has changed, or is read otherwise than then: 2 cell(s) in"


def write(folder: Path, *, first: float) -> None:
    rows = [f"{row % 7 + first * (row == 0)},{row % 5},{row + 0.5}" for row in range(60)]
    (folder / "homes.csv").write_text("\n".join(["a,b,price", *rows]) + "\n")


@pytest.fixture
def twice(command: Any) -> Callable[..., str]:
    """What the second of two commands says, where the file was written anew between them with this first cell."""

    def run(*changes: str, first: float) -> str:
        write(command.folder, first=0.0)
        assert SAID not in command(*TABLE).said
        write(command.folder, first=first)
        again = command(*TABLE, *changes)
        assert again.code == 0
        return str(again.said)

    return run


def test_a_changed_file_is_told_and_trained_apart(twice: Callable[..., str], command: Any) -> None:
    said = twice(first=1.0)
    assert said.count(SAID) == 1
    assert "nothing to train" not in said
    assert len([*command.runs.glob("homes-*")]) == 4


def test_the_same_values_and_another_question_are_no_change(twice: Callable[..., str]) -> None:
    assert "nothing to train" in twice(first=0.0)


def test_another_preprocessing_of_the_same_file_is_no_change(twice: Callable[..., str]) -> None:
    assert SAID not in twice("dataset.preprocessing=center", first=0.0)
