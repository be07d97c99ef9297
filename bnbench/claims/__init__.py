"""Published claims about normalization, measured again and judged: `python -m bnbench.claims list | run | report`."""
