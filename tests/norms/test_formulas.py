"""Every norm against torch's own layer and a float64 NumPy formula, in training and evaluation; gradcheck."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from bnbench.norms import NORMS

Array = npt.NDArray[np.float64]
Formula = Callable[[Array, dict[str, Array], dict[str, Any]], Array]


def normalized(values: Array, *, axis: int, eps: float) -> Array:
    centred = values - values.mean(axis, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis, keepdims=True) + eps)


def affine(values: Array, state: dict[str, Array]) -> Array:
    return values * state.get("weight", np.float64(1)) + state.get("bias", np.float64(0))


def batch_formula(x: Array, state: dict[str, Array], options: dict[str, Any]) -> Array:
    return affine(normalized(x, axis=0, eps=options["eps"]), state)


def layer_formula(x: Array, state: dict[str, Array], options: dict[str, Any]) -> Array:
    return affine(normalized(x, axis=1, eps=options["eps"]), state)


def group_formula(x: Array, state: dict[str, Array], options: dict[str, Any]) -> Array:
    groups = x.reshape(len(x), options["num_groups"], -1)
    return affine(normalized(groups, axis=2, eps=options["eps"]).reshape(x.shape), state)


def instance_formula(x: Array, state: dict[str, Array], options: dict[str, Any]) -> Array:
    channels = normalized(x.reshape(len(x), options["num_channels"], -1), axis=2, eps=options["eps"])
    per_channel = {name: values[:, None] for name, values in state.items()}
    return affine(channels, per_channel).reshape(x.shape)


def rms_formula(x: Array, state: dict[str, Array], options: dict[str, Any]) -> Array:
    return affine(x / np.sqrt((x**2).mean(1, keepdims=True) + options["eps"]), state)


def weight_formula(x: Array, state: dict[str, Array], options: dict[str, Any]) -> Array:
    direction = state["direction"]
    weight = state["length"][:, None] * direction / np.sqrt((direction**2).sum(1, keepdims=True))
    return x @ weight.T + state["bias"]


class InstanceOnView(nn.Module):
    """Torch's layer on (batch, channels, length)."""

    def __init__(self, num_channels: int, *, eps: float, affine: bool) -> None:
        super().__init__()
        self.num_channels = num_channels
        self.norm = nn.InstanceNorm1d(num_channels, eps=eps, affine=affine)
        self.weight, self.bias = self.norm.weight, self.norm.bias

    def forward(self, inputs: Tensor) -> Tensor:
        return self.norm(inputs.view(len(inputs), self.num_channels, -1)).flatten(1)


def torch_weight_norm(layer: nn.Module) -> nn.Module:
    linear = weight_norm(nn.Linear(7, 12).double())
    with torch.no_grad():
        linear.parametrizations.weight.original0.copy_(layer.length.unsqueeze(1))
        linear.parametrizations.weight.original1.copy_(layer.direction)
        linear.bias.copy_(layer.bias)
    return linear


def with_parameters_of(layer: nn.Module, oracle: nn.Module) -> nn.Module:
    oracle = oracle.double()
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            oracle.get_parameter(name).copy_(parameter)
    return oracle


# options, NumPy formula, and torch's layer with the parameters of ours
CASES: list[tuple[str, dict[str, Any], Formula, Callable[[nn.Module, dict[str, Any]], nn.Module]]] = [
    ("none", {}, lambda x, state, options: x, lambda layer, options: nn.Identity()),
    (
        "batch",
        {"eps": 1e-3, "momentum": 0.3},
        batch_formula,
        lambda layer, options: with_parameters_of(layer, nn.BatchNorm1d(12, **options)),
    ),
    ("weight", {}, weight_formula, lambda layer, options: torch_weight_norm(layer)),
]
for with_affine in (True, False):
    both = {"eps": 1e-3, "affine": with_affine}
    own = {"eps": 1e-3, "elementwise_affine": with_affine}
    CASES += [
        ("layer", both, layer_formula, lambda layer, o, own=own: with_parameters_of(layer, nn.LayerNorm(12, **own))),
        ("rms", both, rms_formula, lambda layer, o, own=own: with_parameters_of(layer, nn.RMSNorm(12, **own))),
    ]
    CASES += [
        (
            "group",
            {"num_groups": groups, **both},
            group_formula,
            lambda layer, o: with_parameters_of(
                layer, nn.GroupNorm(o["num_groups"], 12, eps=o["eps"], affine=o["affine"])
            ),
        )
        for groups in (1, 3, 4)
    ]
    CASES += [
        (
            "instance",
            {"num_channels": channels, **both},
            instance_formula,
            lambda layer, o: with_parameters_of(
                layer, InstanceOnView(o["num_channels"], eps=o["eps"], affine=o["affine"])
            ),
        )
        for channels in (1, 2, 6)
    ]
IDS = [f"{name}-{'-'.join(map(str, options.values()))}" for name, options, _, _ in CASES]


def inputs_for(name: str, make_inputs: Callable[..., Tensor]) -> Tensor:
    return make_inputs(7 if NORMS.get(name).kind == "weight" else 12)


def test_every_registered_norm_has_an_oracle() -> None:
    assert {name for name, *_ in CASES} == set(NORMS.names())


@pytest.mark.parametrize(("name", "options", "formula", "_oracle"), CASES, ids=IDS)
def test_training_output_is_that_of_the_formula(
    build_layer: Callable[..., nn.Module],
    make_inputs: Callable[..., Tensor],
    name: str,
    options: dict[str, Any],
    formula: Formula,
    _oracle: object,
) -> None:
    layer, x = build_layer(name, **options), inputs_for(name, make_inputs)
    state = {key: value.detach().numpy() for key, value in layer.named_parameters()}
    np.testing.assert_allclose(layer(x).detach().numpy(), formula(x.numpy(), state, options), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("name", "options", "_formula", "oracle"), CASES, ids=IDS)
def test_outputs_gradients_and_state_are_those_of_torchs_layer(
    build_layer: Callable[..., nn.Module],
    make_inputs: Callable[..., Tensor],
    name: str,
    options: dict[str, Any],
    _formula: object,
    oracle: Callable[[nn.Module, dict[str, Any]], nn.Module],
) -> None:
    """Over three training batches and an evaluation."""
    layer = build_layer(name, **options)
    other = oracle(layer, options)
    for number in range(4):
        x = inputs_for(name, make_inputs) * (1 + number) - number
        if number == 3:
            layer.eval()
            other.eval()
        mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
        outputs, expected = layer(mine), other(theirs)
        torch.testing.assert_close(outputs, expected, rtol=1e-11, atol=1e-12)
        (outputs.sin().sum()).backward()
        (expected.sin().sum()).backward()
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "options", "_formula", "_oracle"), CASES, ids=IDS)
def test_gradients_are_those_of_finite_differences(
    build_layer: Callable[..., nn.Module],
    make_inputs: Callable[..., Tensor],
    name: str,
    options: dict[str, Any],
    _formula: object,
    _oracle: object,
    training: bool,
) -> None:
    layer = build_layer(name, **options)
    layer(inputs_for(name, make_inputs))  # running statistics that are not those of the start
    layer.train(training)
    names = [key for key, _ in layer.named_parameters()]

    def function(x: Tensor, *parameters: Tensor) -> Tensor:
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    x = inputs_for(name, make_inputs)[:4].clone().requires_grad_()
    parameters = [parameter.detach().clone().requires_grad_() for parameter in layer.parameters()]
    # gradients that are None are left out: batch norm's hook, which brings them into one piece, is not meant for them
    assert torch.autograd.gradcheck(function, (x, *parameters), check_undefined_grad=False)


@pytest.mark.parametrize("momentum", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("num_rows", [2, 9, 60])
def test_running_statistics_of_batch_norm_are_torchs(
    build_layer: Callable[..., nn.Module], make_inputs: Callable[..., Tensor], momentum: float, num_rows: int
) -> None:
    layer, torchs = build_layer("batch", momentum=momentum), nn.BatchNorm1d(12, momentum=momentum).double()
    for number in range(3):
        x = make_inputs(12, num_rows) * (1 + number)
        layer(x)
        torchs(x)
    torch.testing.assert_close(layer.get_buffer("running_mean"), torchs.running_mean, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(layer.get_buffer("running_variance"), torchs.running_var, rtol=1e-12, atol=1e-14)


def test_evaluation_moves_no_state(build_layer: Callable[..., nn.Module], make_inputs: Callable[..., Tensor]) -> None:
    for name in NORMS.names():
        layer = build_layer(name).eval()
        before = {key: value.clone() for key, value in layer.state_dict().items()}
        layer(inputs_for(name, make_inputs))
        assert all(torch.equal(before[key], value) for key, value in layer.state_dict().items()), name
