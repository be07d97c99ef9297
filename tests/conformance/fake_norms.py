"""What a user may name on the command line of `bnbench.check`, right and wrong."""

import sys

import torch
from torch import nn

from bnbench.errors import UserError

sys.stdout.write("said at import\n")


class MyNorm(nn.LayerNorm):
    """A right one."""

    def __init__(self, num_features, *, eps=1e-5):
        super().__init__(num_features, eps=eps)


class MyWeightNorm(nn.Module):
    """Of the other kind."""

    def __init__(self, linear):
        super().__init__()
        self.weight = nn.Parameter(linear.weight.detach().clone())
        self.bias = nn.Parameter(linear.bias.detach().clone())

    def forward(self, inputs):
        return nn.functional.linear(inputs, self.weight, self.bias)


class WrongShape(nn.Module):
    """One column too few."""

    def __init__(self, num_features):
        super().__init__()

    def forward(self, inputs):
        return inputs[:, 1:]


class NoForward(nn.Module):
    """Builds and cannot compute."""

    def __init__(self, num_features):
        super().__init__()


class NoModule(torch.autograd.Function):
    """No module at all."""


def raises(num_features, *, power=2):
    """Refuse everything."""
    raise ValueError("never heard of it")


def leaves(num_features):
    """End the process, if it is let."""
    sys.exit(0)


class WantsMask(NoForward):
    """Takes more than a batch."""

    def forward(self, inputs, mask):
        return inputs * mask


class ReturnsPair(NoForward):
    """Returns more than a tensor."""

    def forward(self, inputs):
        return inputs, 1


class ComplexOutputs(NoForward):
    """Returns what no layer takes."""

    def forward(self, inputs):
        return torch.fft.fft(inputs)


class LeavesInForward(NoForward):
    """Ends the process, if it is let."""

    def forward(self, inputs):
        sys.exit(0)


class OfManyLines(NoForward):
    """Explains itself at length, in evaluation alone."""

    def forward(self, inputs):
        if self.training:
            return inputs
        raise ValueError("first\nsecond")


class UnreadableError(Exception):
    """Cannot even be printed."""

    def __str__(self):
        raise RuntimeError("no text")


class CannotBeRead(NoForward):
    """Raises what cannot be printed."""

    def forward(self, inputs):
        raise UnreadableError


class BlamesUser(NoForward):
    """Raises an error of bnbench's own."""

    def forward(self, inputs):
        raise UserError("no such option")


class Integers(NoForward):
    """Holds a parameter that is never trained, of whole numbers."""

    def __init__(self, num_features):
        super().__init__(num_features)
        self.signs = nn.Parameter(torch.ones(num_features, dtype=torch.int64), requires_grad=False)

    def forward(self, inputs):
        return inputs * self.signs


def an_integer(num_features):
    """Return no module."""
    return 3


def lazy(num_features):
    """Return a module without shapes."""
    return nn.LazyBatchNorm1d()
