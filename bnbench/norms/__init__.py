"""Normalization layers, one file each; importing the package registers every file in it."""

from importlib import import_module
from pkgutil import iter_modules

from bnbench.norms.factory import ChosenNorm as ChosenNorm
from bnbench.norms.factory import MakeNorm as MakeNorm
from bnbench.norms.factory import choose_norm as choose_norm
from bnbench.norms.registration import NORMS as NORMS
from bnbench.norms.registration import Norm as Norm
from bnbench.norms.registration import norm as norm
from bnbench.norms.statistics import BatchStatistics as BatchStatistics
from bnbench.norms.statistics import Moments as Moments
from bnbench.norms.statistics import Shard as Shard

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
