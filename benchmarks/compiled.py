"""A training step with and without `torch.compile`, in turn: `python -m benchmarks.compiled [--json]`.

The network of the quickstart, batch norm, forward and backward pass of a stack: what `trainer.compile=true` compiles.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from rich.console import Console

from benchmarks.command import Report, measure_and_print
from bnbench.config import ModelConfig
from bnbench.models import build_network
from bnbench.norms import choose_norm
from bnbench.training.allocation import keep_freed_memory
from bnbench.training.replicas import Replicas
from bnbench.training.turns import ratios, seconds_in_turns

STACKS = (1, 8, 64)
FEATURES, OUTPUTS, BATCH_SIZE = 64, 10, 60


def stack_of(count: int, *, compiled: bool) -> Replicas:
    """Return replicas of the quickstart's network."""
    norm = choose_norm({"name": "batch"})
    options = asdict(ModelConfig(name="mlp"))
    networks = [
        build_network(options, num_inputs=FEATURES, num_outputs=OUTPUTS, norm=norm, seed=seed) for seed in range(count)
    ]
    return Replicas(networks, seeds=range(count), compiled=compiled)


def step(replicas: Replicas, inputs: torch.Tensor) -> None:
    """Run the forward and backward pass, and drop the gradients."""
    replicas(inputs).square().mean((1, 2)).sum().backward()
    for stack in replicas.parameters_stacked:
        stack.grad = None


def measure(*, rounds: int, seed_steps: int) -> Report:
    """Return, per number of replicas, milliseconds per step either way, their ratio, and seconds to compile."""
    torch.set_num_threads(1)
    keep_freed_memory()
    found: list[dict[str, Any]] = []
    for count in STACKS:
        inputs = torch.randn(count, BATCH_SIZE, FEATURES, generator=torch.Generator().manual_seed(0))
        eager, compiled = (partial(step, stack_of(count, compiled=on), inputs) for on in (False, True))
        start = time.perf_counter()
        compiled()
        seconds = time.perf_counter() - start
        works = {"eager": eager, "compiled": compiled}
        taken = seconds_in_turns(works, rounds=rounds, repeats=max(1, seed_steps // count))
        ratio = sorted(ratios(taken["compiled"], taken["eager"]))
        found.append(
            {
                "replicas": count,
                **{f"{name}_milliseconds": 1e3 * statistics.median(taken[name]) for name in works},
                "ratio": statistics.median(ratio),
                "lowest_ratio": ratio[0],
                "highest_ratio": ratio[-1],
                "seconds_to_compile": seconds,
            }
        )
    return {"torch": torch.__version__, "rounds": rounds, "stacks": found}


def print_report(report: Report, console: Console) -> None:
    """Print a line per number of replicas."""
    console.print(f"forward and backward pass, torch {report['torch']}, {report['rounds']} rounds, one thread")
    for row in report["stacks"]:
        console.print(
            f"R = {row['replicas']}: {row['eager_milliseconds']:.2f} ms, compiled {row['compiled_milliseconds']:.2f} ms"
            f" or {row['ratio']:.2f} times ({row['lowest_ratio']:.2f} to {row['highest_ratio']:.2f});"
            f" compiled in {row['seconds_to_compile']:.0f} s"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compiled", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each (default 9)")
    parser.add_argument("--seed-steps", type=int, default=640, help="seed-steps of a turn (default 640)")
    chosen = parser.parse_args(arguments)
    if chosen.rounds < 1 or chosen.seed_steps < 1:
        parser.error("--rounds and --seed-steps take at least 1")
    work = partial(measure, rounds=chosen.rounds, seed_steps=chosen.seed_steps)
    measure_and_print(work, print_report, as_json=chosen.json)


if __name__ == "__main__":
    main()
