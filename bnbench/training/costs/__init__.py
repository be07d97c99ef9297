"""What entries cost: a training step, an inference, memory and parameters, each alone and in turn on one machine."""

from bnbench.training.costs.allocations import most_allocated as most_allocated
from bnbench.training.costs.missing import Outcome as Outcome
from bnbench.training.costs.missing import measure_missing as measure_missing
from bnbench.training.costs.missing import measure_or_say as measure_or_say
from bnbench.training.costs.one_workload import USUAL_EFFORT as USUAL_EFFORT
from bnbench.training.costs.one_workload import Contestant as Contestant
from bnbench.training.costs.one_workload import Cost as Cost
from bnbench.training.costs.one_workload import Effort as Effort
from bnbench.training.costs.one_workload import measure as measure
from bnbench.training.costs.stack import SteppedStack as SteppedStack
