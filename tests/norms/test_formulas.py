"""Every norm against a float64 NumPy formula and torch's own layer, in training and evaluation; gradcheck.

The formulas lie in `oracles/`, a file per norm: `OPTIONS`, the sets of options it is checked at beside the defaults;
`formula(x, parameters, state, options, training)`, which moves `state` as training does; where torch has the layer,
`torch_layer(layer, options)`, whose parameters of the same name are then set to ours, but for the sets of options in
`ONLY_OURS`. `GRADCHECK = False` is for a norm that stops a gradient on purpose.
"""

from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bnbench.norms import NORMS
from bnbench.seeding import CounterRandom

BuildLayer = Callable[..., nn.Module]
MakeInputs = Callable[..., Tensor]


def load(path: Path) -> ModuleType:
    spec = spec_from_file_location(f"oracle_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ORACLES = {path.stem: load(path) for path in sorted((Path(__file__).parent / "oracles").glob("*.py"))}
CASES = [
    pytest.param(name, options, id="-".join([name, *(f"{key}={value}" for key, value in options.items())]))
    for name, oracle in ORACLES.items()
    for options in [{}, *oracle.OPTIONS]
    if options or {} not in oracle.OPTIONS or oracle.OPTIONS == [{}]
]
IN_TORCH = [
    case
    for case in CASES
    if hasattr(ORACLES[case.values[0]], "torch_layer")
    and case.values[1] not in getattr(ORACLES[case.values[0]], "ONLY_OURS", [])
]
SMOOTH = [case for case in CASES if getattr(ORACLES[case.values[0]], "GRADCHECK", True)]


def batches(name: str, make_inputs: MakeInputs) -> list[Tensor]:
    """Three to train on and one to evaluate."""
    x = make_inputs(7 if NORMS.get(name).kind == "weight" else 12)
    return [x * number - number for number in (1, 2, 3, 4)]


def arrays_of(tensors: Any) -> dict[str, np.ndarray]:
    return {key: value.detach().numpy().copy() for key, value in tensors}


def test_every_registered_norm_has_an_oracle_and_every_oracle_a_norm() -> None:
    assert set(ORACLES) == set(NORMS.names())


@pytest.mark.parametrize(("name", "options"), CASES)
def test_outputs_and_state_are_those_of_the_formula(
    build_layer: BuildLayer, make_inputs: MakeInputs, name: str, options: dict[str, Any]
) -> None:
    """Over three training batches and an evaluation."""
    layer = build_layer(name, **options)
    given = NORMS.get(name).defaults() | options
    parameters, state = arrays_of(layer.named_parameters()), arrays_of(layer.named_buffers())
    streams = [place for place, module in layer.named_modules() if isinstance(module, CounterRandom)]
    for number, x in enumerate(batches(name, make_inputs)):
        training = number < 3
        outputs = layer.train(training)(x)
        expected = ORACLES[name].formula(x.numpy(), parameters, state, given, training)
        np.testing.assert_allclose(outputs.detach().numpy(), expected, rtol=1e-10, atol=1e-12)
        for key, buffer in layer.named_buffers():
            if key.rpartition(".")[0] not in streams:
                np.testing.assert_allclose(buffer.numpy(), state[key], rtol=1e-10, atol=1e-12, err_msg=key)


def with_parameters_of(layer: nn.Module, other: nn.Module) -> nn.Module:
    with torch.no_grad():
        for name, parameter in other.double().named_parameters():
            if name in dict(layer.named_parameters()):
                parameter.copy_(layer.get_parameter(name))
    return other


@pytest.mark.parametrize(("name", "options"), IN_TORCH)
def test_outputs_and_gradients_are_those_of_torchs_layer(
    build_layer: BuildLayer, make_inputs: MakeInputs, name: str, options: dict[str, Any]
) -> None:
    """Over three training batches and an evaluation."""
    layer = build_layer(name, **options)
    other = with_parameters_of(layer, ORACLES[name].torch_layer(layer, NORMS.get(name).defaults() | options))
    for number, x in enumerate(batches(name, make_inputs)):
        training = number < 3
        mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
        outputs, expected = layer.train(training)(mine), other.train(training)(theirs)
        torch.testing.assert_close(outputs, expected, rtol=1e-11, atol=1e-12)
        outputs.sin().sum().backward()
        expected.sin().sum().backward()
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "options"), SMOOTH)
def test_gradients_are_those_of_finite_differences(
    build_layer: BuildLayer, make_inputs: MakeInputs, name: str, options: dict[str, Any], training: bool
) -> None:
    layer = build_layer(name, **options)
    first, second, *_ = batches(name, make_inputs)
    layer(first)  # running statistics that are not those of the start
    layer.train(training)
    names = [key for key, _ in layer.named_parameters()]
    buffers = {key: value.clone() for key, value in layer.named_buffers()}

    def function(x: Tensor, *parameters: Tensor) -> Tensor:
        state = {key: value.clone() for key, value in buffers.items()}  # every evaluation from the same state
        return torch.func.functional_call(layer, {**state, **dict(zip(names, parameters, strict=True))}, (x,))

    x = second[:4].clone().requires_grad_()
    parameters = [parameter.detach().clone().requires_grad_() for parameter in layer.parameters()]
    # gradients that are None are left out: batch norm's hook, which brings them into one piece, is not meant for them
    assert torch.autograd.gradcheck(function, (x, *parameters), check_undefined_grad=False)


@pytest.mark.parametrize("name", NORMS.names())
def test_evaluation_moves_no_state(build_layer: BuildLayer, make_inputs: MakeInputs, name: str) -> None:
    layer = build_layer(name).eval()
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    layer(batches(name, make_inputs)[0])
    assert all(torch.equal(before[key], value) for key, value in layer.state_dict().items())
