"""How wrong a network is on each row by itself: what losses and the simple metrics are means of."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional

Outputs = Float[Tensor, "*replicas rows outputs"]
Labels = Shaped[Tensor, "*replicas rows"]
Errors = Float[Tensor, "*replicas rows"]


def class_scores(outputs: Outputs, *, loss: str) -> Outputs:
    """Return one logit per class. `binary` has one output, the logit of the second class against the first."""
    if loss != "binary":
        return outputs
    # Two logits rather than a formula of its own: the first class at 0 is the same loss and the same gradient, and
    # everything that is known of cross-entropy in stacks holds for it.
    logit = outputs.squeeze(-1)
    return torch.stack([torch.zeros_like(logit), logit], dim=-1)


def cross_entropy(outputs: Outputs, labels: Labels) -> Errors:
    """Return -log of the probability given to the right class, in nats."""
    flat = functional.cross_entropy(outputs.reshape(-1, outputs.shape[-1]), labels.reshape(-1), reduction="none")
    return flat.view(labels.shape)


def binary(outputs: Outputs, labels: Labels) -> Errors:
    """Return the cross-entropy of two classes by one logit."""
    return cross_entropy(class_scores(outputs, loss="binary"), labels)


def is_right(outputs: Outputs, labels: Labels) -> Errors:
    """Return 1 where the largest logit is that of the right class (of equal ones the first counts), else 0."""
    return (outputs.argmax(-1) == labels).double()


def squared_error(outputs: Outputs, labels: Labels) -> Errors:
    """Return (prediction - label)²."""
    return (outputs.squeeze(-1) - labels).square()


def absolute_error(outputs: Outputs, labels: Labels) -> Errors:
    """Return |prediction - label|."""
    return (outputs.squeeze(-1) - labels).abs()


def huber(outputs: Outputs, labels: Labels) -> Errors:
    """Return ½ e² for errors up to one standard deviation of the training labels, and |e| - ½ for larger ones."""
    return functional.huber_loss(outputs.squeeze(-1), labels, reduction="none", delta=1.0)
