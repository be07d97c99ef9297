"""What is asked for is measured or left out by name; a lack of memory is passed on; the rest trains on."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from bnbench.config import Config
from bnbench.datasets import Task
from bnbench.errors import UserError
from bnbench.norms import choose_norm
from bnbench.training.data_order import DataOrder
from bnbench.training.diagnostics import DIAGNOSTICS, Measurement, Moment
from bnbench.training.diagnostics.asked import asked_diagnostics
from bnbench.training.diagnostics.diagnostic import Diagnostic
from bnbench.training.diagnostics.examination import PROBE_ROWS, Examination
from bnbench.training.diagnostics.network import Network, network_in
from bnbench.training.diagnostics.readings import Diagnosed, Reading, columns_of
from bnbench.training.fit import check_training, network_of
from bnbench.training.replicas import Replicas
from bnbench.training.task_tensors import TaskTensors


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Register a diagnostic for the time of a test."""

    def plant(
        name: str,
        measure: Callable[[Moment], list[Measurement]],
        why_not: Callable[[Network], str | None] = lambda _: None,
    ) -> None:
        monkeypatch.setitem(DIAGNOSTICS._entries, name, Diagnostic(name, measure, why_not))

    return plant


def fails_at_the_second(moment: Moment) -> list[Measurement]:
    if moment.step:
        raise NotImplementedError("no second\nderivative of \x1b[31mthis" + 1000 * "!")
    return [Measurement("first", "", torch.ones(len(moment.seeds)))]


def counts(moment: Moment) -> list[Measurement]:
    """Remembers how often it was asked, and of whom."""
    seeds = torch.tensor(moment.seeds)
    known = moment.memory.get("count", torch.zeros(len(seeds)))
    moment.memory["count"] = known + 1
    moment.memory["seed"] = moment.memory.get("seed", seeds)
    assert moment.memory["seed"].tolist() == seeds.tolist()
    return [Measurement("count", "", moment.memory["count"])]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ([], ()),
        ("units", ("units",)),
        (["units", "activations", "units"], ("activations", "units")),
        ("all", DIAGNOSTICS.names()),
        (["all", "units"], DIAGNOSTICS.names()),
    ],
)
def test_names_are_read_however_they_are_written(asked: Any, names: Any, configure: Callable[..., Config]) -> None:
    assert asked_diagnostics(configure(diagnostics=asked)) == names


def test_an_unknown_name_is_refused_with_the_nearest(configure: Any, task_of: Callable[..., Task]) -> None:
    config = configure(diagnostics=["activation"])
    with pytest.raises(UserError, match=r"unknown diagnostic 'activation'; did you mean 'activations'\? Choose from: "):
        check_training(config, task_of(), choose_norm(config.norm))


@pytest.mark.parametrize("asked", [3, True, None, {"units": 1}, [["units"]], [1]])
def test_what_is_no_list_of_names_is_refused(asked: Any, configure: Callable[..., Config]) -> None:
    with pytest.raises(UserError, match=r"expected a list of names, e\.g\. diagnostics=\[activations,gradients\]"):
        asked_diagnostics(configure(diagnostics=asked))


def test_what_fails_is_left_out_with_what_it_had_found(
    plant: Any, train: Callable[..., Any], assert_same: Callable[..., None]
) -> None:
    plant("failing", fails_at_the_second)
    run = train((0, 1), diagnostics=["failing", "units"], change=lambda *_: None)
    diagnosed = run.trajectory.diagnosed
    assert diagnosed.names == ("units",)
    assert list(diagnosed.left_out) == ["failing"]
    reason = "it failed at step 3: NotImplementedError: no second derivative of ?[31mthis!!!"
    assert diagnosed.left_out["failing"].startswith(reason)
    assert len(diagnosed.left_out["failing"]) == 300
    assert {reading.diagnostic for reading in diagnosed.readings} == {"units"}
    assert {reading.step for reading in diagnosed.readings} == {0, 3, 6}
    assert_same(run.numbers(0), train((0, 1)).numbers(0))


def test_what_does_not_apply_is_left_out_before_it_is_asked(plant: Any, train: Callable[..., Any]) -> None:
    plant("choosy", fails_at_the_second, lambda network: f"{len(network.layers)} layers are too many")
    run = train((0,), diagnostics=["choosy"], change=lambda *_: None)
    assert run.trajectory.diagnosed.left_out == {"choosy": "2 layers are too many"}


def test_the_rate_is_that_of_the_step_that_was_made(plant: Any, train: Callable[..., Any]) -> None:
    """A cosine schedule stands at 0 after the last step; steps 3 and 6 were made at its factors of 2 and 5 steps."""
    plant("rate", lambda moment: [Measurement("rate", "", moment.learning_rates.clone())])
    diagnosed = train((0, 1), diagnostics=["rate"], change=lambda *_: None).trajectory.diagnosed
    expected = [0.1 * (1 + np.cos(np.pi * made / 6)) / 2 for made in (0, 2, 5)]
    np.testing.assert_allclose([one.values for one in diagnosed.readings], np.outer(expected, [1, 1]), rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (1,), (2, 1), (3,)])
def test_other_than_one_number_per_replica_is_a_failure(shape: Any, plant: Any, train: Callable[..., Any]) -> None:
    plant("misshapen", lambda _: [Measurement("wrong", "", torch.zeros(shape))])
    run = train((0, 1), diagnostics=["misshapen"], change=lambda *_: None)
    assert "expected one number per replica" in run.trajectory.diagnosed.left_out["misshapen"]


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_a_lack_of_memory_is_passed_on_so_that_the_batch_is_halved(
    error: Exception, plant: Any, train: Callable[..., Any]
) -> None:
    def large(_: Moment) -> list[Measurement]:
        raise error

    plant("large", large)
    with pytest.raises(type(error)):
        train((0, 1), diagnostics=["large"], change=lambda *_: None)


def test_a_replica_alone_trains_on_without_what_it_has_no_memory_for(plant: Any, train: Callable[..., Any]) -> None:
    def large(_: Moment) -> list[Measurement]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    plant("large", large)
    diagnosed = train((0,), diagnostics=["large", "units"], change=lambda *_: None).trajectory.diagnosed
    assert diagnosed.left_out == {"large": "it failed at step 0: OutOfMemoryError: CUDA out of memory"}
    assert diagnosed.names == ("units",)


def test_what_is_remembered_follows_those_that_stay(plant: Any, train: Callable[..., Any]) -> None:
    def spoil(replicas: Replicas, step: int) -> None:
        if step == 0:
            replicas.parameters_stacked[0].data[1] = torch.nan

    plant("counting", counts)
    diagnosed = train((4, 5, 6), diagnostics=["counting"], change=spoil).trajectory.diagnosed
    assert not diagnosed.left_out
    assert [(one.step, one.members.tolist(), one.values.tolist()) for one in diagnosed.readings] == [
        (0, [0, 1, 2], [1, 1, 1]),
        (3, [0, 2], [2, 2]),
        (6, [0, 2], [3, 3]),
    ]


@pytest.fixture
def parts(configure: Callable[..., Config], task_of: Callable[..., Task]) -> Callable[[], Any]:
    """A fresh examination with the stack and the data it is given."""
    config, task = configure("batch", model__dropout=0.5), task_of(rows=600)
    chosen = choose_norm(config.norm)
    seeds = (3, 4)

    def make() -> Any:
        replicas = Replicas([network_of(config, task, chosen, seed) for seed in seeds], seeds=seeds)
        network = network_in(replicas, config, chosen, loss=task.loss)
        names = ("activations", "counting")
        return Examination(names, network, seeds, num_rows=600, batch_size=16), replicas, TaskTensors(task)

    return make


def examine(examination: Examination, replicas: Replicas, data: TaskTensors, step: int) -> None:
    rates = torch.full((2,), 0.1)
    examination.examine(replicas, data, step=step, members=np.arange(2), learning_rates=rates)


def test_what_was_left_is_taken_up_to_the_last_bit(plant: Any, parts: Callable[[], Any]) -> None:
    plant("counting", counts)
    first, *of_first = parts()
    examine(first, *of_first, step=0)
    second, *of_second = parts()
    second.load_state({name: value.clone() for name, value in first.state().items()})
    for examination, others in ((first, of_first), (second, of_second)):
        examine(examination, *others, step=5)
        assert {reading.step for reading in examination.diagnosed.readings} == {0, 5}
    told = [one.diagnosed.told() | {"seconds": 0} for one in (first, second)]
    assert told[0] == told[1]


def test_readings_are_told_exactly_even_where_they_are_no_numbers() -> None:
    reading = Reading(5, np.array([0, 2]), "a", "name", "hidden.0", np.array([np.nan, 1 / 3]))
    diagnosed = Diagnosed(("a",), {"b": "why"}, 0.1, [reading])
    again = Diagnosed.read(diagnosed.told())
    np.testing.assert_array_equal(again.readings[0].values, [np.nan, 1 / 3])
    assert (again.names, again.left_out, again.readings[0][2:5]) == (("a",), {"b": "why"}, ("a", "name", "hidden.0"))


@pytest.fixture
def probe(plant: Any, train: Callable[..., Any]) -> Callable[..., Any]:
    """The probe batches and minibatches of a training, as a diagnostic is given them."""
    seen: list[tuple[int, Any, Any]] = []

    def see(moment: Moment) -> list[Measurement]:
        seen.append((moment.step, moment.probe, moment.minibatch))
        return []

    plant("seeing", see)

    def look(**changes: Any) -> list[tuple[int, Any, Any]]:
        seen.clear()
        train((0, 1), diagnostics=["seeing"], change=lambda *_: None, **changes)
        return list(seen)

    return look


def test_the_probe_is_the_same_for_every_evaluation_and_norm(probe: Any, task_of: Callable[..., Task]) -> None:
    rows = {"rows": 600}
    found = probe(task=rows) + probe(norm="batch", task=rows)
    assert len(found) == 6
    assert found[0][1].inputs.shape == (PROBE_ROWS, 12)
    assert all(torch.equal(one.inputs, found[0][1].inputs) for _, one, _ in found)
    # training rows, none of them twice, each with its label
    task = task_of(rows=600)
    equal = (found[0][1].inputs.unsqueeze(1) == task.train_inputs).all(2)
    assert (equal.sum(1) == 1).all()
    assert (equal.sum(0) <= 1).all()
    assert torch.equal(task.train_labels[equal.double().argmax(1)], found[0][1].labels)


def test_a_small_table_is_the_probe_as_a_whole(probe: Any) -> None:
    assert probe()[0][1].inputs.shape == (90, 12)


def test_the_minibatch_is_that_of_the_last_step(probe: Any, task_of: Callable[..., Task]) -> None:
    batches = DataOrder((0, 1), num_rows=90, batch_size=16)
    rows = [batches.next_batch() for _ in range(6)]
    expected = {0: rows[0], 3: rows[2], 6: rows[5]}  # before the first step, the batch of the first
    inputs = task_of().train_inputs
    for step, _, minibatch in probe():
        assert torch.equal(minibatch.inputs, inputs[expected[step]])


def test_columns_go_by_seed_step_and_order_of_reading() -> None:
    readings = [
        Reading(0, np.array([0, 1]), "d", "b", "hidden.0", np.array([1.0, 2.0])),
        Reading(0, np.array([0, 1]), "d", "a", "", np.array([3.0, 4.0])),
        Reading(5, np.array([1]), "d", "b", "hidden.0", np.array([5.0])),
    ]
    assert columns_of(readings, {1: 30, 0: 70}) == {
        "seed": [30, 30, 30, 70, 70],
        "step": [0, 0, 5, 0, 0],
        "layer": ["hidden.0", "", "hidden.0", "hidden.0", ""],
        "name": ["b", "a", "b", "b", "a"],
        "value": [2.0, 4.0, 5.0, 1.0, 3.0],
    }
    assert columns_of(readings, {1: 30})["seed"] == [30, 30, 30]
