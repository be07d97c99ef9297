"""Scoring: pure functions on arrays, and the board they make. Imports neither torch nor lightning nor hydra."""

from bnbench.scoring.board import Board as Board
from bnbench.scoring.board import Row as Row
from bnbench.scoring.board import Workload as Workload
from bnbench.scoring.comparison import Comparison as Comparison
from bnbench.scoring.comparison import SeedTimes as SeedTimes
from bnbench.scoring.comparison import compare_with_reference as compare_with_reference
from bnbench.scoring.comparison import rank as rank
from bnbench.scoring.final import final_metric as final_metric
from bnbench.scoring.holm import holm as holm
from bnbench.scoring.intervals import mean_interval as mean_interval
from bnbench.scoring.intervals import wilson_interval as wilson_interval
from bnbench.scoring.score import score as score
from bnbench.scoring.seeds_needed import more_seeds as more_seeds
from bnbench.scoring.sign_flip import pairs_needed as pairs_needed
from bnbench.scoring.sign_flip import sign_flip_p as sign_flip_p
from bnbench.scoring.sign_flip import smallest_p as smallest_p
from bnbench.scoring.speedup import speedup as speedup
from bnbench.scoring.survival import hit_rate as hit_rate
from bnbench.scoring.survival import median_steps as median_steps
from bnbench.scoring.survival import restricted_mean as restricted_mean
from bnbench.scoring.times import Times as Times
from bnbench.scoring.times import time_to_target as time_to_target
