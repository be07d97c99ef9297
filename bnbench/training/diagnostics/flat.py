"""Stacked tensors as one vector per replica, and back."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Stacks = Sequence[Tensor]
Vectors = Float[Tensor, "replicas parameters"]


def flat(stacks: Stacks) -> Vectors:
    """Return the numbers of every replica side by side: tensors (R, …) → (R, n)."""
    return torch.cat([stack.reshape(len(stack), -1) for stack in stacks], dim=1)


def split(vectors: Vectors, *, like: Stacks) -> list[Tensor]:
    """Return the vectors as tensors of the shapes given, views of the vectors."""
    parts = vectors.split([stack[0].numel() for stack in like], dim=1)
    return [part.view(stack.shape) for part, stack in zip(parts, like, strict=True)]


def dot(one: Vectors, other: Vectors) -> Float[Tensor, " replicas"]:
    """Return Σ one · other of every replica, in float64."""
    return (one * other).sum(1, dtype=torch.float64)


def norm(vectors: Vectors) -> Float[Tensor, " replicas"]:
    """Return the Euclidean length of every replica's vector, in float64."""
    return torch.linalg.vector_norm(vectors, dim=1, dtype=torch.float64)
