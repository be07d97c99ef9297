"""bnbench: which normalization makes my MLP converge fastest, most stably and best, and is the difference real?"""

import os

# Before torch first multiplies: without it the library picks kernels by the alignment of each matrix in memory, and a
# replica's last bits would depend on where in the stack it stands. Costs nothing that could be measured.
os.environ.setdefault("MKL_CBWR", "AUTO")
