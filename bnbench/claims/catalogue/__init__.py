"""The claims, one file each, named as its claim: a file that is put here is a claim (docs/adding_a_claim.md)."""
