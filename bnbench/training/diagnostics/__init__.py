"""What is looked at inside the networks, off the clock; one diagnostic a file, found by looking into the folder."""

from importlib import import_module
from pkgutil import iter_modules

from bnbench.training.diagnostics.diagnostic import DIAGNOSTICS as DIAGNOSTICS
from bnbench.training.diagnostics.diagnostic import Diagnostic as Diagnostic
from bnbench.training.diagnostics.diagnostic import Measurement as Measurement
from bnbench.training.diagnostics.diagnostic import diagnostic as diagnostic
from bnbench.training.diagnostics.moment import Moment as Moment

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
