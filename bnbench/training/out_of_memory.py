"""What is a lack of memory, and how what was held is given back."""

import gc

import torch

# what the allocators of torch say, of the device and of the host; NumPy and Python raise MemoryError
SAID = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error, or one that it came of, is a lack of memory."""
    while error is not None:
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            return True
        if isinstance(error, RuntimeError) and any(words in str(error).lower() for words in SAID):
            return True
        error = error.__cause__ or error.__context__
    return False


def release_memory() -> None:
    """Give back what the failed attempt held: its tensors lie in cycles until they are collected."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
