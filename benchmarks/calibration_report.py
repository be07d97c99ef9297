"""The page of the calibration: what was measured, as Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.calibration_cases import CENSORED, SEEDS
from benchmarks.calibration_words import (
    AA,
    INTERVALS,
    INTRODUCTION,
    LIMITS,
    METHOD,
    OTHERS,
    POWER,
    POWER_READ,
    TEST,
    TEST_READ,
)

Report = dict[str, Any]


def page(report: Report) -> str:
    """Return the page with the parts that were measured."""
    sections = {"intervals": intervals, "aa": same_against_same, "power": test_and_power}
    written = [section(report[name]) for name, section in sections.items() if name in report]
    minutes = sum(report[name]["processor_seconds"] for name in sections if name in report) / 60
    command = "python -m benchmarks.calibration" + (" --quick" if report["quick"] else "") + " --markdown"
    return paragraphs(INTRODUCTION.format(minutes=f"{minutes:.0f}", command=command), *written) + "\n"


def paragraphs(*texts: str) -> str:
    """Return texts with an empty line between them."""
    return "\n\n".join(text.strip() for text in texts)


def intervals(part: Report) -> str:
    """Return the section on intervals."""
    low, high = part["aim"]
    error = part["monte_carlo_error"]
    seeds = [num for num in SEEDS if any(row["num_seeds"] == num for row in part["rows"])]

    def told(span: Sequence[float]) -> str:
        text = _share(span[0]) if _share(span[0]) == _share(span[-1]) else f"{_share(span[0])}–{_share(span[-1])}"
        missed = span[0] < low - 2 * error or span[-1] > high + 2 * error
        return f"**{text}**" if missed else text

    keys = ("tail", "spreads", "censored", "cadence")
    groups: dict[tuple[Any, ...], dict[int, Report]] = {}
    for row in part["rows"]:
        groups.setdefault(tuple(row[key] for key in keys), {})[row["num_seeds"]] = row
    names = [f"{quantity}, n = {num}" for quantity in ("speed-up", "RMST") for num in seeds]
    lines = [
        [
            *(key[:2]),
            _percent(key[2]),
            key[3],
            *(told(by_seeds[num][quantity]) for quantity in ("speedup", "rmst") for num in seeds),
        ]
        for key, by_seeds in groups.items()
    ]
    return paragraphs(
        INTERVALS.format(
            simulations=part["simulations"], error=_percent(error, 1), low=_percent(low), high=_percent(high)
        ),
        table(["times", "spreads", "censored", "cadence", *names], lines),
        "The lowest share of all cells, before (Student's t) and now:",
        table(["times", "spreads", "n", "speed-up before", "now", "RMST before", "now"], _before_and_now(part)),
        OTHERS,
        table(["quantity", *(f"n = {num}" for num in seeds)], _others(part, seeds, told)),
        METHOD,
        LIMITS,
    )


def _before_and_now(part: Report) -> list[list[str]]:
    kinds = dict.fromkeys((row["tail"], row["spreads"], row["num_seeds"]) for row in part["rows"])
    lines = []
    for kind in kinds:
        own = [row for row in part["rows"] if (row["tail"], row["spreads"], row["num_seeds"]) == kind]
        quantities = ("speedup_student", "speedup", "rmst_student", "rmst")
        lines.append([*map(str, kind), *(_share(min(row[name][0] for row in own)) for name in quantities)])
    return lines


def _others(part: Report, seeds: Sequence[int], told: Any) -> list[list[str]]:
    lines = []
    for censored in CENSORED[1:]:
        own = [row for row in part["rows"] if row["censored"] == censored]
        spans = [[value for row in own if row["num_seeds"] == num for value in row["hit_rate"]] for num in seeds]
        lines.append([f"hit rate, {_percent(censored)} miss", *(told([min(span), max(span)]) for span in spans)])
    for name in dict.fromkeys(row["law"] for row in part["finals"]):
        own = [row for row in part["finals"] if row["law"] == name]
        lines.append([f"final metric, {name}", *(told([row["final"]]) for row in own)])
    for count in dict.fromkeys(row["num_workloads"] for row in part["anchored"]):
        own = [row for row in part["anchored"] if row["num_workloads"] == count]
        lines.append([f"geometric mean over {count} workloads", *(told([row["anchored"]]) for row in own)])
    return lines


def same_against_same(part: Report) -> str:
    """Return the section on A/A comparisons."""
    lines = [
        [
            row["kind"],
            _percent(row["target"]),
            f"{row['means'][0] / row['means'][1]:.3f}",
            f"{row['spreads'][0]:.2f}, {row['spreads'][1]:.2f}",
            f"{row['correlation']:.2f}",
            ", ".join(_percent(share) for share in row["missed"]),
            str(row["num_seeds"]),
            f"{row['real']} of {row['num_pairs']}",
            f"{_percent(row['share'], 1)} ({_percent(row['low'], 1)}–{_percent(row['high'], 1)}){_above(row)}",
        ]
        for row in part["rows"]
    ]
    headings = ["what", "target", "ratio of means", "spreads ÷ mean", "correlation", "miss", "n", "real", "share"]
    return paragraphs(AA.format(**part), table(headings, lines))


def _above(row: Report) -> str:
    is_null = row["kind"] != "rms against scale"
    return " **above 5 %**" if is_null and row["low"] > 0.05 else ""


def test_and_power(part: Report) -> str:
    """Return the sections on the test and on power."""
    simulations, errors = part["simulations"], part["monte_carlo_error"]
    keys = ("tail", "spreads", "correlation", "censored")
    groups: dict[tuple[Any, ...], dict[int, Report]] = {}
    for row in part["size"]:
        groups.setdefault(tuple(str(row[key]) for key in keys), {})[row["num_seeds"]] = row
    seeds = sorted({row["num_seeds"] for row in part["size"]})
    sizes = [
        [
            row["tail"],
            "{}, {}".format(*row["spreads"]),
            f"{row['correlation']:g}",
            _percent(row["censored"]),
            *(_percent(by_seeds[num][name], 1) for num in seeds for name in ("size", "clearly")),
        ]
        for by_seeds in groups.values()
        for row in [by_seeds[seeds[0]]]
    ]
    heads = [text for num in seeds for text in (f"real, n = {num}", "not narrowly")]
    return paragraphs(
        TEST.format(simulations=simulations["size"], error=_percent(errors["size"], 1)),
        table(["times", "spreads", "correlation", "censored", *heads], sizes),
        TEST_READ,
        POWER.format(simulations=simulations["power"], error=_percent(errors["power"], 1)),
        table(POWER_HEADINGS, [_power(row) for row in part["power"]]),
        POWER_READ,
    )


POWER_HEADINGS = [
    "spreads",
    "true ratio",
    "seeds needed",
    "of these narrowly",
    "open at 8",
    "advice, in all",
    "decided",
    "together",
    "no advice",
]


def _power(row: Report) -> list[str]:
    advised = "–" if row["advised"] is None else "{:.0f}, {:.0f}, {:.0f}".format(*row["advised"])
    return [
        row["spreads"],
        f"{row['ratio']:g}",
        "–" if row["needed"] is None else str(row["needed"]),
        _percent(row["narrowly"]),
        _percent(row["open"]),
        advised,
        _percent(row["decided"]),
        _percent(row["decided_together"]),
        _percent(row["no_advice"]),
    ]


def table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    rows = [headings, ["---"] * len(headings), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _share(value: float) -> str:
    """Return a share as ".95"; three digits, as coverage is told."""
    return f"{value:.3f}".removeprefix("0")


def _percent(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f} %"
