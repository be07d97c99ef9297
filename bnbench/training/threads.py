"""How many threads one operation may use: never more than there are replicas."""

import torch

from bnbench.training.replicas import Replicas


def use_threads(requested: int, replicas: Replicas) -> None:
    """Set the threads of an operation on the CPU to min(requested, R).

    With at least as many replicas as threads each product is computed by one thread, whole. With fewer, the library
    splits single products among threads, and their rounding would follow the number of threads and replicas: replica k
    would no longer be the run of seed k alone.
    """
    torch.set_num_threads(min(requested, replicas.count) if replicas.stacked else 1)
