"""The words in which checks speak of modes and precisions."""

import torch


def mode_name(training: bool) -> str:
    """Return what a layer is in: training or evaluation."""
    return "training" if training else "evaluation"


def dtype_name(dtype: torch.dtype) -> str:
    """Return a precision without its package.

    >>> dtype_name(torch.float16)
    'float16'
    """
    return str(dtype).removeprefix("torch.")
