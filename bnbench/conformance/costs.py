"""What a norm costs beside the identity."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from statistics import median

import torch
from torch import nn

from bnbench.conformance.subject import Subject
from bnbench.errors import UserError
from bnbench.seeding import global_stream, one_thread
from bnbench.training.turns import ratios, seconds_in_turns

# A hidden layer as they are usually trained here. Beside the bare identity any layer would cost ten or fifty times as
# much, which says nothing: it is the step that takes time.
WIDTH = 96
NUM_OUTPUTS = 10
BATCH_SIZE = 60
ROUNDS = 40
STEPS_PER_ROUND = 3
WARM_UP_STEPS = 5


@dataclass(frozen=True)
class Costs:
    """Processor time of a network with the norm over that of the same network with the identity in its place.

    The network: Linear 96 → norm → ReLU → Linear 10, a batch of 60 rows, one thread of the CPU, not stacked. A step is
    forward, backward and an update by SGD; inference is the forward pass in evaluation mode. Medians of rounds in which
    both take turns; they repeat to about 5 % on an idle machine and to 30 % on a busy one.
    """

    step_cost: float
    inference_cost: float


@lru_cache(maxsize=1)
def measure_costs(subject: Subject) -> Costs:
    """Return what the norm costs; about 0.4 s for a usual one. Raises what the norm raises on ordinary inputs."""
    wide = _wide(subject)
    with one_thread():
        normed, plain = (_Workload(_network(wide, with_norm=with_norm), wide) for with_norm in (True, False))
        return Costs(_ratio(normed.step, plain.step), _ratio(normed.infer, plain.infer))


def costs_if_it_runs(subject: Subject) -> Costs | None:
    """Return the costs, or None for a norm that raises on ordinary inputs, which other checks say."""
    try:
        return measure_costs(subject)
    except (Exception, SystemExit):  # a stranger's code may do anything
        return None


def _wide(subject: Subject) -> Subject:
    """Return the subject at the width of the network: a multiple of its own, for options that must divide it."""
    wide = replace(subject, num_features=subject.num_features * ceil(WIDTH / subject.num_features))
    try:
        wide.build()
    except UserError:  # a norm that takes one width only
        return subject
    return wide


def _network(subject: Subject, *, with_norm: bool) -> nn.Sequential:
    width = subject.num_features
    with global_stream(0, "conformance", "costs"):
        hidden: nn.Module = nn.Linear(subject.num_inputs, width)
        output = nn.Linear(width, NUM_OUTPUTS)
        if subject.kind == "activation":
            hidden = nn.Linear(width, width)
            norm = subject.build(perturbed=False) if with_norm else nn.Identity()
            return nn.Sequential(hidden, norm, nn.ReLU(), output)
    return nn.Sequential(subject.build(perturbed=False) if with_norm else hidden, nn.ReLU(), output)


class _Workload:
    """A network with what it is fed."""

    def __init__(self, network: nn.Module, subject: Subject) -> None:
        self.network = network
        self.parameters = list(network.parameters())
        self.inputs = subject.inputs(BATCH_SIZE)

    def step(self) -> None:
        self.network.train()
        self.network(self.inputs).square().mean().backward()
        # not torch's SGD, which takes seconds to import its compiler at the first step
        with torch.no_grad():
            for parameter in self.parameters:
                if parameter.grad is not None:
                    parameter.sub_(1e-3 * parameter.grad)
                    parameter.grad = None

    def infer(self) -> None:
        self.network.eval()
        with torch.no_grad():
            self.network(self.inputs)


def _ratio(normed: Callable[[], None], plain: Callable[[], None]) -> float:
    """Return the median over the rounds of what one costs beside the other, measured right after each other."""
    for _ in range(WARM_UP_STEPS):
        normed()
        plain()
    seconds = seconds_in_turns({"normed": normed, "plain": plain}, rounds=ROUNDS, repeats=STEPS_PER_ROUND)
    return median(ratios(seconds["normed"], seconds["plain"]))
