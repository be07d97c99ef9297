"""The configuration groups this package adds to those of bnbench."""
