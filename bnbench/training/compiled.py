"""A stack's forward and backward pass through `torch.compile`, where that can be had and changes no draw."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from bnbench.config import TrainerConfig
from bnbench.errors import UserError
from bnbench.seeding import CounterRandom
from bnbench.training.rank_numbers import num_ranks


def check_compile(trainer: TrainerConfig, network: nn.Module) -> None:
    """Raise UserError where a compiled network would be another one, or was never tried.

    The compiler's int32 products overflow otherwise than torch's, and a `CounterRandom` is made of these: dropout and
    noise would be drawn from another stream.
    """
    drawing = sorted({type(module).__name__ for module in network.modules() if _draws(module)})
    if drawing:
        raise UserError(
            f"trainer.compile=true with {', '.join(drawing)}: compiled, it draws other numbers than its seed says; "
            "expected a network without dropout and noise, or trainer.compile=false"
        )
    if num_ranks(trainer) > 1:
        raise UserError(
            f"trainer.compile=true with trainer.devices={trainer.devices} on {trainer.num_nodes} node(s): exchanges "
            "between processes are not compiled; expected one process, or trainer.compile=false"
        )


def _draws(module: nn.Module) -> bool:
    if isinstance(module, nn.Dropout | nn.AlphaDropout):
        return module.p > 0
    probability = getattr(module, "probability", 1.0)  # dropout of 0 draws nothing
    return probability > 0 and any(isinstance(child, CounterRandom) for child in module.children())


class CompiledRun:
    """What a function returns, from code that is compiled at the first call.

    The whole of it is compiled or nothing. A stack that replicas leave is compiled once more, for any size. Raises
    RuntimeError where it cannot be compiled: what it would give without is the result of another cell.
    """

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run
        self._compiled: Callable[..., Any] = torch.compile(run, fullgraph=True)

    def __call__(self, *arguments: Any) -> Any:
        """Return the results."""
        try:
            return self._compiled(*arguments)
        except Exception as error:
            self._run(*arguments)  # what fails without the compiler too is not its failure
            reason = " ".join(str(error).split())[:200]
            raise RuntimeError(
                f"trainer.compile=true: torch.compile failed ({type(error).__name__}: {reason}); "
                "expected a C++ compiler and a norm that can be compiled, or trainer.compile=false"
            ) from error
