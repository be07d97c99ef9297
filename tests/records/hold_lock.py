"""Try to hold a cell's lock; print whether it is held, and keep it until a line comes in.

python hold_lock.py CELL_FOLDER LEASE_SECONDS
"""

import sys
from pathlib import Path

from bnbench.records import cell_lock

if __name__ == "__main__":
    with cell_lock(Path(sys.argv[1]), lease_seconds=float(sys.argv[2])) as acquired:
        sys.stdout.write(f"{acquired}\n")
        sys.stdout.flush()
        sys.stdin.readline()
