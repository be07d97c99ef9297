"""Run records: identity, layout, atomic writing, tolerant reading, locks. Imports neither torch nor lightning nor hydra."""

from bnbench.records.history import History as History
from bnbench.records.read import Overlap as Overlap
from bnbench.records.read import Runs as Runs
from bnbench.records.read import Skipped as Skipped
from bnbench.records.record import Record as Record
