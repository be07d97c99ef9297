"""The Linear and the dropouts that stack."""

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from bnbench.functional import linear
from bnbench.models.layers import StackableAlphaDropout, StackableDropout, StackableLinear
from bnbench.seeding import key_random_streams, one_thread


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("rows", "inputs", "outputs"), [(5, 4, 3), (5, 4, 1), (1, 4, 3), (1, 1, 1), (5, 1, 3), (2, 3, 2)]
)
def test_linear_is_torchs_alone_and_stacked(rows: int, inputs: int, outputs: int, bias: bool) -> None:
    x, weight = random(4, rows, inputs), random(4, outputs, inputs, seed=1)
    shift = random(4, outputs, seed=2) if bias else None
    expected = torch.stack(
        [nn.functional.linear(x[k], weight[k], None if shift is None else shift[k]) for k in range(4)]
    )
    alone = torch.stack([linear(x[k], weight[k], None if shift is None else shift[k]) for k in range(4)])
    torch.testing.assert_close(alone, expected)
    if shift is None:
        stacked = torch.vmap(lambda x, weight: linear(x, weight, None))(x, weight)
    else:
        stacked = torch.vmap(linear)(x, weight, shift)
    torch.testing.assert_close(stacked, expected)


@pytest.mark.parametrize("outputs", [1, 3])
def test_gradients_of_linear_are_those_of_finite_differences(outputs: int) -> None:
    operands = [random(2, 5, 4), random(2, outputs, 4, seed=1), random(2, outputs, seed=2)]
    operands = [operand.requires_grad_() for operand in operands]
    assert torch.autograd.gradcheck(torch.vmap(linear), operands)
    assert torch.autograd.gradcheck(linear, [operand[0].detach().requires_grad_() for operand in operands])


SIZES = list(product((2, 7, 60), (1, 13, 100), (1, 3, 10, 36)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("rows", "inputs", "outputs"), SIZES)
def test_bits_of_linear_do_not_depend_on_the_stack(rows: int, inputs: int, outputs: int, dtype: torch.dtype) -> None:
    operands = [random(9, rows, inputs, dtype=dtype), random(9, outputs, inputs, seed=1, dtype=dtype)]
    operands.append(random(9, outputs, seed=2, dtype=dtype))

    def results(part: slice) -> list[Tensor]:
        leaves = [operand[part].clone().requires_grad_() for operand in operands]
        values = torch.vmap(linear)(*leaves)
        return [values.detach(), *torch.autograd.grad(values.sin().sum(), leaves)]

    with one_thread():
        whole = results(slice(0, 9))
        for part in (slice(0, 1), slice(8, 9), slice(2, 5), slice(1, 8)):
            for one, other in zip(whole, results(part), strict=True):
                assert torch.equal(one[part], other)


@pytest.mark.parametrize("bias", [True, False])
def test_stackable_linear_holds_the_very_parameters(bias: bool) -> None:
    module = nn.Linear(4, 3, bias=bias)
    layer = StackableLinear.taking_over(module)
    assert layer.weight is module.weight
    assert layer.bias is module.bias
    assert list(layer.state_dict()) == list(module.state_dict())
    torch.testing.assert_close(layer(torch.ones(2, 4)), module(torch.ones(2, 4)))


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.5, 0.9])
def test_dropout_drops_at_its_rate_and_keeps_the_mean(probability: float) -> None:
    layer = StackableDropout(probability)
    key_random_streams(layer, 0)
    count = 200_000
    outputs = layer(torch.full((count,), 3.0))
    kept = outputs != 0
    spread = (probability * (1 - probability) / count) ** 0.5
    assert abs(1 - kept.double().mean() - probability) <= 4 * spread
    torch.testing.assert_close(outputs[kept], torch.full((int(kept.sum()),), 3.0 / (1 - probability)))


@pytest.mark.parametrize("probability", [0.05, 0.5, 0.9])
def test_alpha_dropout_drops_at_its_rate_to_the_values_of_torchs(probability: float) -> None:
    layer, torchs = StackableAlphaDropout(probability).double(), nn.AlphaDropout(probability)
    key_random_streams(layer, 0)
    count = 200_000
    inputs = torch.full((count,), 3.0, dtype=torch.float64)
    outputs = layer(inputs)
    torch.manual_seed(0)
    torch.testing.assert_close(outputs.unique(), torchs(inputs).unique())
    kept = outputs == outputs.max()
    spread = (probability * (1 - probability) / count) ** 0.5
    assert abs(1 - kept.double().mean() - probability) <= 4 * spread


@pytest.mark.parametrize("probability", [0.05, 0.5])
def test_alpha_dropout_keeps_mean_0_and_variance_1(probability: float) -> None:
    """As torch's does, on as many numbers; within 5 standard errors, the kurtosis of what comes out included."""
    layer, torchs = StackableAlphaDropout(probability), nn.AlphaDropout(probability)
    key_random_streams(layer, 0)
    torch.manual_seed(1)  # not the stream of the inputs
    x = random(400_000)
    for outputs in (layer(x), torchs(x)):
        assert abs(outputs.mean()) <= 5 / len(x) ** 0.5
        fourth = ((outputs - outputs.mean()) ** 4).mean()
        assert abs(outputs.var() - 1) <= 5 * ((fourth - 1) / len(x)) ** 0.5


def test_bits_of_alpha_dropout_do_not_depend_on_the_stack() -> None:
    layer = StackableAlphaDropout(0.3)
    key_random_streams(layer, 0)
    x = random(9, 13, 7, dtype=torch.float32)
    state = {name: buffer + torch.arange(9, dtype=torch.int32) for name, buffer in layer.named_buffers()}

    def outputs_of(part: slice) -> Tensor:
        own = {name: buffer[part].clone() for name, buffer in state.items()}
        return torch.vmap(lambda state, x: torch.func.functional_call(layer, state, (x,)))(own, x[part].clone())

    whole = outputs_of(slice(0, 9))
    for part in (slice(0, 1), slice(8, 9), slice(2, 5)):
        assert torch.equal(whole[part], outputs_of(part))


@pytest.mark.parametrize(("ours", "torchs"), [(StackableDropout, nn.Dropout), (StackableAlphaDropout, nn.AlphaDropout)])
def test_dropout_of_everything_leaves_zeros(ours: type[nn.Module], torchs: type[nn.Module]) -> None:
    x = random(5, 4)
    assert torch.equal(torchs(1.0)(x), torch.zeros_like(x))
    assert torch.equal(ours(1.0)(x), torch.zeros_like(x))


@pytest.mark.parametrize("dropout", [StackableDropout, StackableAlphaDropout])
def test_dropout_draws_anew_at_every_step_and_not_in_evaluation(dropout: type[nn.Module]) -> None:
    layer = dropout(0.5)
    key_random_streams(layer, 0)
    x = torch.ones(100)
    first, second = layer(x), layer(x)
    assert not torch.equal(first, second)
    layer.eval()
    step = layer.random.step.clone()
    assert torch.equal(layer(x), x)
    assert torch.equal(layer.random.step, step)
