"""The results of a folder of runs as docs/claims.md and as one HTML page."""

from bnbench.claims.report.write import write_report as write_report
