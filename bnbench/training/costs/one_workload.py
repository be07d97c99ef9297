"""What the entries of one workload cost: each alone, all in turn, beside `none`."""

import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from statistics import median

import torch

from bnbench.config import Config, budget_of
from bnbench.datasets import Task
from bnbench.datasets.task import LOSSES
from bnbench.norms import ChosenNorm, choose_norm
from bnbench.seeding import generator, one_thread
from bnbench.training.costs.stack import CPU, SteppedStack
from bnbench.training.fit import may_stack
from bnbench.training.recorded import Shape
from bnbench.training.turns import Clock, clock_of, ratios, seconds_in_turns

REFERENCE = "none"
WARM_UP_STEPS = 3


@dataclass(frozen=True)
class Effort:
    """How long to measure: the seconds of every entry for steps and for inference, spread over the rounds.

    An entry whose single step takes longer than its share of a round does one step in each.
    """

    rounds: int = 15
    step_seconds: float = 0.15
    inference_seconds: float = 0.05

    def of_rounds(self, rounds: int) -> "Effort":
        """Return the effort of so many rounds, each as long as one of these."""
        times = rounds / self.rounds
        return Effort(rounds, times * self.step_seconds, times * self.inference_seconds)


USUAL_EFFORT = Effort()


@dataclass(frozen=True)
class Contestant:
    """An entry to measure: its norm, and a configuration of the workload."""

    norm: ChosenNorm
    config: Config

    @property
    def entry(self) -> str:
        """Return the entry's name."""
        return self.norm.entry


@dataclass(frozen=True)
class Cost:
    """What one training step and the inference of one batch cost one replica, and beside `none` in the same rounds.

    Seconds are medians over the rounds, and so are the ratios of a round. Memory is the most that a step takes, with
    parameters, buffers and the optimizer's state, without the data.
    """

    entry: str
    step_seconds: float
    inference_seconds: float
    peak_memory_bytes: int
    parameters: int
    relative_step: float
    relative_inference: float
    relative_memory: float
    relative_parameters: float


@dataclass(frozen=True)
class Measured:
    """The costs by the place of the contestant, None where it fails; the reasons by its place; those of `none`."""

    costs: tuple[Cost | None, ...]
    failures: dict[int, str]
    reference: Cost


def measure(
    contestants: Sequence[Contestant],
    shape: Shape,
    *,
    reference: Config,
    effort: Effort = USUAL_EFFORT,
    device: torch.device = CPU,
) -> Measured:
    """Measure the contestants of one workload in turn, and `none` with them, on random rows of their data's shape.

    A stack of one replica by the real training path without data loading, evaluation, logging and the trainer's loop;
    one thread of a CPU by processor time, or a GPU by the wall clock. `reference` is a configuration of the workload.
    What an entry raises is told and takes no other down; what `none` raises is raised.
    """
    task = random_task(shape, rows=budget_of(reference).batch_size)
    with one_thread(), redirect_stdout(sys.stderr):  # a stranger's norm may print
        none = _prepare(Contestant(choose_norm({"name": REFERENCE}), reference), task, device)
        stacks, failures = {}, {}
        for place, contestant in enumerate(contestants):
            if contestant.entry == REFERENCE:
                continue
            try:
                stacks[place] = _prepare(contestant, task, device)
            except (Exception, SystemExit) as error:  # a stranger's code may do anything
                failures[place] = f"{type(error).__name__}: {error}"
        costs = _costs([none, *stacks.values()], effort, clock_of(device))
    own = dict(zip(stacks, costs[1:], strict=True))
    of_none = {place: costs[0] for place, contestant in enumerate(contestants) if contestant.entry == REFERENCE}
    return Measured(tuple((own | of_none).get(place) for place in range(len(contestants))), failures, costs[0])


def random_task(shape: Shape, *, rows: int) -> Task:
    """Return a task of random rows: no cost depends on what they hold."""
    stream = generator(0, "costs")
    kind = LOSSES[shape.loss]
    inputs = torch.randn(rows, shape.num_inputs, generator=stream)
    classes = max(2, shape.num_outputs)
    labels = torch.randn(rows, generator=stream)
    if kind == "classification":
        labels = torch.randint(classes, (rows,), generator=stream)
    return Task(
        name="random rows",
        kind=kind,
        train_inputs=inputs,
        train_labels=labels,
        validation_inputs=inputs[:2],
        validation_labels=labels[:2],
        test_inputs=inputs[:2],
        test_labels=labels[:2],
        num_features=shape.num_inputs,
        num_outputs=shape.num_outputs,
        loss=shape.loss,
        metric_name="accuracy" if kind == "classification" else "rmse",
        direction="max" if kind == "classification" else "min",
        trivial=0.0,
        label_scale=1.0,
        targets=None,
        checksum="",
    )


@dataclass(frozen=True)
class _Prepared:
    entry: str
    stack: SteppedStack
    peak_bytes: int


def _prepare(contestant: Contestant, task: Task, device: torch.device) -> _Prepared:
    config, norm = contestant.config, contestant.norm
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to warn of was said as it trained
        stack = SteppedStack(config, task, norm, stacked=may_stack(config, task, norm), device=device)
        peak_bytes = stack.peak_bytes()
        for _ in range(WARM_UP_STEPS):
            stack.step()
            stack.infer()
    return _Prepared(contestant.entry, stack, peak_bytes)


def _costs(prepared: Sequence[_Prepared], effort: Effort, clock: Clock) -> list[Cost]:
    """Return the costs of all, the first of which is the reference."""
    steps = _timed([each.stack.step for each in prepared], effort.rounds, effort.step_seconds, clock)
    inferences = _timed([each.stack.infer for each in prepared], effort.rounds, effort.inference_seconds, clock)
    none = prepared[0]
    return [
        Cost(
            entry=each.entry,
            step_seconds=median(steps[place]),
            inference_seconds=median(inferences[place]),
            peak_memory_bytes=each.peak_bytes,
            parameters=each.stack.num_parameters,
            relative_step=median(ratios(steps[place], steps[0])),
            relative_inference=median(ratios(inferences[place], inferences[0])),
            relative_memory=each.peak_bytes / none.peak_bytes,
            relative_parameters=each.stack.num_parameters / none.stack.num_parameters,
        )
        for place, each in enumerate(prepared)
    ]


def _timed(works: Sequence[Callable[[], None]], rounds: int, seconds: float, clock: Clock) -> dict[int, list[float]]:
    """Return the seconds of one call of each in every round, by its place; all get the same time."""
    numbered = dict(enumerate(works))
    once = seconds_in_turns(numbered, rounds=1, repeats=WARM_UP_STEPS, clock=clock)
    repeats = {place: max(1, round(seconds / rounds / max(taken, 1e-6))) for place, (taken,) in once.items()}
    return seconds_in_turns(numbered, rounds=rounds, repeats=repeats, clock=clock)
