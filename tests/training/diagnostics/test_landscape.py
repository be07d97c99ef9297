"""Santurkar's probes: closed forms on a quadratic loss, and a network by plain autograd."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from bnbench.training.diagnostics.landscape import STEPS, measure_landscape, probe_landscape
from bnbench.training.diagnostics.moment import Moment

MomentOf = Callable[..., Moment]


def quadratic(matrices: Tensor) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """L = ½ wᵀ A w, g = A w, per replica."""

    def loss_and_gradient(weights: Tensor) -> tuple[Tensor, Tensor]:
        gradient = (matrices @ weights[:, :, None]).squeeze(2)
        return (weights * gradient).sum(1) / 2, gradient

    return loss_and_gradient


def symmetric(seed: int, *, replicas: int, size: int) -> Tensor:
    values = torch.randn(replicas, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values + values.mT


def test_a_quadratic_loss_has_the_landscape_of_its_closed_form() -> None:
    matrices, rates = symmetric(0, replicas=3, size=5), torch.tensor([0.01, 0.02, 0.05], dtype=torch.float64)
    weights = torch.randn(3, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = probe_landscape(quadratic(matrices), weights, rates)
    for replica, (matrix, rate) in enumerate(zip(matrices.numpy(), rates.tolist(), strict=True)):
        at = weights[replica].numpy()
        gradient = matrix @ at
        losses = [(at - a * rate * gradient) @ matrix @ (at - a * rate * gradient) / 2 for a in STEPS]
        bend = np.linalg.norm(matrix @ gradient)
        length = np.linalg.norm(gradient)
        expected = {
            "loss_range": max(losses) - min(losses),
            "gradient_predictiveness": (max(STEPS) - min(STEPS)) * rate * bend,
            "effective_smoothness": bend / length,
            "relative_loss_range": (max(losses) - min(losses)) / (at @ gradient / 2),
            "relative_gradient_change": max(STEPS) * rate * bend / length,
            "relative_smoothness": bend / length * np.linalg.norm(at) / length,
        }
        for name, value in expected.items():
            assert getattr(found, name)[replica].item() == pytest.approx(value, rel=1e-9), name


def test_along_the_steepest_eigenvector_the_smoothness_is_the_top_curvature() -> None:
    matrices = symmetric(2, replicas=2, size=6)
    curvatures, directions = torch.linalg.eigh(matrices)
    steepest = curvatures.abs().argmax(1)
    weights = torch.stack([directions[replica, :, place] for replica, place in enumerate(steepest.tolist())])
    found = probe_landscape(quadratic(matrices), weights, torch.full((2,), 0.1, dtype=torch.float64))
    expected = [curvatures[replica, place].abs().item() for replica, place in enumerate(steepest.tolist())]
    np.testing.assert_allclose(found.effective_smoothness, expected, rtol=1e-9)


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_relative_probes_do_not_change_with_the_scale_of_weights_under_a_norm(scale: float) -> None:
    def of_the_direction(weights: Tensor) -> tuple[Tensor, Tensor]:
        point = weights.clone().requires_grad_()
        unit = point / point.norm(dim=1, keepdim=True)
        loss = (unit * unit.roll(1, 1)).sum(1) + unit[:, 0] + 3
        (gradient,) = torch.autograd.grad(loss.sum(), point)
        return loss.detach(), gradient

    weights = torch.randn(2, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    rates = torch.full((2,), 0.1, dtype=torch.float64)
    plain = probe_landscape(of_the_direction, weights, rates)
    # the gradient shrinks as the weights grow, so the rate of the same relative step grows with their square
    scaled = probe_landscape(of_the_direction, scale * weights, scale**2 * rates)
    for name in ("relative_loss_range", "relative_gradient_change", "relative_smoothness"):
        np.testing.assert_allclose(getattr(scaled, name), getattr(plain, name), rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(scaled.effective_smoothness * scale**2, plain.effective_smoothness, rtol=1e-9)


def test_a_flat_place_has_a_range_of_zero_and_no_smoothness() -> None:
    found = probe_landscape(quadratic(torch.zeros(1, 3, 3)), torch.ones(1, 3), torch.ones(1))
    assert found.loss_range.tolist() == found.gradient_predictiveness.tolist() == [0.0]
    assert found.effective_smoothness.isnan().all()


def test_a_network_is_probed_on_the_minibatch_of_the_step_from_the_weights_before_it(moment_of: MomentOf) -> None:
    moment = moment_of("batch", steps=3, model__activation="tanh")
    assert moment.weights_before is not None
    found = {name: values for name, _, values in measure_landscape(moment)}
    for replica in range(3):
        held = {name: stack[replica] for name, stack in moment.weights_before.items()}
        inputs, labels = moment.minibatch.inputs[replica], moment.minibatch.labels[replica]

        def loss_and_gradient(point: dict[str, Tensor], inputs: Tensor = inputs, labels: Tensor = labels) -> tuple:
            point = {name: value.clone().requires_grad_() for name, value in point.items()}
            hidden = inputs
            for layer in ("hidden.0", "hidden.1"):
                hidden = hidden @ point[f"{layer}.linear.weight"].T + point[f"{layer}.linear.bias"]
                hidden = (hidden - hidden.mean(0)) / (hidden.var(0, correction=0) + 1e-5).sqrt()
                hidden = torch.tanh(hidden * point[f"{layer}.norm.weight"] + point[f"{layer}.norm.bias"])
            outputs = hidden @ point["output.weight"].T + point["output.bias"]
            loss = torch.nn.functional.cross_entropy(outputs, labels)
            gradients = torch.autograd.grad(loss, list(point.values()))
            return loss.item(), dict(zip(point, gradients, strict=True))

        loss, gradient = loss_and_gradient(held)
        losses, changes, distances = [], [], []
        for step in STEPS:
            there = {name: value - step * 0.1 * gradient[name] for name, value in held.items()}
            loss_there, gradient_there = loss_and_gradient(there)
            losses.append(loss_there)
            changes.append(sum((gradient_there[name] - gradient[name]).square().sum() for name in held) ** 0.5)
            distances.append(sum((there[name] - held[name]).square().sum() for name in held) ** 0.5)
        slopes = [change / distance for change, distance in zip(changes, distances, strict=True)]
        assert found["loss_range"][replica].item() == pytest.approx(max(losses) - min(losses), rel=1e-6)
        assert found["relative_loss_range"][replica].item() == pytest.approx((max(losses) - min(losses)) / loss)
        assert found["gradient_predictiveness"][replica].item() == pytest.approx(float(max(changes) - min(changes)))
        assert found["effective_smoothness"][replica].item() == pytest.approx(float(max(slopes)))


def test_before_the_first_step_the_initial_weights_are_probed(moment_of: MomentOf) -> None:
    moment = moment_of("none")
    assert moment.weights_before is None
    found = {name: values for name, _, values in measure_landscape(moment)}
    assert all((values > 0).all() for values in found.values())
