"""`+dry_run=true`: the matrix of a sweep, what of it is recorded and what would be trained; nothing is written."""

from bnbench.dry_run.flag import is_dry_run as is_dry_run
from bnbench.dry_run.flag import take_dry_run as take_dry_run
from bnbench.dry_run.plan import PlannedJob as PlannedJob
from bnbench.dry_run.plan import plan_job as plan_job
from bnbench.dry_run.report import report_lines as report_lines
