"""A batch that memory does not hold is halved until it fits: the sweep goes on, with the same numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bnbench.config import Config
from bnbench.records import load_records
from bnbench.reports import print_job
from bnbench.training import ranks
from bnbench.training.job import CellReport, run_job
from bnbench.training.out_of_memory import is_out_of_memory

RATES = ("seeds=5", "optimizer.lr=[0.1,0.2]")
# as the allocators of the device, of the host, and of NumPy say it
ERRORS = {
    "device": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "host": RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory"),
    "python": MemoryError(),
}


@pytest.fixture
def train(configure: Callable[..., Config]) -> Callable[..., list[CellReport]]:
    return lambda *overrides, **options: run_job(configure(*overrides), **options)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Let only so many replicas fit; returns the sizes of the batches that were tried, as they come."""
    fit = ranks.fit

    def limit(most: int, error: Exception) -> list[int]:
        tried: list[int] = []

        def fails(config: Any, task: Any, norm: Any, members: Any, **options: Any) -> Any:
            tried.append(len(members))
            if len(members) > most:
                raise error
            return fit(config, task, norm, members, **options)

        monkeypatch.setattr(ranks, "fit", fails)
        return tried

    return limit


@pytest.mark.parametrize(
    ("error", "most", "expected"),
    [
        ("device", 6, [10, 6, 4]),
        ("host", 3, [10, 6, 4, 2, 2, 2, 2, 2]),
        ("python", 1, [10, 6, 4, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
    ],
)
def test_a_batch_is_halved_until_it_fits_and_the_numbers_stay(
    error: str,
    most: int,
    expected: list[int],
    train: Any,
    memory: Any,
    histories: Any,
    assert_same: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train(*RATES, f"runs_dir={tmp_path / 'undisturbed'}")
    tried = memory(most, ERRORS[error])
    cells = train(*RATES)
    assert [(cell.trained, cell.error) for cell in cells] == [([0, 1, 2, 3, 4], None)] * 2
    assert sorted(tried, reverse=True) == sorted(expected, reverse=True)
    assert_same(histories(tmp_path / "runs"), histories(tmp_path / "undisturbed"))
    assert load_records(tmp_path / "runs").failed == []
    assert all(cell.removed == [] for cell in cells)
    print_job({"refusal": None, "cells": [vars(cell) for cell in cells]})
    together = max(size for size in tried if size <= most)
    assert f"out of memory: went on with {together} replica" in capsys.readouterr().out


def test_one_replica_that_does_not_fit_fails_and_no_cell_is_left_in_silence(train: Any, memory: Any) -> None:
    memory(0, MemoryError("all is full"))
    cells = train(*RATES)
    assert cells[0].error == "MemoryError: all is full"
    assert cells[1].error == f"not tried, since {cells[0].name} failed: MemoryError: all is full"
    assert cells[1].record_of_error == cells[0].record_of_error
    assert [cell.trained for cell in cells] == [[], []]


def test_another_error_is_no_lack_of_memory(train: Any, memory: Any, tmp_path: Path) -> None:
    tried = memory(0, RuntimeError("the shapes do not match"))
    cells = train(*RATES)
    assert tried == [10]
    assert all(cell.error == "RuntimeError: the shapes do not match" for cell in cells)
    assert len(load_records(tmp_path / "runs").failed) == 2


@pytest.mark.parametrize("error", ERRORS)
def test_a_lack_of_memory_is_seen_through_what_wraps_it(error: str) -> None:
    wrapped = RuntimeError("the norm failed")
    wrapped.__cause__ = ERRORS[error]
    assert is_out_of_memory(wrapped)
    assert not is_out_of_memory(RuntimeError("the norm failed"))
