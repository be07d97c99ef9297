"""Add cells to an experiment's index, one at a time, as the jobs of a sweep do.

python add_cells.py RUNS_DIR EXPERIMENT FIRST NUMBER
"""

import sys

from bnbench.records import add_cells

if __name__ == "__main__":
    runs_dir, experiment, first, number = sys.argv[1:]
    for index in range(int(first), int(first) + int(number)):
        own = {f"{index:012x}": {"entry": f"batch(k={index})", "dataset": "digits", "seeds": [index]}}
        shared = {"f" * 12: {"entry": "none", "dataset": "digits", "seeds": [index]}}
        add_cells(runs_dir, experiment, own | shared)
