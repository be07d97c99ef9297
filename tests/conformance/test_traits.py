"""Traits are measured: those of torch's layers and of known formulas come out as known."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bnbench.conformance.subject import subject_of
from bnbench.conformance.traits import Traits, measure_traits
from bnbench.seeding import CounterRandom

ROW = {"row_shift_invariant", "row_scale_invariant"}
FEATURE = {"feature_shift_invariant", "feature_scale_invariant"}
REMEMBERS = {"stateful", "training_differs_from_evaluation"}
COUPLED = {"rows_coupled_in_training"}
COUPLED_ALWAYS = COUPLED | {"rows_coupled_in_evaluation"}


def true_ones(traits: Traits) -> set[str]:
    return {name for name, value in vars(traits).items() if value is True}


@pytest.mark.parametrize(
    ("target", "options", "expected", "parameters"),
    [
        ("none", {}, set(), 0),
        ("affine", {}, set(), 48),
        ("dynamic_tanh", {}, set(), 49),
        ("dynamic_tanh", {"alpha": 5.0}, set(), 49),
        ("torch.nn:LayerNorm", {}, ROW, 48),
        ("torch.nn:LayerNorm", {"eps": 1e-3, "elementwise_affine": False}, ROW, 0),
        ("torch.nn:RMSNorm", {}, {"row_scale_invariant"}, 24),
        ("rms", {}, {"row_scale_invariant"}, 24),
        ("scale", {}, {"row_scale_invariant"}, 1),
        ("group", {}, ROW, 48),
        ("instance", {}, ROW, 0),
        ("torch.nn:BatchNorm1d", {}, COUPLED | FEATURE | REMEMBERS, 48),
        ("torch.nn:BatchNorm1d", {"eps": 1e-3}, COUPLED | FEATURE | REMEMBERS, 48),
        ("torch.nn:BatchNorm1d", {"track_running_stats": False}, COUPLED_ALWAYS | FEATURE, 48),
        ("batch", {"subtract_mean": False}, COUPLED | {"feature_scale_invariant"} | REMEMBERS, 48),
        ("batch", {"divide_by_deviation": False}, COUPLED | {"feature_shift_invariant"} | REMEMBERS, 48),
        ("ghost_batch", {"ghost_rows": 4}, COUPLED | FEATURE | REMEMBERS, 48),
        ("noisy_batch", {}, COUPLED | FEATURE | REMEMBERS | {"random"}, 48),
        ("switchable", {}, COUPLED | REMEMBERS, 52),
        ("weight", {}, set(), 17 * 24 + 2 * 24),
        ("spectral", {}, REMEMBERS | {"weight_scale_invariant"}, 17 * 24 + 24),
        ("weight_standardized", {}, {"row_shift_invariant"}, 17 * 24 + 2 * 24),
        ("weight_mean_only_batch", {}, COUPLED | {"feature_shift_invariant"} | REMEMBERS, 17 * 24 + 2 * 24),
    ],
)
def test_traits_are_those_of_the_formula(
    target: str, options: dict[str, Any], expected: set[str], parameters: int
) -> None:
    traits = measure_traits(subject_of(target, options=options))
    assert true_ones(traits) == expected
    assert traits.parameters == parameters
    assert (traits.weight_scale_invariant is None) == (subject_of(target).kind == "activation")


class Sigmoid(nn.Module):
    """Saturates where inputs are large; neither shift nor scale leaves it."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.sigmoid(inputs)


class FromZero(nn.Module):
    """Layer norm whose γ starts at 0: fresh, its output is 0 whatever comes in."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.layer = nn.LayerNorm(num_features)
        nn.init.zeros_(self.layer.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs)


class Dropping(nn.Module):
    """Dropout, which draws from the global generator."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        return nn.functional.dropout(inputs, training=self.training)


class Jitter(nn.Module):
    """Noise in training from a generator that stacks."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.random = CounterRandom()

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + self.random.uniform(inputs) if self.training else inputs


class HiddenMean(nn.Module):
    """A running mean in a plain attribute."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.mean = torch.zeros(num_features, dtype=torch.float64)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * inputs.mean(0)
        return inputs - self.mean


class MostlyMaximum(nn.Module):
    """Rows meet in a maximum alone, which one far row decides."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs / inputs.abs().amax(0).clamp_min(3)


class Float32Only(nn.Module):
    """Multiplies with a matrix of its own, which is float32."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.matrix = [torch.eye(num_features)]

    def forward(self, inputs: Tensor) -> Tensor:
        return nn.functional.layer_norm(inputs @ self.matrix[0], inputs.shape[1:])


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        (Sigmoid, set()),
        (FromZero, ROW),
        (Jitter, {"random", "training_differs_from_evaluation"}),
        (HiddenMean, COUPLED | REMEMBERS),
        (MostlyMaximum, COUPLED_ALWAYS),
        (Float32Only, ROW),
        (Dropping, {"random", "training_differs_from_evaluation"}),
    ],
)
def test_behaviour_tells_whatever_it_is_made_of(factory: Callable[..., nn.Module], expected: set[str]) -> None:
    assert true_ones(measure_traits(subject_of(factory))) == expected
