"""The diagnostics of one batch of replicas, measured at its evaluations."""

import json
import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from bnbench.config import Config, budget_of
from bnbench.datasets import Task
from bnbench.norms import ChosenNorm
from bnbench.seeding import generator
from bnbench.training.data_order import DataOrder
from bnbench.training.diagnostics.asked import asked_diagnostics
from bnbench.training.diagnostics.diagnostic import DIAGNOSTICS, Diagnostic, Measurement
from bnbench.training.diagnostics.moment import Batch, Moment
from bnbench.training.diagnostics.network import Network, network_in
from bnbench.training.diagnostics.readings import Diagnosed, Integers, Reading
from bnbench.training.out_of_memory import is_out_of_memory
from bnbench.training.replicas import Replicas
from bnbench.training.task_tensors import TaskTensors

MOST_LETTERS = 300
# enough that a percentile of a unit means something, few enough that looking costs no more than a step
PROBE_ROWS = 256


class Examination:
    """Measures the diagnostics that apply to a network, for the replicas still in the stack.

    What does not apply, and what fails, is left out by name with the reason: training goes on. A lack of memory is
    none of these, and is raised, but where one replica is alone. The probe batch are PROBE_ROWS training rows, drawn
    once and the same for every seed, norm and model.
    """

    def __init__(
        self, names: Sequence[str], network: Network, seeds: Sequence[int], *, num_rows: int, batch_size: int
    ) -> None:
        self.diagnosed = Diagnosed(tuple(names))
        self._network = network
        self._seeds = tuple(seeds)
        self._probe_rows = torch.randperm(num_rows, generator=generator(0, "probe batch"))[:PROBE_ROWS]
        # of the first step; of every other that counts `remember` is told
        self._rows = DataOrder(seeds, num_rows=num_rows, batch_size=batch_size).next_batch()
        self._memory: dict[str, dict[str, Tensor]] = {name: {} for name in names}
        self._weights_before: dict[str, Tensor] | None = None
        for name in names:
            if (reason := DIAGNOSTICS.get(name).why_not(network)) is not None:
                self.diagnosed.leave_out(name, reason)

    def remember(self, replicas: Replicas, *, rows: Int64[Tensor, "members batch"]) -> None:
        """Take a copy of the weights before the step to the next evaluation, and the rows of that step.

        They are those of the full batch of replicas, also of those that have left the stack.
        """
        self._rows = rows
        named = zip(replicas.parameter_names, replicas.parameters_stacked, strict=True)
        self._weights_before = {name: stack.detach().clone() for name, stack in named if stack.requires_grad}

    def keep(self, chosen: Int64[Tensor, " k"]) -> None:
        """Follow the stack, from which every replica but the chosen ones was taken out."""
        for held in (*self._memory.values(), self._weights_before or {}):
            held.update({name: values[chosen.to(values.device)] for name, values in held.items()})

    def examine(
        self,
        replicas: Replicas,
        data: TaskTensors,
        *,
        step: int,
        members: Integers,
        learning_rates: Float[Tensor, " replicas"],
    ) -> None:
        """Measure everything that is asked for.

        `members` are the positions, in the full batch of replicas, of those in the stack.
        """
        started = time.perf_counter()
        probe = Batch(*(values[0] for values in _cut(data, self._probe_rows.unsqueeze(0))))
        minibatch = _cut(data, self._rows[torch.from_numpy(members).to(self._rows.device)])
        for name in self.diagnosed.names:
            memory = self._memory[name]
            # what was taken up from a checkpoint lies on the host
            memory.update({key: held.to(minibatch.inputs.device) for key, held in memory.items()})
            moment = Moment(
                step=step,
                network=self._network,
                seeds=tuple(self._seeds[member] for member in members.tolist()),
                learning_rates=learning_rates.to(minibatch.inputs),
                probe=probe,
                minibatch=minibatch,
                weights_before=self._weights_before,
                memory=memory,
                replicas=replicas,
            )
            self._measure(DIAGNOSTICS.get(name), moment, members)
        self._weights_before = None
        self.diagnosed.seconds += time.perf_counter() - started

    def _measure(self, diagnostic: Diagnostic, moment: Moment, members: Integers) -> None:
        try:
            # a draw from the global generator would move those of a network that has no stream of its own
            with torch.random.fork_rng(devices=[]):
                found = [_on_the_host(measurement, len(members)) for measurement in diagnostic.measure(moment)]
        except Exception as error:  # of a stranger's norm or model, which need not bear to be looked at like this
            if is_out_of_memory(error) and len(self._seeds) > 1:
                raise  # fewer at a time may have room
            said = f"it failed at step {moment.step}: {type(error).__name__}: {' '.join(str(error).split())}"
            # a stranger's words, which a record does not take where they could rewrite a terminal
            self._leave_out(
                diagnostic.name, "".join(each if each.isprintable() else "?" for each in said[:MOST_LETTERS])
            )
            return
        self.diagnosed.readings += [
            Reading(moment.step, members, diagnostic.name, name, layer, values) for name, layer, values in found
        ]

    def _leave_out(self, name: str, reason: str) -> None:
        self.diagnosed.leave_out(name, reason)
        self._memory[name] = {}

    def state(self) -> dict[str, Tensor]:
        """Return what was found so far, and what the diagnostics remember."""
        text = torch.from_numpy(np.frombuffer(json.dumps(self.diagnosed.told()).encode(), dtype=np.uint8).copy())
        remembered = {f"{owner}/{name}": held for owner, own in self._memory.items() for name, held in own.items()}
        return {"diagnosed": text, **remembered}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Hold what was found until then."""
        self.diagnosed = Diagnosed.read(json.loads(state["diagnosed"].numpy().tobytes()))
        for key, held in state.items():
            owner, _, name = key.partition("/")
            if name:
                self._memory[owner][name] = held


def examination_of(
    config: Config, task: Task, norm: ChosenNorm, replicas: Replicas, seeds: Sequence[int]
) -> Examination | None:
    """Return the examination of the diagnostics that a configuration asks for; None where it asks for none."""
    names = asked_diagnostics(config)
    if not names:
        return None
    network = network_in(replicas, config, norm, loss=task.loss)
    batch_size = budget_of(config).batch_size
    return Examination(names, network, seeds, num_rows=len(task.train_inputs), batch_size=batch_size)


def _cut(data: TaskTensors, rows: Int64[Tensor, "replicas batch"]) -> Batch:
    return Batch(*data.cut(rows.to("cpu" if data.inputs_on_host else data.train_labels.device)))


def _on_the_host(measurement: Measurement, count: int) -> tuple[str, str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    values = measurement.values.detach()
    if values.shape != (count,):
        raise ValueError(f"{measurement.name} has the shape {tuple(values.shape)}, expected one number per replica")
    return measurement.name, measurement.layer, values.double().cpu().numpy()
