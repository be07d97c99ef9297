"""How a norm behaves: measured, not believed."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from bnbench.conformance.change import relative_change
from bnbench.conformance.passes import fixed_randomness
from bnbench.conformance.subject import Subject
from bnbench.seeding import CounterRandom, key_random_streams

STEPS_BEFORE = 3
# What is equal in exact arithmetic differs by rounding: 1e-16 here, 1e-7 in a norm that computes in float32 whatever it
# is given. What is not equal differs by more than 1e-2 in every norm we know.
SAME = 1e-4
# An ε breaks the invariance to scale a little: at ordinary inputs (spread 0.5 to 2) by 1e-5 for an ε of 1e-5, by 4e-2
# where values are normalized one by one; at inputs 30 times as large by 2e-4 at most. What saturates, and does not
# normalize, changes there by 8e-3 (tanh(5x)) and more.
SAME_SCALED_ORDINARY = 0.1
LARGE = 30.0
SAME_SCALED_LARGE = 1e-3


@dataclass(frozen=True)
class Traits:
    """What was measured of a norm, in training mode and at fresh parameters where nothing else is said.

    Rows are coupled where the output of one depends on another. Invariant means: the output stays when a constant is
    added to, or a positive one multiplied with, a whole row or a whole feature, another one for each of them.
    `training_differs_from_evaluation` and `rows_coupled_in_evaluation` are measured after three training batches.
    Stateful is what remembers of training anything but how many random numbers it has drawn.
    `weight_scale_invariant`, of a weight norm only: made from a rescaled Linear the layer computes the same.
    """

    rows_coupled_in_training: bool
    rows_coupled_in_evaluation: bool
    row_shift_invariant: bool
    row_scale_invariant: bool
    feature_shift_invariant: bool
    feature_scale_invariant: bool
    training_differs_from_evaluation: bool
    stateful: bool
    random: bool
    parameters: int
    weight_scale_invariant: bool | None = None


@lru_cache(maxsize=1)
def measure_traits(subject: Subject) -> Traits:
    """Return the traits of a norm, measured in float64; in float32 where that is all it computes in.

    Raises what the norm raises on ordinary inputs.
    """
    try:
        return _Probe(subject, torch.float64).traits()
    except RuntimeError:  # torch's, where a float32 tensor of the norm's own meets float64 inputs
        return _Probe(subject, torch.float32).traits()


def traits_if_it_runs(subject: Subject) -> Traits | None:
    """Return the traits, or None for a norm that raises on ordinary inputs, which other checks say."""
    try:
        return measure_traits(subject)
    except (Exception, SystemExit):  # a stranger's code may do anything
        return None


@dataclass(frozen=True)
class _Probe:
    """Runs fresh layers of a subject, every one on the same random streams."""

    subject: Subject
    dtype: torch.dtype

    def traits(self) -> Traits:
        inputs = self.subject.inputs(dtype=self.dtype)
        return Traits(
            rows_coupled_in_training=self._rows_coupled(inputs, training=True),
            rows_coupled_in_evaluation=self._rows_coupled(inputs, training=False),
            row_shift_invariant=self._shift_invariant(inputs, dim=0),
            row_scale_invariant=self._scale_invariant(inputs, dim=0),
            feature_shift_invariant=self._shift_invariant(inputs, dim=1),
            feature_scale_invariant=self._scale_invariant(inputs, dim=1),
            training_differs_from_evaluation=self._training_differs(inputs),
            stateful=self._stateful(inputs),
            random=self._random(inputs),
            parameters=sum(parameter.numel() for parameter in self._layer().parameters()),
            weight_scale_invariant=self._weight_scale_invariant(inputs) if self.subject.kind == "weight" else None,
        )

    def _layer(self) -> nn.Module:
        layer = self.subject.build(dtype=self.dtype, perturbed=False)
        with torch.no_grad():
            silent = not layer(self.subject.inputs(dtype=self.dtype)).any()
        # where a γ starts at 0 the output is 0 whatever comes in
        return self.subject.build(dtype=self.dtype, perturbed=silent)

    def _trained(self, *, steps: int = STEPS_BEFORE, key: int = 0) -> nn.Module:
        """Return a layer that has met some training batches; its parameters have not moved."""
        layer = self._layer()
        key_random_streams(layer, key)
        with torch.no_grad(), fixed_randomness(key):
            for step in range(steps):
                layer(self.subject.inputs(seed=1 + step, dtype=self.dtype))
        return layer

    def _outputs(self, inputs: Tensor, *, training: bool = True, steps_before: int = 0, key: int = 0) -> Tensor:
        layer = self._trained(steps=steps_before, key=key)
        with torch.no_grad(), fixed_randomness(key):
            outputs: Tensor = layer.train(training)(inputs.clone())
        if len(outputs) != len(inputs):
            raise ValueError(f"{len(outputs)} rows came out of {len(inputs)}")
        return outputs

    def _rows_coupled(self, inputs: Tensor, *, training: bool) -> bool:
        """Return whether a row far from the others moves their outputs, at the first step or later."""

        def coupled(row: int, steps_before: int) -> bool:
            changed = inputs.clone()
            changed[row] = 5 - 3 * inputs[row]
            others = torch.arange(len(inputs)) != row
            before, after = (
                self._outputs(values, training=training, steps_before=steps_before)[others]
                for values in (inputs, changed)
            )
            return relative_change(before, after) > SAME

        return any(coupled(row, steps) for row in (0, len(inputs) - 1) for steps in (0, STEPS_BEFORE))

    def _shift_invariant(self, inputs: Tensor, *, dim: int) -> bool:
        shifted = inputs + _one_for_each(inputs, dim, -2.0, 3.0)
        return relative_change(self._outputs(inputs), self._outputs(shifted)) <= SAME

    def _scale_invariant(self, inputs: Tensor, *, dim: int) -> bool:
        def change(size: float) -> float:
            values = size * inputs
            return relative_change(self._outputs(values), self._outputs(values * _one_for_each(inputs, dim, 0.5, 3.0)))

        return change(1.0) <= SAME_SCALED_ORDINARY and change(LARGE) <= SAME_SCALED_LARGE

    def _training_differs(self, inputs: Tensor) -> bool:
        in_training, in_evaluation = (
            self._outputs(inputs, training=training, steps_before=STEPS_BEFORE) for training in (True, False)
        )
        return relative_change(in_training, in_evaluation) > SAME

    def _stateful(self, inputs: Tensor) -> bool:
        fresh, trained = (_remembered(self._trained(steps=steps)) for steps in (0, STEPS_BEFORE))
        if any(not torch.equal(fresh[name], trained[name]) for name in fresh):
            return True
        # a state in no buffer shows in what it does
        before, after = (self._outputs(inputs, training=False, steps_before=steps) for steps in (0, STEPS_BEFORE))
        return relative_change(before, after) > SAME

    def _random(self, inputs: Tensor) -> bool:
        return any(
            relative_change(*(self._outputs(inputs, training=training, key=key) for key in (0, 1))) > SAME
            for training in (True, False)
        )

    def _weight_scale_invariant(self, inputs: Tensor) -> bool:
        def outputs(factor: float) -> Tensor:
            linear = self.subject.linear()
            with torch.no_grad():
                linear.weight.mul_(factor)
            layer = self.subject.norm.replace(linear, seed=0, name="layer").to(self.dtype).train()
            key_random_streams(layer, 0)
            with torch.no_grad(), fixed_randomness():
                result: Tensor = layer(inputs.clone())
            return result

        return relative_change(outputs(1.0), outputs(3.0)) <= SAME_SCALED_ORDINARY


def _one_for_each(inputs: Tensor, dim: int, smallest: float, largest: float) -> Tensor:
    """Return a number for every row (dim 0) or every feature (dim 1), spread evenly."""
    numbers = torch.linspace(smallest, largest, inputs.shape[dim], dtype=inputs.dtype)
    return numbers.unsqueeze(1 - dim)


def _remembered(layer: nn.Module) -> dict[str, Tensor]:
    """Return the buffers, but not the counters of random numbers."""
    return {
        f"{place}.{name}": buffer
        for place, module in layer.named_modules()
        if not isinstance(module, CounterRandom)
        for name, buffer in module.named_buffers(recurse=False)
    }
