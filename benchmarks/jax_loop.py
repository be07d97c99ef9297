"""The same training in JAX, as it is best written there: `vmap` over seeds, `scan` over steps, one compiled program.

Runs in a process of its own, `python -m benchmarks.jax_loop ROWS`, bound to one processor: reads `R steps` per line,
writes the cost as JSON.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from benchmarks.workload import BATCH_SIZE, LEARNING_RATE, WIDTHS, Clock, Cost

Arrays = dict[str, Any]


def _network(parameters: Arrays, statistics: Arrays, inputs: Any) -> tuple[Any, Arrays]:
    hidden = inputs
    moved: Arrays = {}
    for layer in range(len(WIDTHS) - 1):
        hidden = hidden @ parameters[f"weight{layer}"].T + parameters[f"bias{layer}"]
        if layer == len(WIDTHS) - 2:
            break
        mean, variance = hidden.mean(0), hidden.var(0)
        moved[f"mean{layer}"] = 0.9 * statistics[f"mean{layer}"] + 0.1 * mean
        unbiased = variance * (BATCH_SIZE / (BATCH_SIZE - 1))
        moved[f"variance{layer}"] = 0.9 * statistics[f"variance{layer}"] + 0.1 * unbiased
        normalized = (hidden - mean) * jax.lax.rsqrt(variance + 1e-5)
        hidden = jax.nn.relu(normalized * parameters[f"scale{layer}"] + parameters[f"shift{layer}"])
    return hidden, moved


def _loss(parameters: Arrays, statistics: Arrays, inputs: Any, labels: Any) -> tuple[Any, Arrays]:
    outputs, moved = _network(parameters, statistics, inputs)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(outputs), labels[:, None], axis=1)
    return -chosen.mean(), moved


def _train(parameters: Arrays, statistics: Arrays, inputs: Any, labels: Any, rows: Any) -> tuple[Arrays, Arrays, Any]:
    def one(parameters: Arrays, statistics: Arrays, chosen: Any) -> tuple[Arrays, Arrays, Any]:
        gradient_of = jax.value_and_grad(_loss, has_aux=True)
        (loss, moved), gradients = gradient_of(parameters, statistics, inputs[chosen], labels[chosen])
        return jax.tree.map(lambda p, g: p - LEARNING_RATE * g, parameters, gradients), moved, loss

    def step(state: tuple[Arrays, Arrays], chosen: Any) -> tuple[tuple[Arrays, Arrays], Any]:
        parameters, statistics, losses = jax.vmap(one)(*state, chosen)
        return (parameters, statistics), losses

    (parameters, statistics), losses = jax.lax.scan(step, (parameters, statistics), rows)
    return parameters, statistics, losses


def _initial(replicas: int, generator: np.random.Generator) -> tuple[Arrays, Arrays]:
    parameters: Arrays = {}
    statistics: Arrays = {}
    for layer, (before, width) in enumerate(pairwise(WIDTHS)):
        weight = generator.standard_normal((replicas, width, before), dtype=np.float32)
        parameters[f"weight{layer}"] = jnp.asarray(weight * np.sqrt(2.0 / before).astype(np.float32))
        parameters[f"bias{layer}"] = jnp.zeros((replicas, width))
        if layer < len(WIDTHS) - 2:
            zeros, ones = jnp.zeros((replicas, width)), jnp.ones((replicas, width))
            parameters |= {f"scale{layer}": ones, f"shift{layer}": zeros}
            statistics |= {f"mean{layer}": zeros, f"variance{layer}": ones}
    return parameters, statistics


def _measure(train: Callable[..., Any], data: tuple[Any, Any], *, replicas: int, steps: int) -> Cost:
    generator = np.random.default_rng(0)
    state = _initial(replicas, generator)
    rows = jnp.asarray(generator.integers(len(data[0]), size=(steps, replicas, BATCH_SIZE)))
    state = jax.block_until_ready(train(*state, *data, rows))[:2]  # compiles, and warms up
    clock = Clock()
    clock.start()
    jax.block_until_ready(train(*state, *data, rows))
    return clock.stop()


def main() -> None:
    """Answer every line `R steps` with the cost as JSON."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    generator = np.random.default_rng(0)
    num_rows = int(sys.argv[1])
    data = (
        jnp.asarray(generator.random((num_rows, WIDTHS[0]), dtype=np.float32)),
        jnp.asarray(generator.integers(WIDTHS[-1], size=num_rows)),
    )
    train = jax.jit(_train)
    for line in sys.stdin:
        replicas, steps = map(int, line.split())
        cost = _measure(train, data, replicas=replicas, steps=steps)
        print(json.dumps(asdict(cost)), flush=True)


if __name__ == "__main__":
    main()
