"""What `python -m bnbench.runs` does: each command reads folders of runs and returns an Answer; no torch, no hydra."""
