"""What a user may name on the command line of `bnbench.check`, right and wrong."""

import sys

import torch
from torch import nn

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
