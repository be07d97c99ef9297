"""Run a layer so that nothing but the layer can make two runs differ."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from bnbench.conformance.change import relative_change
from bnbench.conformance.subject import Subject
from bnbench.seeding import generator

# steps, after which what acts late, or every so often, has acted
LONG_RUN = 60


@contextmanager
def fixed_randomness(seed: int = 0) -> Iterator[None]:
    """Run code with every global generator at the state of a seed, and put each back afterwards.

    What draws from them is found out by a check of its own; to the others it is then the same in every run.
    """
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002 a norm may draw from it
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002


def global_generators() -> dict[str, object]:
    """Return the state of each global generator, to be compared."""
    kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        "torch's global generator": torch.get_rng_state().numpy().tobytes(),
        "Python's random": random.getstate(),
        "NumPy's global generator": (kind, np.asarray(keys).tobytes(), *rest),
    }


def outputs_of(layer: nn.Module, inputs: Float[Tensor, "rows inputs"], *, copy: bool = True) -> Tensor:
    """Return the outputs for the inputs, by default for a copy, which the layer may spoil.

    Raises TypeError if they are no tensor.
    """
    with fixed_randomness():
        outputs = layer(inputs.clone() if copy else inputs)
    if not isinstance(outputs, Tensor):
        raise TypeError(f"the layer returned a {type(outputs).__name__}, expected a tensor")
    return outputs


def cotangent(outputs: Tensor) -> Tensor:
    """Return fixed random weights of the outputs, of length about 1 in all: Σ weight · output is then a loss."""
    values = torch.randn(outputs.shape, generator=generator(0, "conformance", "cotangent"), dtype=torch.float64)
    return (values / outputs.numel() ** 0.5).to(outputs.dtype)


def train(layer: nn.Module, subject: Subject, *, steps: int = 3, first_seed: int = 0) -> None:
    """Train a layer a few steps of gradient descent, on other inputs each.

    No step is longer than a tenth of a value, so that what must be positive, as a temperature, stays so.
    """
    held = (*layer.parameters(), *layer.buffers())
    dtype = next((tensor.dtype for tensor in held if tensor.is_floating_point()), torch.float32)
    layer.train()
    for seed in range(first_seed, first_seed + steps):
        outputs = outputs_of(layer, subject.inputs(seed=seed, dtype=dtype))
        parameters = [parameter for parameter in layer.parameters() if parameter.requires_grad]
        if not (parameters and outputs.requires_grad):
            continue
        gradients = torch.autograd.grad(outputs, parameters, cotangent(outputs), allow_unused=True)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None:
                    longest = torch.where(parameter == 0, 1.0, 0.1 * parameter.abs())
                    parameter.sub_((0.1 * gradient).clamp(-longest, longest))


def tensors_of(layer: nn.Module) -> dict[str, Tensor]:
    """Return copies of all parameters and buffers by name, those left out of state_dict included."""
    named = [*layer.named_parameters(), *layer.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in named}


def restore(layer: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put parameters and buffers back to what `tensors_of` returned, in place."""
    with torch.no_grad():
        for name, tensor in [*layer.named_parameters(), *layer.named_buffers()]:
            if name in tensors and tensors[name].shape == tensor.shape:
                tensor.copy_(tensors[name])


# said where a check compares passes of one state, and the norm does not repeat one
NOT_REPEATED = "from one state and with the same draws of the global generators, it does not repeat its outputs"
# a kernel rounds by where a tensor begins in memory: 1e-7; what draws or counts on its own shows by far more
REPEATED = 1e-5


@lru_cache(maxsize=8)  # asked for by several checks
def repeats(subject: Subject) -> bool:
    """Return whether passes from one state of parameters and buffers, with the same global draws, are the same.

    Not so of what draws from a generator of its own or counts in an attribute: two passes then differ by more than what
    a check moved between them.
    """
    for training in (True, False):
        layer = subject.build()
        train(layer, subject)
        layer.train(training)
        start = tensors_of(layer)
        first = None
        for _ in range(4):
            restore(layer, start)
            outputs = outputs_of(layer, subject.inputs(seed=11)).detach()
            first = outputs if first is None else first
            if relative_change(first, outputs) > REPEATED:
                return False
    return True
