"""What `vmap` cannot take trains one replica after another: found by itself, said once, same results in any company."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bnbench.errors import UserError
from bnbench.norms import NORMS, choose_norm
from bnbench.training.fit import may_stack
from bnbench.training.replicas import Replicas

STRANGERS = '''
import torch
from torch import nn


class Written(nn.Module):
    """Running mean written in place, as the protocol asks."""

    def __init__(self, num_features):
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))

    def forward(self, inputs):
        if self.training:
            self.mean.mul_(0.9).add_(0.1 * inputs.detach().mean(0))
        return inputs - self.mean


class Assigned(Written):
    """The same, but the buffer is replaced by a new tensor."""

    def forward(self, inputs):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * inputs.detach().mean(0)
        return inputs - self.mean


class GlobalNoise(nn.Module):
    """Draws from torch's global generator."""

    def __init__(self, num_features):
        super().__init__()

    def forward(self, inputs):
        return inputs * (1 + 0.1 * torch.randn_like(inputs)) if self.training else inputs


class Dependent(nn.Module):
    """Decides by the data."""

    def __init__(self, num_features):
        super().__init__()

    def forward(self, inputs):
        if inputs.mean() > 0:
            return inputs / (1 + inputs.abs().max())
        return inputs


class StartsByTheData(nn.Module):
    """Sets its parameters by the first batch it trains on."""

    def __init__(self, num_features):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(num_features))
        self.scale = nn.Parameter(torch.ones(num_features))
        self.register_buffer("started", torch.tensor(False))

    def start(self, inputs):
        with torch.no_grad():
            self.shift.copy_(-inputs.mean(0))
            self.scale.copy_(1 / (inputs.std(0) + 0.1))

    def forward(self, inputs):
        if self.training and not self.started:
            self.start(inputs)
            self.started.fill_(True)
        return (inputs + self.shift) * self.scale


class StartsBehindAutograd(StartsByTheData):
    """The same, by another way."""

    def start(self, inputs):
        self.shift.data.copy_(-inputs.detach().mean(0))
        self.scale.data = 1 / (inputs.detach().std(0) + 0.1)


class Item(nn.Module):
    """Reads a number out of a tensor."""

    def __init__(self, num_features):
        super().__init__()

    def forward(self, inputs):
        return inputs / (1.0 + inputs.detach().abs().mean().item())


class EvaluationOnly(nn.Module):
    """Stacks in training, reads a number out in evaluation."""

    def __init__(self, num_features):
        super().__init__()

    def forward(self, inputs):
        return inputs if self.training else inputs * inputs.detach().abs().max().clamp(1, 1).item()


class Attribute(nn.Module):
    """Keeps its state where nobody can stack, save or restore it."""

    def __init__(self, num_features):
        super().__init__()
        self.mean = None

    def forward(self, inputs):
        mean = inputs.detach().mean(0)
        self.mean = mean if self.mean is None else 0.9 * self.mean + 0.1 * mean
        return inputs - self.mean


class Counter(nn.Module):
    """Counts its calls in a Python number."""

    def __init__(self, num_features):
        super().__init__()
        self.calls = 0

    def forward(self, inputs):
        self.calls += 1
        return inputs / self.calls


class Broken(nn.Module):
    def __init__(self, num_features):
        super().__init__()

    def forward(self, inputs):
        raise ZeroDivisionError("no")


class Flat(nn.Module):
    def __init__(self, num_features):
        super().__init__()

    def forward(self, inputs):
        return inputs.mean(0)


class Gain(nn.Module):
    """One learned number."""

    def __init__(self, num_features):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(2.0))

    def forward(self, inputs):
        return inputs * self.gain
'''


@pytest.fixture(scope="module", autouse=True)
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("strangers")
    (folder / "strange_norms.py").write_text(STRANGERS, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield


@pytest.mark.parametrize("norm", ["StartsByTheData", "StartsBehindAutograd"])
def test_what_a_network_writes_into_its_parameters_is_kept(norm: str) -> None:
    layers, alone = ([choose_norm(custom(norm)).maker(0)(3) for _ in range(2)] for _ in range(2))
    replicas = Replicas(layers, stacked=False, seeds=(0, 1))
    batches = torch.randn(3, 2, 5, 3, generator=torch.Generator().manual_seed(0))
    for batch in batches:
        outputs = replicas(batch)
        gradients = torch.autograd.grad(outputs.square().sum(), replicas.trained)
        for replica, layer in enumerate(alone):
            own_outputs = layer(batch[replica])
            own_gradients = torch.autograd.grad(own_outputs.square().sum(), list(layer.parameters()))
            assert torch.equal(outputs[replica], own_outputs)
            for stacks, own in ((replicas.trained, layer.parameters()), (gradients, own_gradients)):
                assert all(torch.equal(stack[replica], value) for stack, value in zip(stacks, own, strict=True))


def custom(name: str) -> dict[str, Any]:
    return {"name": "custom", "class_path": f"strange_norms:{name}"}


def stacks(configure: Callable[..., Any], task_of: Callable[..., Any], norm: dict[str, Any], **changes: Any) -> bool:
    config = configure(norm, **changes)
    return may_stack(config, task_of(), choose_norm(config.norm))


@pytest.mark.parametrize("norm", NORMS.names())
def test_every_norm_of_ours_stacks(configure: Callable[..., Any], task_of: Callable[..., Any], norm: str) -> None:
    for precision in ("32", "64"):
        changes = {"model__dropout": 0.2, "model__residual": True, "trainer__precision": precision}
        assert stacks(configure, task_of, {"name": norm}, **changes)


@pytest.mark.parametrize("norm", ["Written", "Assigned", "Gain"])
def test_norm_that_can_be_stacked_is(configure: Callable[..., Any], task_of: Callable[..., Any], norm: str) -> None:
    assert stacks(configure, task_of, custom(norm))


@pytest.mark.parametrize(
    "class_path", ["torch.nn:LayerNorm", "torch.nn:RMSNorm", "torch.nn:Identity", "torch.nn:BatchNorm1d"]
)
def test_layers_of_torch_stack_by_class_path(
    configure: Callable[..., Any], task_of: Callable[..., Any], class_path: str
) -> None:
    assert stacks(configure, task_of, {"name": "custom", "class_path": class_path})


SEQUENTIAL = ["GlobalNoise", "Dependent", "StartsByTheData", "StartsBehindAutograd", "Item", "EvaluationOnly"]


@pytest.mark.parametrize("norm", SEQUENTIAL)
def test_norm_that_cannot_is_found_out_with_one_warning(
    configure: Callable[..., Any], task_of: Callable[..., Any], norm: str
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert not stacks(configure, task_of, custom(norm))
    (warning,) = caught
    assert f"norm 'strange_norms:{norm}' is trained one replica after another: " in str(warning.message)


@pytest.mark.parametrize("norm", SEQUENTIAL)
def test_one_after_another_the_company_does_not_matter(
    train: Callable[..., Any], assert_same: Callable[..., None], norm: str
) -> None:
    options = {"norm": custom(norm), "stacked": False, "model__dropout": 0.2, "optimizer__name": "momentum"}
    together = train([0, 1, 2, 3], **options)
    for chunk in ([2], [0, 3], [1, 2, 3]):
        part = train(chunk, **options)
        for place, seed in enumerate(chunk):
            assert_same(together.numbers(seed), part.numbers(place))


def test_global_noise_is_a_stream_of_the_seed(train: Callable[..., Any]) -> None:
    """Drawn, and drawn differently by every seed: two members that differ in nothing but their norm's noise."""
    noisy = train([0], norm=custom("GlobalNoise"), stacked=False).rows(0)
    plain = train([0], norm="none", stacked=False).rows(0)
    np.testing.assert_array_equal(noisy[0], plain[0])
    assert (noisy[1:, 1] != plain[1:, 1]).all()


def test_buffer_that_is_assigned_trains_like_one_that_is_written(train: Callable[..., Any]) -> None:
    for stacked in (True, False):
        written, assigned = (train([0, 1], norm=custom(name), stacked=stacked) for name in ("Written", "Assigned"))
        for place in (0, 1):
            np.testing.assert_allclose(written.rows(place), assigned.rows(place), rtol=1e-6)
            mean = "state hidden.0.norm.mean"
            np.testing.assert_allclose(
                written.numbers(place)[mean], assigned.numbers(place)[mean], rtol=1e-5, atol=1e-7
            )
            assert np.abs(assigned.numbers(place)[mean][-1]).max() > 0


@pytest.mark.parametrize("norm", ["Written", "Gain"])
def test_stranger_that_stacks_is_the_same_in_any_company(
    train: Callable[..., Any], assert_same: Callable[..., None], norm: str
) -> None:
    together = train([0, 1, 2], norm=custom(norm))
    assert_same(together.numbers(1), train([1], norm=custom(norm)).numbers(0))


@pytest.mark.parametrize("norm", [*NORMS.names()])
def test_stacked_and_one_after_another_agree(train: Callable[..., Any], norm: str) -> None:
    options = {"norm": norm, "trainer__precision": "64", "model__dropout": 0.2}
    stacked, single = (train([0, 1], stacked=way, **options) for way in (True, False))
    for place in (0, 1):
        np.testing.assert_allclose(stacked.rows(place), single.rows(place), rtol=1e-11)


@pytest.mark.parametrize("norm", ["Attribute", "Counter"])
def test_state_outside_buffers_is_refused(
    configure: Callable[..., Any], task_of: Callable[..., Any], norm: str
) -> None:
    with pytest.raises(UserError, match="keeps state outside registered buffers"):
        stacks(configure, task_of, custom(norm))


def test_network_that_fails_on_its_own_is_named(configure: Callable[..., Any], task_of: Callable[..., Any]) -> None:
    message = r"the network with norm 'strange_norms:Broken' fails on a batch of \(16, 12\): ZeroDivisionError: no"
    with pytest.raises(UserError, match=message):
        stacks(configure, task_of, custom("Broken"))


def test_outputs_of_another_shape_are_refused(configure: Callable[..., Any], task_of: Callable[..., Any]) -> None:
    message = r"returned \(3,\) for a batch of \(16, 12\), expected \(batch, outputs\)"
    with pytest.raises(UserError, match=message):
        stacks(configure, task_of, custom("Flat"), model__hidden=[], model__logits_norm=True)
