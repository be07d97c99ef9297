"""bnbench: which normalization makes my MLP converge fastest, most stably and best, and is the difference real?"""

import os
from importlib import import_module
from typing import Any

# Before torch first multiplies: without it the library picks kernels by the alignment of each matrix in memory, and a
# replica's last bits would depend on where in the stack it stands. Costs nothing that could be measured.
os.environ.setdefault("MKL_CBWR", "AUTO")

_FACE = {
    "compare": ("bnbench.compare_norms", "compare"),
    "load_runs": ("bnbench.records", "load_records"),
    "score": ("bnbench.scoring", "score"),
    "figures": ("bnbench.reports.charts.figure", "figures"),
    "norm": ("bnbench.norms", "norm"),
    "UserError": ("bnbench.errors", "UserError"),
}
__all__ = ["UserError", "compare", "figures", "load_runs", "norm", "score"]


def __getattr__(name: str) -> Any:
    """Import what is asked for: reading runs must not pay for torch."""
    if name not in _FACE:
        raise AttributeError(f"module 'bnbench' has no attribute '{name}'")
    module, attribute = _FACE[name]
    return getattr(import_module(module), attribute)
