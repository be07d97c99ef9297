"""A job that is asked to leave leaves its replicas as they stand; the same command goes on, bit for bit."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from bnbench.config import Config
from bnbench.records import Record, atomic, load_records
from bnbench.records.checkpoint import ABOUT, CHECKPOINT_FILE, SUM
from bnbench.records.layout import DIAGNOSTICS_FILE
from bnbench.training import checkpoint, evaluator, preemption
from bnbench.training.job import CellReport, run_job
from bnbench.training.module import ReplicaTraining

STEPS, EVERY = 12, 5
BUDGET = (f"budget.max_steps={STEPS}", f"budget.eval_every_steps={EVERY}")

Stop = Callable[..., list[CellReport]]


def ask(number: signal.Signals = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Stop:
    """Run a job that is sent a signal in the middle of a step, or in the evaluation after it."""

    def run(config: Config, *, step: int, evaluating: bool = False, number: signal.Signals = signal.SIGTERM) -> Any:
        made, at = 0, step
        training_step, observe = ReplicaTraining.training_step, evaluator.Evaluator._observe

        def stepped(self: ReplicaTraining, rows: Any, batch_idx: int) -> Any:
            nonlocal made
            made += 1
            if made == step and not evaluating:
                ask(number)
            return training_step(self, rows, batch_idx)

        def observed(self: evaluator.Evaluator, module: Any, *, step: int, train_loss: Any) -> None:
            if step == at and evaluating:
                ask(number)
            observe(self, module, step=step, train_loss=train_loss)

        with monkeypatch.context() as patch:
            patch.setattr(preemption, "_ASKED", preemption._Asked())  # a process of its own, as far as it goes
            patch.setattr(ReplicaTraining, "training_step", stepped)
            patch.setattr(evaluator.Evaluator, "_observe", observed)
            with preemption.heeded():
                return run_job(config)

    return run


@pytest.fixture
def job(configure: Callable[..., Config], tmp_path: Path) -> Callable[..., Config]:
    return lambda folder, *overrides: configure(*BUDGET, *overrides, f"runs_dir={tmp_path / folder}")


def checkpoints(config: Config) -> list[Path]:
    return sorted(Path(config.runs_dir).glob(f"*/seeds-*/{CHECKPOINT_FILE}"))


def outcomes(config: Config) -> dict[str, Any]:
    """Everything a record says of its seeds, the test part included."""
    return {record.cell_id: record.seeds for record in load_records(Path(config.runs_dir)).records}


def diagnosed(record: Record) -> bytes | None:
    path = record.path / DIAGNOSTICS_FILE
    return path.read_bytes() if path.exists() else None


@pytest.fixture
def assert_goes_on(
    job: Callable[..., Config], stop: Stop, histories: Any, assert_same: Any
) -> Callable[..., list[CellReport]]:
    """Fails unless a job that was stopped leaves a checkpoint, and the same job then what an undisturbed one leaves."""

    def check(*overrides: str, step: int, **how: Any) -> list[CellReport]:
        disturbed, undisturbed = job("disturbed", *overrides), job("undisturbed", *overrides)
        reports = stop(disturbed, step=step, **how)
        step = max(step, 1)  # asked before the first step, it makes that
        assert {report.preempted for report in reports} == {f"preempted at step {step} of {STEPS}"}
        assert (len(checkpoints(disturbed)), load_records(Path(disturbed.runs_dir)).records) == (1, [])
        again = run_job(disturbed)
        assert [(report.resumed_at, report.anew, report.error) for report in again] == [(step, [], None)] * len(again)
        assert checkpoints(disturbed) == []
        run_job(undisturbed)
        assert_same(histories(Path(disturbed.runs_dir)), histories(Path(undisturbed.runs_dir)))
        assert outcomes(disturbed) == outcomes(undisturbed)
        records = (load_records(Path(config.runs_dir)).records for config in (disturbed, undisturbed))
        for record, other in zip(*records, strict=True):
            assert diagnosed(record) == diagnosed(other)
        return again

    return check


@pytest.mark.parametrize(
    ("step", "evaluating"),
    [(0, True), (1, False), (5, False), (5, True), (7, False), (10, True), (11, False)],
    ids=lambda value: str(value),
)
def test_wherever_it_was_asked_to_leave(step: int, evaluating: bool, assert_goes_on: Any) -> None:
    assert_goes_on("norm=batch", "seeds=3", "optimizer=momentum", step=step, evaluating=evaluating)


@pytest.mark.parametrize("seeds", [1, 4])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
def test_whatever_the_optimizer_and_however_many_replicas(optimizer: str, seeds: int, assert_goes_on: Any) -> None:
    assert_goes_on("norm=batch", f"seeds={seeds}", f"optimizer={optimizer}", "schedule=cosine", step=7)


@pytest.mark.parametrize(
    "overrides",
    [
        ("norm=noisy_batch", "model.dropout=0.3"),
        ("norm=none", "model=self_normalizing", "model.dropout=0.2"),
        ("norm=batch_renorm", "schedule=step", "schedule.every_steps=4"),
        ("norm=spectral", "optimizer.clip_gradient_norm=0.1"),
        ("norm=layer", "trainer.precision=64"),
        ("norm=group", "trainer.precision=bf16"),
        ("norm=batch", "optimizer.lr=[0.1,0.2]", "schedule=exponential"),
        ("norm=batch", "budget.batch_size=700"),
    ],
    ids=lambda overrides: " ".join(overrides),
)
def test_random_streams_schedules_and_precisions(overrides: tuple[str, ...], assert_goes_on: Any) -> None:
    assert_goes_on(*overrides, step=8)


@pytest.mark.parametrize("step", [4, 5, 7])
def test_diagnostics_go_on_as_well(step: int, assert_goes_on: Any) -> None:
    """What they have found, and what they remember of the evaluation before; one of the replicas diverges."""
    assert_goes_on("norm=batch", "optimizer.lr=[0.1,1e30]", "diagnostics=[activations]", step=step)


def test_one_without_the_diagnostics_that_are_asked_for_is_named(job: Any, stop: Stop) -> None:
    stop(job("runs", "norm=batch"), step=7)
    (report,) = run_job(job("runs", "norm=batch", "diagnostics=[activations]"))
    assert report.resumed_at is None
    assert report.anew[0].endswith('it has diagnostics [], asked are ["activations"]')


@pytest.mark.parametrize("step", [4, 6, 11])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_replicas_that_have_diverged_stay_away(step: int, optimizer: str, assert_goes_on: Any) -> None:
    """Three of the four do, by their learning rates, before the checkpoint or after it."""
    rates = "optimizer.lr=[0.1,1e20,1e30]"
    again = assert_goes_on("norm=none", "seeds=2", rates, f"optimizer={optimizer}", step=step)
    assert sum(len(report.diverged) for report in again) >= 2


DRAWING_NORM = """
import torch

class Noisy(torch.nn.Module):
    def __init__(self, num_features):
        super().__init__()

    def forward(self, inputs):
        return inputs + torch.randn_like(inputs)
"""


def test_replicas_that_run_one_after_another(
    assert_goes_on: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What draws from the global generator does not stack: each replica has a state of it of its own."""
    (tmp_path / "preempted_norm.py").write_text(DRAWING_NORM)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.warns(UserWarning, match="one replica after another"):
        assert_goes_on("norm=custom", "norm.class_path=preempted_norm:Noisy", step=7)


def test_it_may_be_asked_again_and_again(job: Any, stop: Stop, histories: Any, assert_same: Any) -> None:
    config = job("disturbed", "norm=batch", "optimizer=adam")
    for step, after in ((3, 3), (4, 7), (2, 9)):
        (report,) = stop(config, step=step)
        assert report.preempted == f"preempted at step {after} of {STEPS}"
    run_job(config)
    run_job(undisturbed := job("undisturbed", "norm=batch", "optimizer=adam"))
    assert_same(histories(Path(config.runs_dir)), histories(Path(undisturbed.runs_dir)))


def test_asked_at_the_last_step_it_ends_instead(job: Any, stop: Stop) -> None:
    (report,) = stop(job("runs", "norm=batch"), step=STEPS)
    assert (report.trained, report.preempted) == ([0, 1], None)


def test_more_seeds_are_trained_beside_those_that_go_on(job: Any, stop: Stop, histories: Any, assert_same: Any) -> None:
    stop(job("disturbed", "norm=batch", "seeds=2"), step=7)
    (report,) = run_job(config := job("disturbed", "norm=batch", "seeds=5"))
    assert (report.resumed_at, report.trained) == (7, [0, 1, 2, 3, 4])
    run_job(undisturbed := job("undisturbed", "norm=batch", "seeds=5"))
    assert_same(histories(Path(config.runs_dir)), histories(Path(undisturbed.runs_dir)))


def test_what_is_not_asked_for_now_stays_for_who_asks(job: Any, stop: Stop) -> None:
    stop(job("runs", "norm=batch", "seeds=[3,4]"), step=7)
    (report,) = run_job(job("runs", "norm=batch", "seeds=2"))
    assert (report.trained, report.resumed_at, report.removed) == ([0, 1], None, [])
    (report,) = run_job(job("runs", "norm=batch", "seeds=[3,4]"))
    assert report.resumed_at == 7


def flipped(path: Path, *, where: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(where * (len(content) - 1))] ^= 1
    path.write_bytes(bytes(content))


DAMAGE: dict[str, Callable[[Path], None]] = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    **{f"a bit at {where}": lambda path, where=where: flipped(path, where=where) for where in (0, 0.1, 0.5, 0.9, 1)},
    "no checkpoint": lambda path: path.write_bytes(b"x" * 5000),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_named_and_never_used(
    damage: str, job: Any, stop: Stop, histories: Any, assert_same: Any
) -> None:
    stop(config := job("disturbed", "norm=batch"), step=7)
    (path,) = checkpoints(config)
    DAMAGE[damage](path)
    (report,) = run_job(config)
    assert report.resumed_at is None
    (said,) = report.anew
    assert str(path) in said
    assert checkpoints(config) == []
    run_job(undisturbed := job("undisturbed", "norm=batch"))
    assert_same(histories(Path(config.runs_dir)), histories(Path(undisturbed.runs_dir)))


def test_one_of_another_torch_is_named(job: Any, stop: Stop, monkeypatch: pytest.MonkeyPatch) -> None:
    stop(config := job("runs", "norm=batch"), step=7)
    monkeypatch.setattr(torch, "__version__", "9.9.9")
    (report,) = run_job(config)
    assert (report.resumed_at, len(report.anew)) == (None, 1)
    assert report.anew[0].endswith('this is "9.9.9"')


@pytest.mark.parametrize("asked", ["seeds=2", "seeds=[2,3,4]"])
def test_one_of_which_only_some_seeds_are_asked_for_is_named(asked: str, job: Any, stop: Stop) -> None:
    stop(job("runs", "norm=batch", "seeds=3"), step=7)
    (report,) = run_job(job("runs", "norm=batch", asked))
    assert report.resumed_at is None
    assert "it is of seeds 0, 1, 2, and not all of these are asked for and missing" in report.anew[0]


def test_one_of_two_learning_rates_is_not_cut(job: Any, stop: Stop) -> None:
    stop(job("runs", "norm=batch", "optimizer.lr=[0.1,0.2]"), step=7)
    (report,) = run_job(job("runs", "norm=batch", "optimizer.lr=0.1"))
    assert "of 2 cells that trained together" in report.anew[0]


def test_two_of_the_same_seeds_are_gone_on_with_once(job: Any, stop: Stop, histories: Any, assert_same: Any) -> None:
    """Of two learning rates together, and of one of them alone."""
    both = job("disturbed", "norm=batch", "optimizer.lr=[0.1,0.2]")
    stop(both, step=7)
    stop(job("disturbed", "norm=batch", "optimizer.lr=0.2"), step=5)
    assert len(checkpoints(both)) == 2
    reports = run_job(both)
    assert [(report.trained, report.resumed_at) for report in reports] == [([0, 1], 7), ([0, 1], 7)]
    assert [len(report.anew) for report in reports] == [0, 1]
    assert "it is of seeds that go on from another one" in reports[1].anew[0]
    run_job(undisturbed := job("undisturbed", "norm=batch", "optimizer.lr=[0.1,0.2]"))
    assert_same(histories(Path(both.runs_dir)), histories(Path(undisturbed.runs_dir)))
    assert checkpoints(both) == []


@pytest.mark.parametrize("change", ["missing", "shape"])
def test_one_of_other_tensors_fails_once(change: str, job: Any, stop: Stop, histories: Any, assert_same: Any) -> None:
    """As of another make of bnbench, or by a stranger's hand: sound, and still nothing to go on from."""
    stop(config := job("disturbed", "norm=batch"), step=7)
    (path,) = checkpoints(config)
    with safe_open(path, framework="pt") as file:
        about = file.metadata()[ABOUT]
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dictionary
    name = next(name for name in sorted(state) if name.startswith("replicas/"))
    state = {key: value for key, value in state.items() if key != name}
    if change == "shape":
        state[name] = torch.zeros(3)
    path.write_bytes(save(state, metadata={ABOUT: about, SUM: checkpoint._checksum(about, state)}))
    (report,) = run_job(config)
    assert "MisfitError: a checkpoint of another make, removed now" in str(report.error)
    (report,) = run_job(config)
    assert (report.trained, report.resumed_at, report.error) == ([0, 1], None, None)
    run_job(undisturbed := job("undisturbed", "norm=batch"))
    assert_same(histories(Path(config.runs_dir)), histories(Path(undisturbed.runs_dir)))


def test_other_data_are_another_cell(job: Any, stop: Stop) -> None:
    stop(job("runs", "norm=batch"), step=7)
    (report,) = run_job(config := job("runs", "norm=batch", "dataset.data_seed=1"))
    assert (report.resumed_at, report.trained) == (None, [0, 1])
    assert len(checkpoints(config)) == 1


def test_a_second_signal_while_it_writes_tears_nothing(job: Any, stop: Stop, monkeypatch: pytest.MonkeyPatch) -> None:
    flush = os.fsync

    def asked_again(descriptor: int) -> None:
        if preemption.asked():
            ask()
            ask(signal.SIGUSR1)
        flush(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", asked_again)
    stop(config := job("runs", "norm=batch"), step=7)
    monkeypatch.undo()
    (report,) = run_job(config)
    assert (report.resumed_at, report.anew) == (7, [])


def test_a_full_disk_is_one_message_and_the_job_begins_anew(
    job: Any, stop: Stop, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = job("runs", "norm=batch")

    def full(path: Path, content: bytes) -> None:
        raise atomic.cannot_write(path, OSError(28, "No space left on device"))

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "write_atomically", full)
        with pytest.raises(Exception, match=f"{CHECKPOINT_FILE} cannot be written"):
            stop(config, step=7)
    (report,) = run_job(config)
    assert (report.resumed_at, report.trained) == (None, [0, 1])


def test_the_signal_of_sbatch_asks_as_well(assert_goes_on: Any) -> None:
    assert_goes_on("norm=batch", step=7, number=signal.SIGUSR1)


@pytest.mark.slow
def test_the_command_says_how_to_go_on_and_starts_no_other_job(
    command: Any, histories: Any, assert_same: Any, tmp_path: Path
) -> None:
    sweep = ("-m", "norm=batch,layer", "seeds=3", "budget.max_steps=2000", "budget.eval_every_steps=100")
    run = command.start(*sweep)
    for _ in range(1200):
        if any(command.runs.glob("*-batch-*/seeds-*")):
            break
        assert run.alive(), run.said
        signal.sigtimedwait([], 0.05)
    signal.sigtimedwait([], 0.3)
    run.send(signal.SIGTERM)
    assert run.wait().code == preemption.EXIT_CODE
    assert "Traceback" not in run.said
    assert "digits · batch: preempted at step " in run.said
    assert "SIGTERM: left as asked. What was trained is kept; the same command goes on:" in run.said
    assert run.said.splitlines()[-1].startswith("  python -m bnbench.train -m ")
    assert not list(command.runs.glob("*-layer-*"))
    again = command(*sweep)
    assert (again.code, again.said.count("gone on from step ")) == (0, 1), again.said
    assert command(*sweep, f"runs_dir={tmp_path / 'undisturbed'}").code == 0
    assert_same(histories(command.runs), histories(tmp_path / "undisturbed"))


@pytest.mark.slow
def test_workers_of_a_launcher_leave_and_their_parent_waits_for_them(
    command: Any, histories: Any, assert_same: Any, tmp_path: Path
) -> None:
    """As on a cluster, which asks all processes of a job."""
    sweep = ("-m", "norm=batch,layer", "seeds=3", "budget.max_steps=3000", "budget.eval_every_steps=100")
    joblib = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    run = command.start(*sweep, *joblib)
    for _ in range(2400):
        if len(list(command.runs.glob("*/seeds-*"))) == 2:
            break
        assert run.alive(), run.said
        signal.sigtimedwait([], 0.05)
    signal.sigtimedwait([], 0.3)
    os.killpg(run.pid, signal.SIGTERM)
    assert run.wait().code == preemption.EXIT_CODE, run.said
    assert run.said.count(": preempted at step ") == 2
    assert "Traceback" not in run.said
    again = command(*sweep)
    assert (again.code, again.said.count("gone on from step ")) == (0, 2), again.said
    assert command(*sweep, f"runs_dir={tmp_path / 'undisturbed'}").code == 0
    assert_same(histories(command.runs), histories(tmp_path / "undisturbed"))
