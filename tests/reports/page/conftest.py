"""Boards made up for the page, with everything that a board can hold, and one browser to look at them."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bnbench.records import Skipped
from bnbench.reports.page import to_html
from bnbench.scoring.board import (
    Across,
    AcrossEntry,
    BestOf,
    Board,
    CostOf,
    Curves,
    Details,
    Diagnosis,
    DiagnosticCurve,
    Estimate,
    Final,
    HitRateInterval,
    RateOutcome,
    Row,
    RunFact,
    SeedOutcome,
    Speedup,
    StepsToTarget,
    Tunability,
    Tuning,
    Workload,
)

ENTRIES = ("batch", "rms", "group(num_groups=8)", "layer", "weight", "none", "spectral")
MAX_STEPS, CADENCE = 1000, 20
RATES = (0.003, 0.01, 0.03, 0.1, 0.3)
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def a_row(workload: Workload, entry: str, place: int, track: str, num_seeds: int) -> Row:
    reference = entry == "none"
    steps = 60.0 * 1.5**place
    bound = "exact" if place < 3 else "at_least"
    speedup = Speedup(6 / (1 + place), 5 / (1 + place), 7.5 / (1 + place), bound, num_seeds, 0.0001, 0.0004, None)
    if place == 4:
        speedup = Speedup(1.1, 0.9, 1.3, "undefined", num_seeds, 0.2, 0.4, 12)
    return Row(
        workload=workload.workload,
        workload_id=workload.workload_id,
        target_level=workload.target_level,
        track=track,
        entry=entry,
        norm=entry.partition("(")[0],
        rank=place + 1,
        n_seeds=num_seeds,
        hit_rate=1.0 if place < 3 else 0.75,
        hit_rate_interval=HitRateInterval(0.5, 0.9),
        steps_to_target=StepsToTarget(None if place > 4 else steps, steps, steps * 0.9, steps * 1.1),
        speedup=Speedup(1.0, 1.0, 1.0, "exact", num_seeds, None, None, None) if reference else speedup,
        final=Final(0.97 - 0.004 * place, 0.965 - 0.004 * place, 0.975 - 0.004 * place, place // 6),
        diverged=place // 6,
        is_reference=reference,
        verdict=f"{entry} reaches 95 % in {speedup.estimate:.3g}× fewer steps than none (p_Holm = 0.0004): real.",
        details=Details(steps, Estimate(0.9, 0.89, 0.91), Estimate(0.98, 0.97, 0.99), Estimate(0.96, 0.95, 0.97), 0),
        cost=None
        if place == 3
        else CostOf(4e-5, 2e-5, 2**22, 12345, 1.0 + place / 10, 1.1, 1.0, 1.0, "a processor", "today"),
        tuning=Tuning(0.03, "largest" if place == 1 else None, 5, 4) if track == "tuned" else None,
    )


def some_curves(row: Row, workload: Workload, seed: int, num_evaluations: int) -> Curves:
    stream = np.random.default_rng(seed)
    steps = np.linspace(0, workload.max_steps, num_evaluations).astype(np.int64)
    median = 0.97 - 0.87 * np.exp(-steps / (row.steps_to_target.rmst or 1.0)) + 0.003 * stream.normal(size=len(steps))
    hits = np.sort(stream.choice(steps[1:], row.n_seeds))
    return Curves(
        workload_id=row.workload_id,
        target_level=row.target_level,
        track=row.track,
        entry=row.entry,
        steps=steps,
        median=median,
        low=median - 0.01,
        high=median + 0.01,
        hit_share=np.searchsorted(hits, steps, side="right") / row.n_seeds,
        seeds=tuple(
            SeedOutcome(number, float(hit), number % 5 != 4, 0.97, 0.98, 0.96, None, 0)
            for number, hit in enumerate(hits)
        ),
    )


def across_of(rows: Sequence[Row], workloads: Sequence[Workload]) -> Across:
    entries = tuple(
        AcrossEntry(
            entry=row.entry,
            norm=row.norm,
            rank=row.rank,
            is_reference=row.is_reference,
            anchored=Estimate(row.speedup.estimate, row.speedup.low, row.speedup.high),
            bound=row.speedup.bound,
            num_workloads=len(workloads),
            profile_area=1 / row.rank,
            profile=((1.0, 0.5 / row.rank), (1.5, 0.8 / row.rank), (3.0, 1.0 / row.rank)),
            hit_rates=(row.hit_rate,) * len(workloads),
            speedups=(row.speedup.estimate, *(None,) * (len(workloads) - 1)),
            quality=1.0 + 0.01 / row.rank,
            relative_step=None if row.cost is None else row.cost.relative_step,
        )
        for row in rows
    )
    names, identifiers = ([getattr(each, key) for each in workloads] for key in ("workload", "workload_id"))
    return Across(rows[0].target_level, rows[0].track, tuple(names), tuple(identifiers), entries, ("a note on scores",))


def tunability_of(row: Row) -> Tunability:
    outcomes = ((8, 0, 0, 0), (5, 2, 1, 0), (8, 0, 0, 0), (2, 2, 2, 2), (0, 0, 0, 8))
    rates = tuple(
        RateOutcome(rate, 8, diverged=died, stalled=stuck, reached=hit, slow=slow, rmst=100.0 / (1 + hit), final=0.9)
        for rate, (hit, slow, stuck, died) in zip(RATES, outcomes, strict=True)
    )
    return Tunability(
        workload=row.workload,
        workload_id=row.workload_id,
        target_level=row.target_level,
        entry=row.entry,
        norm=row.norm,
        learning_rate=0.03,
        edge="largest" if row.rank == 2 else None,
        rates=rates,
        best_of=tuple(BestOf(count, 400.0 / count * row.rank, 0.9) for count in range(1, 6)),
        width_octaves=3.3,
        open_below=True,
        open_above=False,
    )


def a_run(row: Row) -> RunFact:
    return RunFact(
        path=f"runs/{row.workload}-{row.norm}/seeds-0-15",
        workload_id=row.workload_id,
        track=row.track,
        entry=row.entry,
        cell_id="0123456789ab",
        num_seeds=row.n_seeds,
        command=f"python -m bnbench.train norm={row.norm} dataset={row.workload}",
        versions=(("bnbench", "0.1.0"), ("torch", "2.13.0"), ("lightning", "")),
        hardware="a processor, 1 thread",
        commit="",
    )


def a_diagnosis(row: Row, place: int) -> Diagnosis:
    steps = np.arange(0, MAX_STEPS + 1, 10 * CADENCE)

    def curve(name: str, layer: str, value: float) -> DiagnosticCurve:
        median = value + 0.01 * steps / MAX_STEPS
        return DiagnosticCurve(name, layer, steps, median, median - 0.01, median + 0.01, row.n_seeds)

    layers = [f"hidden.{index}" for index in range(12)]
    curves = [
        *(curve(f"activation_p{share}", layer, share / 50 + place) for share in (15, 50, 85) for layer in layers),
        *(curve("gradient_norm", layer, 1.0 + place + index) for index, layer in enumerate([*layers, "output"])),
        *(curve("effective_rank", layer, 5.0 + index) for index, layer in enumerate(layers)),
        curve("sharpness_times_half_rate", "", 0.2 * (place + 1)),
        curve("of_a_stranger<b>", "", 1.0),
        DiagnosticCurve("dead_units", "hidden.0", steps, 0.0 * steps, 0.0 * steps, 0.0 * steps, row.n_seeds),
    ]
    return Diagnosis(
        row.workload_id, row.workload, row.track, row.entry, tuple(curves), (("mode_gap", "there is <i>no</i> gap"),)
    )


def make_board(
    *,
    num_workloads: int = 2,
    entries: Sequence[str] = ENTRIES,
    tracks: Sequence[str] = ("recipe", "tuned"),
    levels: Sequence[str] = ("hard",),
    num_seeds: int = 16,
    num_evaluations: int = 51,
) -> Board:
    """Return a board of `num_workloads` × levels × tracks × entries rows."""
    names = ["digits · lr=0.1", "breast_cancer", *(f"data set {index}" for index in range(num_workloads))]
    workloads = tuple(
        Workload(name, f"{index:012x}", "accuracy", "max", 0.95, level, "pool", MAX_STEPS, CADENCE)
        for index, name in enumerate(names[:num_workloads])
        for level in levels
    )
    blocks = [
        (workload, [a_row(workload, entry, place, track, num_seeds) for place, entry in enumerate(entries)])
        for workload in workloads
        for track in tracks
    ]
    rows = [row for _, block in blocks for row in block]
    return Board(
        reference="none",
        workloads=workloads,
        entries=tuple(rows),
        skipped=(Skipped(Path("runs/x"), "unfinished: no run.json"), Skipped(Path("runs/y"), "refused: differs")),
        notes=("a note of the board",),
        across=(across_of(blocks[0][1], workloads),) if num_workloads > 1 else (),
        tunability=tuple(tunability_of(row) for row in rows if row.track == "tuned"),
        curves=tuple(
            some_curves(row, workload, index, num_evaluations)
            for index, (workload, block) in enumerate(blocks)
            for row in block
        ),
        runs=tuple(a_run(row) for row in rows),
        diagnoses=tuple(a_diagnosis(row, place) for place, row in enumerate(blocks[0][1])),
    )


@pytest.fixture(scope="session")
def board_of() -> Callable[..., Board]:
    """Return `make_board`."""
    return make_board


@dataclass
class Visit:
    """A page that is open, and everything it should not have done."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def assert_quiet(self) -> None:
        """Nothing was loaded but the file, nothing was logged, no policy was broken, no script stumbled."""
        assert self.complaints == []
        outside = [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]
        assert outside == []
        assert sum(url.startswith("file:") for url in self.requests) == 1


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for a file of tests; without one they fail. It holds an event loop, which other files may need."""
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    assert found, "these tests need Chromium: apt-get install chromium"
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found[0], args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Visit]]:
    """Open a board's page from disk: visit(board, width=…, dark=…)."""
    contexts = []

    def opened(board: Board, *, width: int = 1280, dark: bool = False, touch: bool = False) -> Visit:
        path = tmp_path / "page.html"
        path.write_text(to_html(board), encoding="utf-8", newline="")
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            has_touch=touch,
            offline=True,
        )
        contexts.append(context)
        made = Visit(context.new_page())
        made.page.on("request", lambda request: made.requests.append(request.url))
        made.page.on("console", lambda message: made.complaints.append(f"{message.type}: {message.text}"))
        made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
        made.page.on("dialog", lambda dialog: (made.complaints.append(dialog.message), dialog.dismiss()))
        made.page.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective))"
        )
        made.page.goto(path.as_uri())
        return made

    yield opened
    for context in contexts:
        context.close()
