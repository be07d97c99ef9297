"""What entries cost: measured in turns, beside none, memory and parameters the same every time."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise, permutations
from typing import Any

import pytest
import torch
from torch import nn

from bnbench.errors import UserError
from bnbench.norms import choose_norm
from bnbench.training.costs import Contestant, Effort, SteppedStack, measure, most_allocated, one_workload
from bnbench.training.costs.one_workload import random_task
from bnbench.training.recorded import Shape
from bnbench.training.turns import ratios, seconds_in_turns

QUICK = Effort(rounds=3, step_seconds=0.0, inference_seconds=0.0)
SHAPE = Shape(16, 16, "cross_entropy")


class FakeClock:
    """Time that passes only where a work says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done: list[str] = []

    def __call__(self) -> float:
        return self.now

    def work(self, name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.now += seconds
            self.done.append(name)

        return run


def runs_of(done: list[str]) -> list[str]:
    """Each run of one name as one."""
    return [name for place, name in enumerate(done) if place == 0 or done[place - 1] != name]


def test_works_take_turns_and_every_round_has_each_once() -> None:
    clock = FakeClock()
    works = {name: clock.work(name, 1.0) for name in "ABC"}
    seconds_in_turns(works, rounds=20, repeats=2, clock=clock)
    rounds = [clock.done[start : start + 9] for start in range(0, len(clock.done), 9)]
    assert len(rounds) == 20
    for each in rounds:
        assert Counter(each) == {"A": 3, "B": 3, "C": 3}  # two that count, one that finds the caches of another
        assert len(runs_of(each)) == 3


def test_no_work_always_follows_the_same_one() -> None:
    clock = FakeClock()
    works = {name: clock.work(name, 1.0) for name in "ABC"}
    seconds_in_turns(works, rounds=30, repeats=1, clock=clock)
    order = runs_of(clock.done)
    followers = Counter(pairwise(order))
    assert all(followers[pair] >= 3 for pair in permutations("ABC", 2))


def test_seconds_are_those_of_one_call_in_every_round() -> None:
    clock = FakeClock()
    works = {"quick": clock.work("quick", 0.5), "slow": clock.work("slow", 2.0)}
    found = seconds_in_turns(works, rounds=4, repeats={"quick": 8, "slow": 2}, clock=clock)
    assert found == {"quick": [0.5] * 4, "slow": [2.0] * 4}
    assert clock.done.count("quick") == 4 * 9


def test_ratios_are_those_of_the_same_round() -> None:
    assert ratios([2.0, 6.0, 8.0], [1.0, 2.0, 4.0]) == [2.0, 3.0, 2.0]


def contestants(configure: Callable[..., Any], *norms: str, **changes: Any) -> list[Contestant]:
    return [Contestant(choose_norm({"name": norm}), configure(norm, **changes)) for norm in norms]


def test_costs_are_medians_beside_none_which_is_always_measured(
    configure: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that only the steps move: batch 5 s in most rounds, none 2 s, a hiccup of 100 s in one round each."""
    clock = FakeClock()
    seconds = {"none": 2.0, "batch": 5.0}
    calls: Counter[str] = Counter()

    def took(stack: SteppedStack, factor: float) -> None:
        name = "batch" if stack.num_parameters > none_parameters else "none"
        calls[name] += 1
        clock.now += factor * (100.0 if calls[name] == 12 else seconds[name])

    none_parameters = 16 * 36 + 36 + 36 * 12 + 12 + 12 * 16 + 16
    monkeypatch.setattr(one_workload, "clock_of", lambda device: clock)
    monkeypatch.setattr(SteppedStack, "peak_bytes", lambda stack: 1000 + stack.num_parameters)
    monkeypatch.setattr(SteppedStack, "step", lambda stack: took(stack, 1.0))
    monkeypatch.setattr(SteppedStack, "infer", lambda stack: took(stack, 0.5))
    effort = Effort(rounds=5, step_seconds=1.0, inference_seconds=1.0)
    measured = measure(contestants(configure, "batch"), SHAPE, reference=configure("none"), effort=effort)
    (cost,) = measured.costs
    assert cost is not None
    assert (cost.step_seconds, cost.relative_step) == (5.0, 2.5)
    assert (cost.inference_seconds, cost.relative_inference) == (2.5, 2.5)
    assert cost.parameters == none_parameters + 2 * (36 + 12)
    assert cost.relative_parameters == cost.parameters / none_parameters
    assert cost.relative_memory == (1000 + cost.parameters) / (1000 + none_parameters)
    assert (measured.reference.entry, measured.reference.step_seconds, measured.reference.relative_step) == (
        "none",
        2.0,
        1.0,
    )


def test_none_among_the_contestants_is_once_itself(configure: Callable[..., Any]) -> None:
    measured = measure(contestants(configure, "layer", "none"), SHAPE, reference=configure("none"), effort=QUICK)
    layer, none = measured.costs
    assert none == measured.reference
    assert layer is not None
    assert layer.step_seconds > 0 < layer.inference_seconds
    assert [none.relative_step, none.relative_inference, none.relative_memory, none.relative_parameters] == [1.0] * 4


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "weight", "iterative", "noisy_batch"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_memory_and_parameters_are_the_same_every_time(
    configure: Callable[..., Any], norm: str, optimizer: str
) -> None:
    found = []
    for _ in range(3):
        stack = SteppedStack(
            configure(norm, optimizer__name=optimizer), random_task(SHAPE, rows=16), choose_norm({"name": norm})
        )
        found += [(stack.num_parameters, stack.peak_bytes()), (stack.num_parameters, stack.peak_bytes())]
    assert len(set(found)) == 1


def test_memory_holds_parameters_gradients_and_the_state_of_the_optimizer(configure: Callable[..., Any]) -> None:
    """Of widths that fill whole lines, so that nothing is padded: momentum keeps one number per parameter, Adam two
    and the count of steps."""
    norm, task = choose_norm({"name": "none"}), random_task(SHAPE, rows=16)
    parameters = 3 * (16 * 16 + 16)
    peak = {
        name: SteppedStack(configure("none", optimizer__name=name, model__hidden=[16, 16]), task, norm).peak_bytes()
        for name in ("sgd", "momentum", "adam")
    }
    assert peak["sgd"] > 4 * 2 * parameters
    assert peak["momentum"] - peak["sgd"] == 4 * parameters
    assert peak["adam"] - peak["sgd"] == 4 * (2 * parameters + 6)


def test_more_rows_take_more_memory_by_what_is_kept_for_the_backward_pass(configure: Callable[..., Any]) -> None:
    """Of 16 rows more at least their inputs and two activations of each hidden layer are there at once."""
    norm = choose_norm({"name": "none"})
    few, many = (
        SteppedStack(configure("none", budget__batch_size=rows), random_task(SHAPE, rows=rows), norm).peak_bytes()
        for rows in (16, 32)
    )
    assert many - few >= 4 * 16 * (16 + 36 + 12)


def test_the_most_allocated_is_what_is_held_at_once() -> None:
    def run() -> None:
        for _ in range(3):
            held = torch.empty(1000), torch.empty(500)
            del held

    assert most_allocated(run) == 4 * 1500


def test_measuring_memory_says_nothing_of_torchs_and_keeps_what_others_say(capfd: pytest.CaptureFixture[str]) -> None:
    """As running statistics, which every step replaces. In a process of its own: torch logs it once in each."""
    script = """
import os
import torch
from bnbench.training.costs import most_allocated
held = [torch.empty(1000)]
def run():
    held[0] = torch.empty(500)
    os.write(2, b"a stranger's warning\\n")
assert most_allocated(run) == 4 * 500
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert capfd.readouterr().err == "a stranger's warning\n"


def test_a_step_is_that_of_training(configure: Callable[..., Any]) -> None:
    """The stack's own step against one by torch: forward, mean loss, backward, SGD at the rate the stack has."""
    task = random_task(SHAPE, rows=16)
    stack = SteppedStack(configure("none", optimizer__lr=0.5), task, choose_norm({"name": "none"}))
    before = stack.module.replicas.snapshot()
    for group in stack._optimizer.param_groups:
        group["initial_lr"] = group["lr"] = 0.5
    stack._schedule.base_lrs = [0.5] * len(stack._schedule.base_lrs)
    plain = nn.Sequential(nn.Linear(16, 36), nn.ReLU(), nn.Linear(36, 12), nn.ReLU(), nn.Linear(12, 16))
    with torch.no_grad():
        for parameter, value in zip(plain.parameters(), before.values(), strict=True):
            parameter.copy_(value[0])
    nn.functional.cross_entropy(plain(task.train_inputs), task.train_labels).backward()
    stack.step()
    for parameter, value in zip(plain.parameters(), stack.module.replicas.snapshot().values(), strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(value[0], parameter.detach() - 0.5 * parameter.grad)
    assert all(tensor.grad is None for tensor in stack.module.replicas.parameters_stacked)


@pytest.mark.parametrize(("outputs", "loss"), [(3, "cross_entropy"), (1, "binary"), (1, "mse"), (1, "huber")])
@pytest.mark.parametrize("precision", ["32", "64"])
def test_every_loss_and_precision_can_be_measured(
    configure: Callable[..., Any], outputs: int, loss: str, precision: str
) -> None:
    changes = {"trainer__precision": precision, "optimizer__clip_gradient_norm": 1.0}
    measured = measure(
        contestants(configure, "batch", **changes),
        Shape(5, outputs, loss),
        reference=configure("none", **changes),
        effort=QUICK,
    )
    assert measured.failures == {}


class Fails(nn.Module):
    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("not today")


class Sequential(nn.Module):
    """A norm that vmap cannot take, which prints."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        print("hello")  # noqa: T201
        return inputs / (1.0 + inputs.abs().max().item())


def test_an_entry_that_fails_is_named_and_takes_no_other_down(
    configure: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [{"name": "custom", "class_path": f"{__name__}:{kind.__name__}"} for kind in (Fails, Sequential)]
    chosen = [Contestant(choose_norm(entry), configure(entry)) for entry in entries]
    measured = measure([*chosen, *contestants(configure, "layer")], SHAPE, reference=configure("none"), effort=QUICK)
    failed, one_by_one, layer = measured.costs
    assert failed is None
    assert list(measured.failures) == [0]
    assert "not today" in measured.failures[0]
    assert one_by_one is not None
    assert layer is not None
    assert capsys.readouterr().out == ""


def test_a_workload_whose_reference_cannot_be_measured_is_refused(configure: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match="unknown"):
        measure(
            contestants(configure, "layer"),
            SHAPE,
            reference=configure("none", schedule__name="unheard_of"),
            effort=QUICK,
        )


@pytest.mark.parametrize("rounds", [1, 5, 30])
def test_a_round_is_as_long_however_many_there_are(rounds: int) -> None:
    effort = Effort(10, 0.2, 0.1).of_rounds(rounds)
    assert effort.rounds == rounds
    assert effort.step_seconds / rounds == pytest.approx(0.02)
    assert effort.inference_seconds / rounds == pytest.approx(0.01)
