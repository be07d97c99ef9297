"""What the C library does with memory that tensors give back."""

import ctypes
import sys

# glibc: the size from which memory is taken from the system piece by piece, and the free size from which it goes back
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
ONE_GIBIBYTE = 2**30


def keep_freed_memory() -> None:
    """Have this process keep freed memory for the next step, where the C library is glibc; elsewhere do nothing.

    The gradients of a stack are tens of megabytes. Given back after every step and taken anew, every page of them is
    cleared by the system on first touch: a quarter of a step of 256 replicas of 100,000 parameters.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, ONE_GIBIBYTE)
        mallopt(M_TRIM_THRESHOLD, ONE_GIBIBYTE)
