"""The seeds of several cells as batches of replicas that train together, and a batch cut in two."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bnbench.training.cells import Cell


@dataclass(frozen=True)
class Part:
    """The replicas of one cell within a chunk: seeds side by side, members their positions."""

    cell: Cell
    seeds: tuple[int, ...]
    members: range

    @property
    def folder(self) -> Path:
        """Return where they are recorded."""
        return self.cell.record_folder(self.seeds)


def chunks(cells: Sequence[Cell], missing: dict[str, tuple[int, ...]], *, limit: int) -> Iterator[list[Part]]:
    """Yield batches of at most `limit` replicas (at least one seed of every cell), the seeds of a cell side by side."""
    wanted = sorted({seed for seeds in missing.values() for seed in seeds})
    seeds_per_chunk = max(1, limit // len(cells))
    for start in range(0, len(wanted), seeds_per_chunk):
        chosen = wanted[start : start + seeds_per_chunk]
        asked = [(cell, tuple(seed for seed in chosen if seed in missing[cell.cell_id])) for cell in cells]
        yield side_by_side([(cell, seeds) for cell, seeds in asked if seeds])


def cut_down(batches: Sequence[list[Part]], *, below: int) -> Iterator[list[Part]]:
    """Yield batches of fewer replicas than did not fit; those that have fewer stay as they are."""
    for parts in batches:
        yield from halved(parts) if replicas_in(parts) >= below else [parts]


def halved(parts: Sequence[Part]) -> list[list[Part]]:
    """Return a batch as two of half the replicas, each seed with the results it has in any batch; a replica as it is.

    Seeds are divided first, so that the learning rates of one seed stay together as long as they can.
    """
    most = max(len(part.seeds) for part in parts)
    if most > 1:
        cut = [[(part.cell, part.seeds[half]) for part in parts if part.seeds[half]] for half in halves(most)]
    else:
        cut = [[(part.cell, part.seeds) for part in parts[half]] for half in halves(len(parts))]
    return [side_by_side(half) for half in cut]


def side_by_side(asked: Sequence[tuple[Cell, tuple[int, ...]]]) -> list[Part]:
    """Return the parts of a batch in their order, each with the positions of its seeds."""
    parts: list[Part] = []
    first = 0
    for cell, seeds in asked:
        parts.append(Part(cell, seeds, range(first, first + len(seeds))))
        first += len(seeds)
    return parts


def replicas_in(parts: Sequence[Part]) -> int:
    """Return how many replicas a batch has."""
    return sum(len(part.seeds) for part in parts)


def halves(count: int) -> Iterator[slice]:
    """Yield the two halves of that many things, the larger first; of one thing itself.

    >>> [[*range(5)][half] for half in halves(5)]
    [[0, 1, 2], [3, 4]]
    """
    middle = (count + 1) // 2
    yield slice(0, middle)
    if middle < count:
        yield slice(middle, count)
