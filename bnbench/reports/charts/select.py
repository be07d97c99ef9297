"""Which entries are drawn first: a chart of many shows those that matter, the others are in its legend."""

from collections.abc import Mapping, Sequence

from bnbench.scoring.board import Curves, Row


def drawing_order(rows: Sequence[Row], curves: Mapping[str, Curves]) -> list[Curves]:
    """Return the rows' curves, best rank first and the reference second at the latest."""
    ranked = sorted(rows, key=lambda row: row.rank)
    others = [row.entry for row in ranked if not row.is_reference]
    references = [row.entry for row in ranked if row.is_reference]
    first = ranked[:1]
    order = [*references, *others] if first and first[0].is_reference else [*others[:1], *references, *others[1:]]
    return [curves[entry] for entry in order if entry in curves]
