"""The rows of the tuned track: every entry at the learning rate chosen for it, and what is said of the choices."""

from dataclasses import replace

from bnbench.scoring import board
from bnbench.scoring.block import Block, block
from bnbench.scoring.board_row import Row, Tuning
from bnbench.scoring.grid import Grid, TunedEntry
from bnbench.scoring.tracks import TUNED


def tuned_block(grid: Grid, workload: board.Workload, *, reference: str) -> tuple[Block | None, tuple[str, ...]]:
    """Return the block of one workload of the tuned track, None where no entry can be scored, and what to say of it."""
    where = f"{workload.workload} ({workload.target_level}, {TUNED})"
    said = tuple(f"{where}: {note}" for note in _notes(grid))
    if not grid.entries:
        return None, said
    scored = block([each.chosen for each in grid.entries], workload, track=TUNED, reference=reference)
    by_name = {each.entry: each for each in grid.entries}
    rows = tuple(_told(row, by_name[row.entry], grid) for row in scored.rows)
    return replace(scored, rows=rows), (*scored.notes, *said)


def _told(row: Row, tuned: TunedEntry, grid: Grid) -> Row:
    """Return the row with its learning rate, and in its verdict what makes the choice doubtful."""
    choice, count = tuned.choice, len(tuned.trials)
    tuning = Tuning(choice.rate, choice.edge, max(count, len(tuned.scored)), choice.num_seeds)
    said = f"; at lr {choice.rate:g}"
    if choice.edge is not None:
        way = "smaller" if choice.edge == "smallest" else "larger"
        said += f", the {choice.edge} tried: a {way} one may be better"
    if count < len(grid.rates) and len(grid.rates) > 1:
        said += f" (unequal trials: {count} of {len(grid.rates)} learning rates)"
    return replace(row, tuning=tuning, verdict=f"{row.verdict.removesuffix('.')}{said}.")


def _notes(grid: Grid) -> list[str]:
    notes = [
        f"{name} has several learning rates and no tuning seed to choose one by: it is not scored here."
        for name in grid.unchosen
    ]
    notes += [
        f"{name} has tuning seeds and no scored seed at {', '.join(f'{rate:g}' for rate in rates)}: what was tried "
        "there cannot be chosen."
        for name, rates in grid.unscored
    ]
    seeds = sorted({len(trial.finals) for each in grid.entries for trial in each.trials})
    if seeds and len(grid.rates) > 1:
        rates = ", ".join(f"{rate:g}" for rate in grid.rates)
        count = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        unequal = "" if len(seeds) == 1 else "; not all had the same number of them, so that trials are unequal"
        notes.append(
            f"learning rates chosen per entry among {rates} on {count} tuning seed(s) that are not scored{unequal}."
        )
    lacking = [
        f"{each.entry} lacks {', '.join(f'{rate:g}' for rate in grid.rates if rate not in _tried(each))}"
        for each in grid.entries
        if len(grid.rates) > 1 and len(_tried(each)) < len(grid.rates)
    ]
    if lacking:
        notes.append(f"unequal trials: {'; '.join(lacking)}. An entry with fewer learning rates is at a disadvantage.")
    return notes


def _tried(tuned: TunedEntry) -> set[float]:
    return {trial.rate for trial in tuned.trials}
