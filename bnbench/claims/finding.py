"""The claims of the catalogue: found by looking into its folder, so that adding a claim is adding a file."""

from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules

from bnbench.claims import catalogue
from bnbench.claims.claim import Claim
from bnbench.errors import UserError, nearest

ALL = "all"


def claim_ids() -> tuple[str, ...]:
    """Return the ids of all claims: by letter, then by number."""
    return in_order(module.name for module in iter_modules(catalogue.__path__))


def in_order(ids: Iterable[str]) -> tuple[str, ...]:
    """Return ids by letter, then by number.

    >>> in_order(["A10_x", "A9_x", "B1_x"])
    ('A9_x', 'A10_x', 'B1_x')
    """
    return tuple(sorted(ids, key=_order))


def load_claim(claim_id: str) -> Claim:
    """Return a claim by its id; raises UserError for a file that holds no claim of its name."""
    module = import_module(f"{catalogue.__name__}.{claim_id}")
    claim = getattr(module, "CLAIM", None)
    if not isinstance(claim, Claim) or claim.claim_id != claim_id:
        held = f"the claim {claim.claim_id}" if isinstance(claim, Claim) else "none"
        raise UserError(f"{module.__file__}: expected CLAIM, a Claim with claim_id={claim_id!r}; found {held}")
    return claim


def ids_of(words: Iterable[str]) -> tuple[str, ...]:
    """Return the ids that words name, in the catalogue's order: ids, what stands before the first "_" of one, or "all".

    Raises UserError for a word that names no claim, with the nearest and the known ones.
    """
    known = claim_ids()
    chosen: set[str] = set()
    for word in words:
        meant = [claim_id for claim_id in known if word in (claim_id, claim_id.partition("_")[0], ALL)]
        if not meant:
            raise UserError(f"unknown claim '{word}'; {nearest(word, known)}")
        chosen.update(meant)
    return tuple(claim_id for claim_id in known if claim_id in chosen)


def _order(claim_id: str) -> tuple[str, int, str]:
    digits = "".join(filter(str.isdecimal, claim_id.partition("_")[0]))
    return claim_id[:1], int(digits or 0), claim_id
