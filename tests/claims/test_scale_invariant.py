"""Training of scale-invariant weights, and what A15 and A16 derive of it, against plain loops and random walks."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bnbench.claims.catalogue import A15_exp_lr_equivalence as a15
from bnbench.claims.catalogue import A16_angular_equilibrium as a16
from bnbench.claims.claim import Setting
from bnbench.claims.scale_invariant import digits, rows_of, scale_invariant_networks, train
from bnbench.records import Record
from bnbench.training.data_order import DataOrder

TASK = digits()


def test_nothing_but_the_hidden_weights_trains_and_their_length_is_not_seen() -> None:
    replicas = scale_invariant_networks((0, 1), task=TASK, hidden=(8, 6), dtype=torch.float64)
    assert [tuple(stack.shape) for stack in replicas.trained] == [(2, 8, 64), (2, 6, 8)]
    inputs = TASK.validation_inputs[:30].double()  # type: ignore[union-attr]  # in memory
    with torch.no_grad():
        before = replicas.eval()(inputs)
        for stack in replicas.trained:
            stack.mul_(torch.linspace(0.2, 5.0, stack.shape[1], dtype=torch.float64).view(-1, 1))
        torch.testing.assert_close(replicas(inputs), before, rtol=1e-10, atol=1e-12)


def test_training_is_that_of_a_plain_loop_with_torchs_optimizer() -> None:
    """Written out: products, float64 batch norm by its formula, cross-entropy, torch.optim.SGD."""
    replicas = scale_invariant_networks((4,), task=TASK, hidden=(8,), dtype=torch.float64)
    names = replicas.parameter_names
    start = {name: stack[0].detach().clone() for name, stack in zip(names, replicas.parameters_stacked, strict=True)}
    weights = start["hidden.0.linear.weight"].clone().requires_grad_()
    options: dict[str, Any] = {"name": "momentum", "momentum": 0.9, "nesterov": False, "weight_decay": 0.02}
    plain = torch.optim.SGD([weights], lr=0.1, momentum=0.9, weight_decay=0.02)
    order = DataOrder((4,), num_rows=len(TASK.train_labels), batch_size=30)
    for step in range(6):
        rows = order.next_batch()[0]
        products = rows_of(TASK.train_inputs)[rows].double() @ weights.T
        centred = products - products.mean(0)
        hidden = (centred / centred.square().mean(0).sqrt()).relu()
        outputs = hidden @ start["output.weight"].T + start["output.bias"]
        plain.param_groups[0]["lr"] = 0.1 * 1.5**step
        plain.zero_grad()
        torch.nn.functional.cross_entropy(outputs, TASK.train_labels[rows]).backward()
        plain.step()
    train(
        replicas,
        task=TASK,
        seeds=(4,),
        optimizer=options,
        learning_rates=[0.1],
        schedule=lambda step: 1.5**step,
        batch_size=30,
        max_steps=6,
    )
    torch.testing.assert_close(replicas.trained[0][0].detach(), weights.detach(), rtol=1e-10, atol=1e-12)


# A15


@pytest.mark.parametrize(
    ("rate", "decay", "momentum"), [(0.1, 0.01, 0.0), (0.1, 0.01, 0.9), (0.5, 0.002, 0.5), (0.01, 0.02, 0.95)]
)
def test_shrinkage_is_the_larger_root(rate: float, decay: float, momentum: float) -> None:
    found = a15.shrinkage(rate, decay, momentum)
    roots = np.roots([1, -(1 + momentum - rate * decay), momentum])
    assert found == pytest.approx(max(roots.real), rel=1e-12)
    assert 0 < found < 1


def test_decay_too_strong_for_the_momentum_is_refused() -> None:
    """The root is real up to ηλ = (1 − √g)²: 0.0026 at 0.9."""
    assert a15.shrinkage(0.1, 0.026, 0.9) > 0
    with pytest.raises(ValueError, match=r"at most 0\.00263"):
        a15.shrinkage(0.1, 0.027, 0.9)


def heavy_ball(
    gradient: Any, start: NDArray[np.float64], *, decay: float, momentum: float, rates: NDArray[np.float64], before: Any
) -> NDArray[np.float64]:
    """Return the path of w_{t+1} = w_t − η_t(∇ + λ w_t) + g(w_t − w_{t−1}), the paper's way of writing it."""
    path = [before, start]
    for rate in rates:
        path.append(path[-1] - rate * (gradient(path[-1]) + decay * path[-1]) + momentum * (path[-1] - path[-2]))
    return np.stack(path[1:])


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_equivalence_on_a_function_of_the_direction_alone(momentum: float) -> None:
    """L(w) = vᵀw/‖w‖, whose gradient is known: the directions of both runs agree, the lengths differ by aᵗ."""
    towards = np.array([0.3, -1.0, 0.5])

    def gradient(w: NDArray[np.float64]) -> NDArray[np.float64]:
        length = np.linalg.norm(w)
        return towards / length - w * (towards @ w) / length**3

    rate, decay, steps = 0.2, 0.01, 60
    start = np.array([1.0, 0.4, -0.2])
    shrinks = a15.shrinkage(rate, decay, momentum)
    times = np.arange(steps)
    constant = np.full(steps, rate)
    growing = rate * shrinks ** (-2.0 * times - 1)
    decayed = heavy_ball(gradient, start, decay=decay, momentum=momentum, rates=constant, before=start)
    grown = heavy_ball(
        gradient, start, decay=0.0, momentum=momentum / shrinks**2, rates=growing, before=shrinks * start
    )
    np.testing.assert_allclose(decayed, grown * shrinks ** np.arange(steps + 1)[:, None], rtol=1e-9, atol=1e-12)


def test_largest_difference_is_of_each_seed_over_its_own_largest() -> None:
    one = torch.tensor([[[1.0, -2.0]], [[10.0, 0.0]]])
    other = torch.tensor([[[1.5, -2.0]], [[10.0, 1.0]]])
    assert a15.largest_difference(one, other).tolist() == pytest.approx([0.25, 0.1])


# A16


def setting(seeds: tuple[int, ...], folder: Path) -> Setting:
    def refuse(*_: Any, **__: Any) -> list[Record]:
        raise AssertionError("it trains by itself")

    return Setting(size="miniature", seeds=seeds, runs_dir=folder, say=lambda text: None, train=refuse)


@pytest.mark.parametrize("turned", [1e-6, 0.1, 3.0])
def test_angle_is_exact_small_and_large(turned: float) -> None:
    one = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    other = torch.tensor([[math.cos(turned), math.sin(turned)]], dtype=torch.float64)
    assert a16.angle(one, other).item() == pytest.approx(turned, rel=1e-9)


def test_slope_is_that_of_a_power_of_rate_over_decay() -> None:
    lengths = {
        (rate, decay): np.array([0.3, 1.0]) * math.log(rate / decay) + 0.1 * math.log(rate * decay)
        for rate, decay in a16.CELLS
    }
    # over a full grid the product of the two does not enter
    np.testing.assert_allclose(a16.slope(lengths, a16.CELLS), [0.3, 1.0], rtol=1e-12)
    np.testing.assert_allclose(a16.slope(lengths, a16.SAME_PRODUCT), [0.3, 1.0], rtol=1e-12)


def test_equilibrium_of_a_random_walk_of_scale_invariant_weights() -> None:
    """Gradients at random, orthogonal and 1/‖w‖ long: ‖w‖⁴ = η/(2λ) and an angle of √(2ηλ), as in the claim."""
    random, rate, decay, size = np.random.default_rng(0), 0.2, 0.02, 300
    weights = random.standard_normal(size) / math.sqrt(size)
    lengths, squared_angles = [], []
    for step in range(3000):
        direction = weights / np.linalg.norm(weights)
        noise = random.standard_normal(size)
        noise -= direction * (noise @ direction)
        gradient = noise / np.linalg.norm(noise) / np.linalg.norm(weights)
        weights = weights - rate * (gradient + decay * weights)
        if step > 1000:
            turned = torch.tensor(np.stack([direction, weights / np.linalg.norm(weights)]))
            squared_angles.append(a16.angle(turned[:1], turned[1:]).item() ** 2)
            lengths.append(np.linalg.norm(weights))
    assert np.mean(lengths) == pytest.approx((rate / (2 * decay)) ** 0.25, rel=0.01)
    assert math.sqrt(np.mean(squared_angles)) == pytest.approx(math.sqrt(2 * rate * decay), rel=0.01)


def test_every_cell_has_its_own_rate_and_decay(tmp_path: Path) -> None:
    """A cell of the stack is the run of that rate and decay alone."""
    together, _ = a16._train(setting((0, 1), tmp_path), max_steps=5)
    cell = 5
    rate, decay = a16.CELLS[cell]
    alone = scale_invariant_networks((0, 1), task=TASK, hidden=a16.HIDDEN, dtype=torch.float32)
    with torch.no_grad():
        for stack in alone.trained:
            stack.mul_(a16.START)
    train(
        alone,
        task=TASK,
        seeds=(0, 1),
        optimizer={"name": "sgd", "weight_decay": decay},
        learning_rates=[rate, rate],
        schedule=lambda step: 1.0,
        batch_size=a16.BATCH_SIZE,
        max_steps=5,
    )
    expected = torch.stack([stack.detach().flatten(1).double().norm(dim=1) for stack in alone.trained])
    torch.testing.assert_close(together.lengths[-1][:, 2 * cell : 2 * cell + 2], expected, rtol=1e-6, atol=0)
