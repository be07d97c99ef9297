"""The fixed cadence: evaluation in steps, off the clock; divergence found, recorded, taken out of the stack."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import lightning
import numpy as np
import torch

from bnbench.datasets import Task
from bnbench.training import preemption
from bnbench.training.checkpoint import Checkpoint, Saved, Stateful, load_states, state_of
from bnbench.training.diagnostics.examination import Examination
from bnbench.training.evaluation import evaluate
from bnbench.training.history import Floats, Integers, Observation, Trajectory
from bnbench.training.module import ReplicaTraining
from bnbench.training.threads import use_threads


class Observer(Protocol):
    """Is told of every evaluation: progress lines, mirrors."""

    def observe(self, observation: Observation, trajectory: Trajectory) -> None:
        """Take one evaluation; must not raise."""


class MisfitError(Exception):
    """A sound checkpoint holds other tensors than training has: it cannot be gone on from."""


class Evaluator(lightning.Callback):
    """Evaluates at step 0, every `every_steps` steps and at the end; keeps the weights of each replica's best step.

    A replica diverges at the first step whose minibatch loss is not finite, whenever that is found out; or, where all
    losses were finite, at the evaluation that finds a parameter which is not. Parameters are looked at nowhere else:
    looking after every step took 2 to 4 % of it. So the cadence can move the step, in general by one: a step that
    spoils a parameter and is evaluated counts itself, and else the next one does, by its loss. The replica has no rows
    from that step on and leaves the stack; the others do not notice.

    Of a group of ranks the first evaluates and decides; the others hear who leaves the stack and go on.

    With a `checkpoint`, and once the process was asked to leave, the state is written after the step at hand and
    Preempted raised; ranks do so together, at the next evaluation, where they exchange numbers anyway. With `saved`,
    training goes on from there.
    """

    def __init__(
        self,
        task: Task,
        trajectory: Trajectory,
        *,
        every_steps: int,
        max_steps: int,
        learning_rates: Sequence[float],
        threads: int,
        observers: Sequence[Observer] = (),
        examination: Examination | None = None,
        checkpoint: Checkpoint | None = None,
        saved: Saved | None = None,
    ) -> None:
        self.task = task
        self.trajectory = trajectory
        self.every_steps = every_steps
        self.max_steps = max_steps
        self._members: Integers = np.arange(trajectory.count)
        self._learning_rates = np.asarray(learning_rates, dtype=np.float64)
        self._threads = threads
        self._observers = observers
        self._examination = examination
        self._best: dict[str, torch.Tensor] = {}
        self._resumed_at = 0.0
        self._checkpoint = checkpoint
        self._saved = saved
        self._first_step = saved.step if saved else 0

    def holders(self, module: ReplicaTraining) -> dict[str, Stateful]:
        """Return everything that changes as training goes on, by name."""
        holders: dict[str, Stateful] = {
            "replicas": module.replicas,
            "optimizer": module.optimizer,
            "losses": module.watch,
            "trajectory": self.trajectory,
            "evaluations": self,
        }
        return holders if self._examination is None else {**holders, "diagnostics": self._examination}

    def state(self) -> dict[str, torch.Tensor]:
        """Return who is in the stack, and the best weights so far."""
        best = {f"best.{name}": value for name, value in self._best.items()}
        return {"members": torch.from_numpy(self._members), **best}

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take over the best weights; who is in the stack is known by now."""
        self._best = {name: state[f"best.{name}"].to(value.device) for name, value in self._best.items()}

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Evaluate the initial weights, or take up what was left, and start the clock."""
        preemption.reinstate()
        module = _training(pl_module)
        if module.group.leads:
            self._best = module.replicas.snapshot()
        if self._saved is not None:
            self._take_up(module, self._saved)
        elif module.group.leads:
            self._observe(module, step=0, train_loss=np.full(self.trajectory.count, np.nan))
        self._resumed_at = time.perf_counter()

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Have the diagnostics remember what stands before the step to an evaluation, with the clock stopped."""
        step = self._first_step + trainer.global_step + 1
        if self._examination is None or not self._is_due(step):
            return
        module = _training(pl_module)
        self._stop_clock(module)
        self._examination.remember(module.replicas, rows=batch)
        self._resumed_at = time.perf_counter()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Evaluate where the cadence says so, with the clock stopped; leave where that is asked for."""
        step = self._first_step + trainer.global_step
        is_due = self._is_due(step)
        if not is_due and not preemption.asked():
            return
        module = _training(pl_module)
        if not is_due and module.group.is_spread:
            return
        self._stop_clock(module)
        self.trajectory.steps = step
        if is_due:
            train_loss = self._drop_diverged(module, step=step)
            if not len(self._members):
                trainer.should_stop = True
            elif module.group.leads:
                self._observe(module, step=step, train_loss=train_loss)
        if not trainer.should_stop and step != self.max_steps:
            self._leave_if_asked(module, step)
        self._resumed_at = time.perf_counter()

    def _is_due(self, step: int) -> bool:
        return step % self.every_steps == 0 or step == self.max_steps

    def _stop_clock(self, module: ReplicaTraining) -> None:
        if module.device.type == "cuda":
            torch.cuda.synchronize(module.device)
        self.trajectory.train_seconds += time.perf_counter() - self._resumed_at

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Measure the test part once, with the weights of each replica's best validation step."""
        module = _training(pl_module)
        if not module.group.leads:
            return
        module.replicas.restore(self._best)
        use_threads(self._threads, module.replicas)
        test = evaluate(module.replicas, module.data.test_inputs, module.data.test_labels, task=self.task)
        self.trajectory.test_metric[:] = test.metric.numpy()
        self.trajectory.spikes, self.trajectory.max_loss = module.watch.spikes, module.watch.max_loss

    def _leave_if_asked(self, module: ReplicaTraining, step: int) -> None:
        """Write the state and raise Preempted, where the first rank was asked to leave and there is a place for it."""
        if self._checkpoint is None:
            return
        asked = module.group.as_decided(torch.tensor(int(preemption.asked())))
        if not asked.item():
            return
        if module.group.leads:
            self._checkpoint.write(Saved(step, state_of(self.holders(module))))
        raise preemption.Preempted

    def _take_up(self, module: ReplicaTraining, saved: Saved) -> None:
        """Become what was left, and tell the observers what had been observed."""
        try:
            left = saved.state["evaluations/members"]
            if len(left) < len(self._members):
                self._members = left.numpy()
                module.keep(left, members=left)
                use_threads(self._threads, module.replicas)
            load_states(self.holders(module), saved.state)
        except Exception as error:  # every run to come would fail at it too
            if module.group.leads and self._checkpoint is not None:
                self._checkpoint.remove()
            raise MisfitError(f"a checkpoint of another make, removed now ({type(error).__name__}: {error})") from error
        if self._examination is not None:
            self.trajectory.diagnosed = self._examination.diagnosed
        module.go_on_after(saved.step)
        for observation in self.trajectory.observations:
            for observer in self._observers:
                observer.observe(observation, self.trajectory)

    def _drop_diverged(self, module: ReplicaTraining, *, step: int) -> Floats:
        """Record who diverged since the last evaluation and when; return the mean loss of those who go on."""
        window = module.watch.close_window()
        finite = module.replicas.finite().cpu().numpy()
        bad_step = np.where((window.first_bad_step == 0) & ~finite, step, window.first_bad_step)
        bad_step = module.group.as_decided(torch.from_numpy(bad_step)).numpy()
        self.trajectory.diverged_at_step[self._members] = bad_step
        good = np.flatnonzero(bad_step == 0)
        if len(good) < len(self._members):
            self._members = self._members[good]
            if len(good):
                module.keep(torch.from_numpy(good), members=torch.from_numpy(self._members))
                if self._examination is not None:
                    self._examination.keep(torch.from_numpy(good))
                use_threads(self._threads, module.replicas)
        return window.mean_loss[good]

    def _observe(self, module: ReplicaTraining, *, step: int, train_loss: Floats) -> None:
        result = evaluate(module.replicas, module.data.validation_inputs, module.data.validation_labels, task=self.task)
        observation = Observation(
            step=step,
            members=self._members,
            train_loss=train_loss,
            val_loss=result.loss.numpy(),
            val_metric=result.metric.numpy(),
            learning_rate=self._learning_rates[self._members] * module.schedule(step),
        )
        improved = self.trajectory.add(observation)
        positions = torch.from_numpy(np.searchsorted(self._members, improved))
        module.replicas.copy_into(self._best, chosen=positions)
        if self._examination is not None:
            self._examination.examine(
                module.replicas,
                module.data,
                step=step,
                members=self._members,
                # of the step that was made: after the last one a schedule may stand at 0
                learning_rates=torch.from_numpy(
                    self._learning_rates[self._members] * module.schedule(max(step - 1, 0))
                ),
            )
            self.trajectory.diagnosed = self._examination.diagnosed
        for observer in self._observers:
            observer.observe(observation, self.trajectory)


def _training(module: lightning.LightningModule) -> ReplicaTraining:
    if not isinstance(module, ReplicaTraining):
        raise TypeError(f"expected a ReplicaTraining, got {type(module).__name__}")
    return module
