"""`trainer.compile`: the same training within rounding, refused where it would draw other numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from bnbench.config import Config, TrainerConfig
from bnbench.datasets import Task
from bnbench.errors import UserError
from bnbench.norms import choose_norm
from bnbench.training.cells import plan_cells
from bnbench.training.compiled import CompiledRun
from bnbench.training.fit import check_training

SMALL: dict[str, Any] = {"model__hidden": [8], "optimizer__name": "momentum"}


# the compiler of torch uses what torch deprecates
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")
@pytest.mark.slow
@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_a_compiled_stack_trains_as_the_other_within_rounding_and_replicas_leave_it(norm: str, train: Any) -> None:
    """Of three replicas the last diverges at once; what is left is compiled for its size and goes on."""
    options = {"rates": (0.1, 0.2, 1e30), "norm": norm, **SMALL}
    eager, compiled = (train((0, 1, 2), trainer__compile=on, **options) for on in (False, True))
    for replica in (0, 1):
        np.testing.assert_allclose(compiled.rows(replica), eager.rows(replica), rtol=1e-4, atol=1e-5)
    assert compiled.trajectory.diverged_at_step.tolist() == eager.trajectory.diverged_at_step.tolist()
    assert compiled.trajectory.diverged_at_step[2] > 0


@pytest.mark.parametrize(
    ("norm", "changes", "what"),
    [
        ("batch", {"model__dropout": 0.1}, "StackableDropout"),
        ("noisy_batch", {}, "NoisyBatch"),
    ],
)
def test_what_draws_is_refused_by_name(
    norm: str, changes: dict[str, Any], what: str, configure: Callable[..., Config], task_of: Callable[..., Task]
) -> None:
    """Compiled, the hash that draws gives other numbers: its products overflow."""
    config = configure(norm, trainer__compile=True, **changes)
    with pytest.raises(UserError, match=f"trainer.compile=true with .*{what}.*draws other numbers"):
        check_training(config, task_of(), choose_norm(config.norm))


def test_several_processes_are_refused(configure: Callable[..., Config], task_of: Callable[..., Task]) -> None:
    config = configure("batch", trainer__compile=True, trainer__devices=2)
    config.dataset.source = "scikit_learn"
    with pytest.raises(UserError, match=r"trainer\.compile=true with trainer\.devices=2 on 1 node"):
        check_training(config, task_of(), choose_norm(config.norm))


def test_dropout_of_nothing_and_plain_norms_may_be_compiled(
    configure: Callable[..., Config], task_of: Callable[..., Task]
) -> None:
    config = configure("batch", trainer__compile=True, model__dropout=0.0)
    check_training(config, task_of(), choose_norm(config.norm))


def test_where_it_cannot_be_compiled_nothing_is_trained_in_its_name(
    train: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cell is one of compiled numbers: others must not stand in it."""

    def no_compiler(run: Any, **options: Any) -> Any:
        def failing(*arguments: Any) -> Any:
            raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found")

        return failing

    monkeypatch.setattr(torch, "compile", no_compiler)
    with pytest.raises(RuntimeError, match=r"torch.compile failed \(RuntimeError: Invalid.*or trainer.compile=false"):
        train((0, 1), norm="batch", trainer__compile=True, **SMALL)


def test_replicas_that_do_not_stack_are_refused(train: Any) -> None:
    with pytest.raises(UserError, match="norm 'batch', whose replicas run one after another"):
        train((0,), norm="batch", stacked=False, trainer__compile=True, **SMALL)


def test_what_fails_as_it_runs_fails_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda run, **options: run)

    def wrong(*arguments: Any) -> Any:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        CompiledRun(wrong)()


def test_it_is_another_cell_and_off_it_is_the_one_there_always_was(
    configure: Callable[..., Config], task_of: Callable[..., Task]
) -> None:
    assert TrainerConfig(name="cpu").compile is False
    off, on = (configure("batch", trainer__compile=compiled) for compiled in (False, True))
    (one,), (other,) = (plan_cells(config, task_of(), choose_norm(config.norm)) for config in (off, on))
    assert one.workload_id != other.workload_id
    assert other.identity["workload"]["trainer"] == {"compile": True}
    assert one.identity["workload"]["trainer"] == {}
