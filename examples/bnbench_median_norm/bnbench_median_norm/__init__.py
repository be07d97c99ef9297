"""Median normalization for bnbench; importing the package registers it."""

from bnbench_median_norm.median_norm import MedianNorm as MedianNorm
