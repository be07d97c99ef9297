"""Golden curves: the numbers of a short run do not change unless ENGINE_VERSION is raised with them.

To write them anew after raising it: `BNBENCH_WRITE_GOLDEN=1 python -m pytest tests/training/test_golden.py`.
"""

import os
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bnbench.norms import NORMS
from bnbench.records import ENGINE_VERSION

GOLDEN = Path(__file__).parent / "golden"
COLUMNS = ("seed", "step", "train_loss", "val_loss", "val_metric", "learning_rate")
OPTIONS: dict[str, Any] = {
    "model__hidden": [36, 28],
    "model__activation": "sigmoid",
    "model__dropout": 0.1,
    "optimizer__name": "momentum",
    "optimizer__lr": 0.1,
    "optimizer__weight_decay": 0.01,
    "budget__max_steps": 24,
    "budget__eval_every_steps": 8,
    "trainer__precision": "64",
}
# where in so short a run, of batches of 30 rows, the defaults do not act: it would be batch norm's curve
NORM_OPTIONS: dict[str, dict[str, Any]] = {
    "batch_renorm": {"warmup_steps": 4, "ramp_steps": 8},
    "ghost_batch": {"ghost_rows": 4},
}


def curve(train: Callable[..., Any], norm: str) -> str:
    run = train([0, 1], norm={"name": norm, **NORM_OPTIONS.get(norm, {})}, **OPTIONS)
    lines = [f"engine_version {ENGINE_VERSION}", f"norm_version {NORMS.get(norm).version}", " ".join(COLUMNS)]
    for seed in (0, 1):
        for step, *numbers in run.rows(seed):
            lines.append(" ".join([str(seed), f"{step:.0f}", *(f"{number:.9g}" for number in numbers)]))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("norm", NORMS.names())
def test_numbers_are_those_of_this_engine_version(train: Callable[..., Any], norm: str) -> None:
    path = GOLDEN / f"{norm}.txt"
    found = curve(train, norm)
    if os.environ.get("BNBENCH_WRITE_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    assert path.exists(), (
        f"{path.name} is missing: write it with BNBENCH_WRITE_GOLDEN=1 and read it before committing it"
    )
    expected_lines, found_lines = path.read_text(encoding="utf-8").splitlines(), found.splitlines()
    assert found_lines[:3] == expected_lines[:3], (
        "ENGINE_VERSION or the norm's version was raised: write the curves anew"
    )
    expected, numbers = (
        np.array([line.split() for line in lines[3:]], dtype=np.float64) for lines in (expected_lines, found_lines)
    )
    np.testing.assert_allclose(
        numbers,
        expected,
        rtol=1e-7,
        err_msg=f"the numbers of norm '{norm}' changed: raise ENGINE_VERSION or find what changed the numbers",
    )


def test_every_golden_curve_belongs_to_a_norm() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(NORMS.names())


def test_no_two_norms_have_the_same_golden_train_losses() -> None:
    """Two that have protect one norm only: the other's own part never ran."""
    columns = {path.stem: train_losses(path) for path in sorted(GOLDEN.glob("*.txt"))}
    for (one, losses), (other, others) in combinations(columns.items(), 2):
        assert not np.allclose(losses, others, rtol=1e-5, equal_nan=True), f"{one} and {other}"


def train_losses(path: Path) -> npt.NDArray[np.float64]:
    return np.loadtxt(path, skiprows=3, usecols=COLUMNS.index("train_loss"))
