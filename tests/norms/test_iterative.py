"""Whitening by Newton–Schulz: what it converges to, at both ends of its groups, and in the range of float32."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bnbench.errors import UserError
from bnbench.norms import choose_norm
from bnbench.norms.iterative import MOST_ITERATIONS, inverse_square_root
from bnbench.seeding import one_thread

BuildLayer = Callable[..., nn.Module]


def correlated(num_rows: int, width: int, *, condition: float, dtype: torch.dtype = torch.float64) -> Tensor:
    """Rows of features whose standard deviations along rotated axes span a factor of √condition."""
    stream = torch.Generator().manual_seed(0)
    rotation = torch.linalg.qr(torch.randn(width, width, generator=stream, dtype=torch.float64)).Q
    deviations = torch.logspace(0, 0.5, width, base=condition, dtype=torch.float64)
    return (torch.randn(num_rows, width, generator=stream, dtype=torch.float64) * deviations @ rotation.T).to(dtype)


def as_made(num_features: int, **options: float) -> nn.Module:
    """A layer whose γ and β are at their start, 1 and 0."""
    return choose_norm({"name": "iterative", **options}).maker(0)(num_features)


def covariance_of(values: Tensor) -> Tensor:
    return values.T.cov(correction=0).reshape(values.shape[1], values.shape[1])


def test_result_approaches_the_inverse_square_root_of_the_eigendecomposition() -> None:
    covariance = covariance_of(correlated(200, 8, condition=5.0))
    values, vectors = torch.linalg.eigh(covariance + 1e-5 * torch.eye(8, dtype=torch.float64))
    exact = vectors * values.rsqrt() @ vectors.T
    offset = torch.full((1, 1, 1), 1e-5, dtype=torch.float64)
    errors = [
        (inverse_square_root(covariance.unsqueeze(0), offset=offset, num_iterations=steps)[0] - exact).abs().max()
        for steps in (2, 5, 8, 12)
    ]
    assert errors[0] > 2 * errors[1] > 20 * errors[2]
    assert errors[3] < 1e-12


@pytest.mark.parametrize("num_groups", [1, 2, 4])
def test_covariance_of_the_outputs_is_the_identity_in_every_group(num_groups: int) -> None:
    """At the default five steps, of features whose variances differ little."""
    width = 12 // num_groups
    x = torch.cat([correlated(300, width, condition=2.0) * (group + 1) for group in range(num_groups)], dim=1)
    outputs = as_made(12, num_groups=num_groups).double()(x)
    for part in outputs.split(width, dim=1):
        identity = torch.eye(width, dtype=torch.float64)
        torch.testing.assert_close(covariance_of(part), identity, rtol=0, atol=0.05)


def test_as_many_groups_as_features_are_batch_norm(build_layer: BuildLayer, rows: Tensor) -> None:
    iterative, batch = build_layer("iterative", num_groups=12), build_layer("batch")
    torch.testing.assert_close(iterative(rows), batch(rows), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(iterative.get_buffer("running_mean"), batch.get_buffer("running_mean"))


@pytest.mark.parametrize("factor", [1e-38, 1e-25, 1e-3, 1e25, 1e36])
def test_products_stay_in_the_range_of_float32(factor: float) -> None:
    x = (correlated(16, 12, condition=5.0, dtype=torch.float32) * factor).requires_grad_()
    layer = as_made(12)
    outputs = layer(x)
    (outputs * torch.linspace(-1, 1, outputs.numel()).view_as(outputs)).sum().backward()
    found = [outputs, x.grad, *(parameter.grad for parameter in layer.parameters()), *layer.buffers()]
    assert all(torch.isfinite(tensor).all() for tensor in found if tensor is not None)
    if factor >= 1:
        torch.testing.assert_close(outputs, as_made(12, eps=1e-30)(x.detach() / factor), rtol=1e-4, atol=1e-4)


def test_rounding_does_not_grow_with_the_iterations() -> None:
    """Features nearly dependent, in float32: the paper's P ← (3 P − P³ S) / 2, written out, is lost here."""
    covariance = covariance_of(correlated(200, 8, condition=1e4)).unsqueeze(0)
    offset = torch.full((1, 1, 1), 1e-5)
    exact = inverse_square_root(covariance, offset=offset.double(), num_iterations=40)
    single = inverse_square_root(covariance.float(), offset=offset, num_iterations=40)
    assert (single.double() - exact).abs().max() < 1e-2 * exact.abs().max()


@pytest.mark.parametrize("num_groups", [1, 2, 9, 36])
@pytest.mark.parametrize("training", [True, False])
def test_bits_do_not_depend_on_the_stack_whatever_the_groups(
    build_layer: BuildLayer, num_groups: int, training: bool
) -> None:
    layer = build_layer("iterative", 36, dtype=torch.float32, num_groups=num_groups).train(training)
    inputs = torch.randn(5, 7, 36, generator=torch.Generator().manual_seed(0))
    state = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}

    def results(x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.clone().requires_grad_()
        stacked = {key: torch.stack([value.detach()] * len(x)) for key, value in state.items()}
        outputs = torch.vmap(lambda state, x: torch.func.functional_call(layer, state, (x,)))(stacked, x)
        return outputs.detach(), *torch.autograd.grad(outputs.sin().sum(), x)

    with one_thread():
        for together, alone in zip(results(inputs), results(inputs[3:4]), strict=True):
            assert torch.equal(together[3:4], alone)


@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize("num_rows", [2, 60])
def test_most_iterations_are_finite_where_a_batch_does_not_span_its_features(num_rows: int, scale: float) -> None:
    x = torch.randn(num_rows, 100, generator=torch.Generator().manual_seed(0)) * scale
    x.requires_grad_()
    layer = as_made(100, num_groups=1, num_iterations=MOST_ITERATIONS)
    outputs = layer(x)
    outputs.sin().sum().backward()
    assert all(torch.isfinite(tensor).all() for tensor in (outputs, x.grad, *layer.buffers()) if tensor is not None)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_layer_in_half_precision_whitens_in_float32(dtype: torch.dtype) -> None:
    x = (correlated(64, 12, condition=5.0) + 100).to(dtype)
    half, single = as_made(12).to(dtype), as_made(12)
    for training in (True, False):
        outputs = half.train(training)(x)
        assert outputs.dtype == dtype
        # in evaluation the running mean itself is rounded to half precision
        atol = 8 * torch.finfo(dtype).eps * (1 if training else 100)
        torch.testing.assert_close(outputs.float(), single.train(training)(x.float()), rtol=0, atol=atol)


@pytest.mark.parametrize("num_iterations", [0, -1, MOST_ITERATIONS + 1])
def test_numbers_of_iterations_that_cannot_work_are_refused(num_iterations: int) -> None:
    with pytest.raises(UserError, match=rf"iterative.*num_iterations={num_iterations}: expected between 1 and 20"):
        as_made(12, num_iterations=num_iterations)
