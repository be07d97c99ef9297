"""A job of several processes that is asked to leave: its ranks leave together, at the next evaluation."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnbench.config import Config
from bnbench.records.checkpoint import CHECKPOINT_FILE
from bnbench.training import preemption
from bnbench.training.history import Observation, Trajectory
from bnbench.training.job import run_job
from bnbench.training.ranks import Ranks

JOB = ("norm=batch", "trainer=ddp_cpu", "trainer.devices=2", "model.dropout=0.2", "optimizer.lr=[0.1,1e30]")
LONG = ("budget.max_steps=40", "budget.eval_every_steps=4")


class AsksAt:
    """An observer that has this process asked to leave, as the ranks are beside it, once a step is told."""

    def __init__(self, step: int, ranks: list[int]) -> None:
        self.step, self.ranks = step, ranks

    def observe(self, observation: Observation, trajectory: Trajectory) -> None:
        if observation.step == self.step:
            for process in (*self.ranks, os.getpid()):
                os.kill(process, signal.SIGTERM)

    def close(self, records: Any) -> None:
        """Nothing."""


@pytest.mark.slow
def test_ranks_leave_together_and_go_on_bit_for_bit(
    configure: Callable[..., Config],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    histories: Any,
    assert_same: Any,
) -> None:
    disturbed, undisturbed = (configure(*JOB, *LONG, f"runs_dir={tmp_path / name}") for name in ("disturbed", "other"))
    processes: list[int] = []
    start = Ranks._start

    def started(self: Ranks) -> None:
        start(self)
        processes.extend(process.pid for process in self._processes)

    with monkeypatch.context() as patch:
        patch.setattr(Ranks, "_start", started)
        patch.setattr(preemption, "_ASKED", preemption._Asked())
        with preemption.heeded():
            reports = run_job(disturbed, observe=lambda parts, task: [AsksAt(8, processes)])
    left = {report.preempted for report in reports}
    assert len(left) == 1
    step = int(left.pop().removeprefix("preempted at step ").removesuffix(" of 40"))
    assert 8 <= step < 40
    assert step % 4 == 0
    assert len(list(tmp_path.glob(f"disturbed/*/seeds-*/{CHECKPOINT_FILE}"))) == 1
    again = run_job(disturbed)
    assert [(report.resumed_at, report.error) for report in again] == [(step, None)] * 2
    assert sum(len(report.diverged) for report in again) == 2
    run_job(undisturbed)
    assert_same(histories(tmp_path / "disturbed"), histories(tmp_path / "other"))


@pytest.mark.slow
def test_ranks_that_have_not_begun_are_not_killed_by_the_signal_they_are_sent(
    configure: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They get it while they import, as the job does while it waits for them."""
    start = Ranks._start

    def ask(processes: list[int]) -> None:
        time.sleep(0.5)
        for process in processes:
            os.kill(process, signal.SIGTERM)

    def started(self: Ranks) -> None:
        start(self)
        processes = [*(process.pid for process in self._processes), os.getpid()]
        threading.Thread(target=ask, args=[processes]).start()

    with monkeypatch.context() as patch:
        patch.setattr(Ranks, "_start", started)
        patch.setattr(preemption, "_ASKED", preemption._Asked())
        with preemption.heeded():
            reports = run_job(configure(*JOB, *LONG))
    assert [(report.preempted, report.error) for report in reports] == [("preempted at step 4 of 40", None)] * 2
