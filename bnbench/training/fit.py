"""Train one batch of replicas from initial weights to test metric."""

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

import lightning
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from torch import Tensor

from bnbench.config import Config, budget_of
from bnbench.datasets import Task
from bnbench.errors import UserError, nearest
from bnbench.models import build_network
from bnbench.norms import ChosenNorm
from bnbench.training.allocation import keep_freed_memory
from bnbench.training.cells import refuse_unused
from bnbench.training.checkpoint import Checkpoint, Saved
from bnbench.training.compiled import check_compile
from bnbench.training.data_order import DataOrder
from bnbench.training.diagnostics.asked import asked_diagnostics
from bnbench.training.diagnostics.examination import examination_of
from bnbench.training.evaluator import Evaluator, Observer
from bnbench.training.group import ALONE, Group
from bnbench.training.history import Trajectory
from bnbench.training.memory import inputs_fit_on_device
from bnbench.training.module import ReplicaTraining
from bnbench.training.optimizers import check_optimizer
from bnbench.training.rank_numbers import check_ranks
from bnbench.training.replicas import Replicas
from bnbench.training.schedules import schedule_factor
from bnbench.training.spread import check_spread, spread
from bnbench.training.stacking import stacks_correctly
from bnbench.training.threads import use_threads


@dataclass(frozen=True)
class Precision:
    """The numeric type of parameters and data, and Lightning's name for it."""

    dtype: torch.dtype
    lightning: Literal["32-true", "64-true", "bf16-mixed"]


PRECISIONS = {
    "32": Precision(torch.float32, "32-true"),
    "64": Precision(torch.float64, "64-true"),
    # products in training in bfloat16, parameters, statistics, losses and evaluations in float32
    "bf16": Precision(torch.float32, "bf16-mixed"),
}


@dataclass(frozen=True)
class Member:
    """One replica of a batch: its seed and its learning rate."""

    seed: int
    learning_rate: float


def check_training(config: Config, task: Task, norm: ChosenNorm) -> None:
    """Raise UserError for a configuration that cannot train this task with this norm."""
    check_optimizer(config.optimizer.name)
    asked_diagnostics(config)
    budget = budget_of(config)
    schedule_factor(asdict(config.schedule), max_steps=budget.max_steps)
    refuse_unused(config)
    if config.trainer.precision not in PRECISIONS:
        why = ": the loss scale that 16 bits need would be shared by all replicas; bf16 needs none"
        reason = why if config.trainer.precision == "16" else ""
        raise UserError(
            f"trainer.precision={config.trainer.precision!r}{reason}: {nearest(config.trainer.precision, PRECISIONS)}"
        )
    batch_size = budget.batch_size
    if batch_size > len(task.train_inputs):
        raise UserError(
            f"budget.batch_size={batch_size} is more than the {len(task.train_inputs)} training rows of '{task.name}'"
        )
    if batch_size < norm.norm.minimum_batch:
        raise UserError(
            f"budget.batch_size={batch_size}: norm '{norm.entry}' takes statistics over the batch and needs at least "
            f"{norm.norm.minimum_batch} rows"
        )
    check_ranks(config, norm)
    if config.trainer.compile:
        check_compile(config.trainer, network_of(config, task, norm))


def may_stack(config: Config, task: Task, norm: ChosenNorm) -> bool:
    """Return whether this network may train as a stack, from a few steps both ways on the first training rows."""
    torch.set_num_threads(1)
    inputs = _first_batch(config, task)
    return stacks_correctly(lambda seed: network_of(config, task, norm, seed), inputs=inputs, name=norm.entry)


def fit(
    config: Config,
    task: Task,
    norm: ChosenNorm,
    members: Sequence[Member],
    *,
    stacked: bool,
    observers: Sequence[Observer] = (),
    keep: Callable[[Replicas], None] = lambda replicas: None,
    group: Group = ALONE,
    checkpoint: Checkpoint | None = None,
) -> Trajectory:
    """Train the members together and return their trajectory; equal learning rates must stand side by side.

    Of a group every rank calls this, and the first has the trajectory.
    `keep` is given the replicas at the end, with the weights of the best validation step of each. With a `checkpoint`
    training goes on from what lies there, if that is sound, and leaves its state there when the process is asked to
    leave.

    Raises KeyboardInterrupt on Ctrl-C, whatever Lightning makes of it; Preempted once it has left its state; UserError
    where a file that rows were cut from has changed meanwhile, or replicas that do not stack are to be compiled.
    """
    found = checkpoint.read() if checkpoint is not None else None
    saved = found if isinstance(found, Saved) else None
    seeds = [member.seed for member in members]
    rates = [member.learning_rate for member in members]
    budget = budget_of(config)

    def spread_network(seed: int) -> torch.nn.Module:
        return spread(network_of(config, task, norm, seed), group, batch_size=budget.batch_size)

    if group.is_spread and not group.local_statistics:
        whole, parted = (
            Replicas([build(seeds[0])], stacked=stacked, seeds=seeds[:1])
            for build in (partial(network_of, config, task, norm), spread_network)
        )
        check_spread(whole, parted, group, inputs=_first_batch(config, task), name=norm.entry)
    if config.trainer.compile and not stacked:
        raise UserError(
            f"trainer.compile=true with norm '{norm.entry}', whose replicas run one after another: these are not "
            "compiled; expected trainer.compile=false"
        )
    networks = [spread_network(seed) for seed in seeds]
    replicas = Replicas(networks, stacked=stacked, seeds=seeds, compiled=config.trainer.compile)
    module = ReplicaTraining(
        replicas,
        task,
        optimizer=asdict(config.optimizer),
        learning_rates=rates,
        schedule=schedule_factor(asdict(config.schedule), max_steps=budget.max_steps),
        inputs_on_host=not inputs_fit_on_device(config, task),
        group=group,
    )
    trajectory = Trajectory(len(members), maximise=task.direction == "max")
    threads = config.trainer.threads
    evaluator = Evaluator(
        task,
        trajectory,
        every_steps=budget.eval_every_steps,
        max_steps=budget.max_steps,
        learning_rates=rates,
        threads=threads,
        observers=observers,
        examination=None if group.is_spread else examination_of(config, task, norm, replicas, seeds),
        checkpoint=checkpoint,
        saved=saved,
    )
    use_threads(threads, replicas)
    keep_freed_memory()
    order = DataOrder(seeds, num_rows=len(task.train_inputs), batch_size=budget.batch_size)
    steps_made = saved.step if saved is not None else 0
    order.skip(steps_made)
    _run(_trainer(config, evaluator, group, max_steps=budget.max_steps - steps_made), module, order)
    module.data.check_unchanged()
    keep(replicas)
    return trajectory


def network_of(config: Config, task: Task, norm: ChosenNorm, seed: int = 0) -> torch.nn.Module:
    """Return the network of one seed, as the configuration describes it."""
    return build_network(
        asdict(config.model), num_inputs=task.num_features, num_outputs=task.num_outputs, norm=norm, seed=seed
    )


def _first_batch(config: Config, task: Task) -> Tensor:
    return task.train_inputs[: budget_of(config).batch_size].to(PRECISIONS[config.trainer.precision].dtype)


def _trainer(config: Config, evaluator: Evaluator, group: Group, *, max_steps: int) -> lightning.Trainer:
    # Lightning announces devices and its own hints on every construction; a sweep constructs it hundreds of times
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    accelerator = config.trainer.accelerator
    try:
        return lightning.Trainer(
            accelerator=accelerator,
            # One device to Lightning, also where several ranks train: it would broadcast a flag before every step and
            # wait for it. What the ranks have to exchange, module and evaluator do.
            devices=1 if group.device.index is None else [group.device.index],
            plugins=[LightningEnvironment()],
            precision=PRECISIONS[config.trainer.precision].lightning,
            max_steps=max_steps,
            max_epochs=-1,
            callbacks=[evaluator],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
    except (lightning.fabric.utilities.exceptions.MisconfigurationException, ValueError, ImportError) as error:
        raise UserError(f"trainer.accelerator={accelerator!r} cannot be used here: {error}") from error


def _run(trainer: lightning.Trainer, module: ReplicaTraining, order: DataOrder) -> None:
    main_thread = threading.current_thread() is threading.main_thread()
    interrupt = signal.getsignal(signal.SIGINT) if main_thread else None
    with warnings.catch_warnings():
        # what Lightning deprecates in its own code is nothing a user can mend
        warnings.filterwarnings("ignore", module=r"lightning\.")
        try:
            trainer.fit(module, train_dataloaders=order)
        except SystemExit as exit_request:
            # Lightning turns Ctrl-C into an exit and leaves the signal ignored
            if main_thread:
                signal.signal(signal.SIGINT, interrupt)
            raise KeyboardInterrupt from exit_request
        finally:
            # The trainer and what it is made of hold each other: the network, its gradients and the last graph would
            # stay until Python's collector comes by, and a sweep of small cells grew by 50 MB with each of them.
            vars(trainer).clear()
